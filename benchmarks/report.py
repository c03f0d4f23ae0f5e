"""`docs/performance.md`, written from what the scripts measured and from nothing else.

A hand-edited table of numbers is wrong within a month. Here the sentences stand in `page.md` and every number
comes from a run; what did not run says so, and where a peer wins the page shows it as plainly as where we do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from benchmarks.plots import bars, lines, number, plain
from benchmarks.promises import COMPUTING, PROMISES, RESTORE_STRATEGY, Results, shapes, wear

_SCRIPT = re.compile(r"<!-- measured by (\w+) -->\n")

Slots = Mapping[str, object]
"""What is put into a section's text."""


def compose(results: Results, machine: dict[str, Any], docs: Path) -> str:
    """Return the page; its plots are written below *docs*."""
    images = docs / "images"
    images.mkdir(parents=True, exist_ok=True)
    text = Path(__file__).with_name("page.md").read_text("utf-8")
    always = {
        "where": where(results, machine),
        "promises": promises(results),
        "others": others(results),
    }
    return "\n## ".join(_section(each, results, always, images) for each in text.split("\n## "))


def _section(text: str, results: Results, always: Slots, images: Path) -> str:
    marked = _SCRIPT.search(text)
    if marked is None:
        return Template(text).substitute(always)
    script = marked[1]
    found = results.get(script)
    if found is None or "failed" in found:
        why = "it was not run" if found is None else found["failed"]
        return f"{text[: marked.start()]}\nNot measured by `benchmarks/{script}.py`: {why}.\n"
    return Template(_SCRIPT.sub("", text)).substitute(_RENDER[script](found, images))


def table(head: Sequence[str], rows: Iterator[Sequence[Any]] | Sequence[Sequence[Any]]) -> str:
    """Return a Markdown table; all columns but the first hold numbers."""
    written = [f"| {' | '.join(head)} |", "|---|" + "--:|" * (len(head) - 1)]
    written += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(written)


# -- what belongs to no script


def where(results: Results, machine: dict[str, Any]) -> str:
    """The machine, its load, versions, and the server's settings as it told them."""
    settings = results.get("servers", {}).get("settings", {})
    read = ", ".join(f"`{name}` {value}" for name, value in settings.items() if name != "data_directory")
    loads = {name: each[0] for name, each in machine.get("load by script", {}).items() if each}
    times = sorted(machine.get("when by script", {}).values()) or [machine["when"]]
    rows = [
        ("measured", " to ".join(dict.fromkeys((times[0], times[-1])))),
        ("machine", f"{machine['processor']}, {machine['cores']} cores, {machine['memory GiB']} GiB"),
        ("system", machine["system"]),
        ("load before each script", ", ".join(f"{name} {each}" for name, each in loads.items())),
        ("Python", machine["python"]),
        ("PostgreSQL", results.get("servers", {}).get("server", "")),
        ("settings, read back", read),
        ("packages", ", ".join(f"{name} {version}" for name, version in machine["packages"].items())),
    ]
    text = "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value or 'not known'} |" for name, value in rows)
    if any(each > (machine["cores"] or 1) for each in loads.values()):
        text += (
            "\n\n**The machine was not quiet**: its load was above its number of cores, so times are longer\n"
            "and less even than they need be, p95 above all, and a second worker finds no free core."
        )
    if machine.get("quick"):
        text += "\n\n**A quick run**: few repetitions and small sizes; good for a first look only."
    return text


def promises(results: Results) -> str:
    """The table of promises, each met, missed or not measured."""

    def rows() -> Iterator[Sequence[str]]:
        for each in PROMISES:
            value = each.measured(results)
            bound = f"{'≥' if each.at_least else '≤'} {each.wanted:,g} {each.unit}"
            if value is None:
                yield each.what, bound, "not measured", "–"
            else:
                verdict = "met" if each.met(value) else "**missed**"
                yield each.what, bound, f"{number(value)} {each.unit}{each.remark(results)}", verdict

    return table(("promise", "bound", "measured", ""), rows())


def others(results: Results) -> str:
    """What to take from the tables when choosing another tool, each line with its numbers."""
    said = []
    for _, first in list(shapes(results.get("restore", {})))[:1]:
        rollback, restore = first["rollback"]["median"], first["journal"]["restore"]["median"]
        said.append(
            f"**SQLAlchemy's rollback recipe** undoes a test in {number(rollback)} ms, a restore takes"
            f" {number(restore)} ms, and its tests pay for no triggers. Where the code under test uses the"
            " session it is given and nothing else, it is all you need. The plugin's rollback strategy does"
            " the same and then has the journal look for what was committed past the session, and pays for"
            " that."
        )
    tests = results.get("pytest_overhead", {}).get("ms_per_test", {})
    ours, sqla = tests.get("scenarios, rollback strategy"), tests.get("pytest-sqla")
    if ours and sqla:
        verdict = "quicker than" if sqla < ours else "not quicker than"
        said.append(
            f"**pytest-sqla** takes {number(sqla)} ms a test, {verdict} our rollback strategy with"
            f" {number(ours)} ms, and asks less of a project: no server of its own, no schema to build."
        )
    makers = results.get("makers", {}).get("makers", {})
    mine = makers.get(OUR_FACTORIES, {}).get("median", 0)
    better = [plain(name) for name, median in _medians(makers).items() if _peer(name) and median < mine]
    if better:
        said.append(
            f"**Fewer microseconds a row** than our factories: {'; '.join(better)}. Whoever has finished rows"
            " needs no factory; whoever wants them seeded, linked and explained pays for that."
        )
    files = _medians(results.get("makers", {}).get("files", {}).get("measured", {}))
    own = min((median for name, median in files.items() if not _peer(name)), default=0)
    for name, median in files.items():
        if _peer(name) and median < own:
            said.append(
                f"**{plain(name)}** is loaded in {number(median)} ms, our scenario file in {number(own)}."
            )
    said.append(
        "**Template clones** (pytest-postgresql and its like) undo everything, DDL, roles and large objects"
        " included, and need no triggers in the database. A restore notices what it cannot undo and falls"
        " back to a clone."
    )
    said.append(
        "**testcontainers** gives the very image and the extensions production runs. Embedded binaries do"
        " not; our container provider uses testcontainers for that reason."
    )
    return "\n".join(f"- {line}" for line in said)


OUR_FACTORIES = "**our factories, through the writer**"


def _peer(name: str) -> bool:
    return not name.startswith("**")


def _one_processor(pinned: bool) -> str:
    if not pinned:
        return ""
    return (
        "Client and server share a\nprocessor here: which one the kernel wakes the server on is chance, and "
        "costs as much as what is measured."
    )


# -- one function a script


def _restore(found: dict[str, Any], images: Path) -> Slots:
    every = list(shapes(found))
    ways: dict[str, Callable[[Any], Any]] = {
        "**the journal's restore**": lambda each: each["journal"]["restore"],
        "rollback recipe": lambda each: each["rollback"],
        "clone, connect, drop": lambda each: each["clone"],
        "TRUNCATE and COPY": lambda each: each["truncate and reload"],
    }
    twelve = sorted(
        (each for place, each in every if place == "tmpfs" and each["tables"] == 12),
        key=lambda each: int(each["rows a table"]),
    )
    lines(
        images / "restore.svg",
        "Undoing seven changed rows, twelve tables, data in memory",
        "rows in each table",
        "milliseconds",
        {
            name: [(each["rows a table"], way(each)["median"]) for each in twelve]
            for name, way in ways.items()
        },
    )

    def size(place: str, each: dict[str, Any]) -> str:
        return f"{place}, {each['tables']} tables of {each['rows a table']:,}"

    def cell(each: dict[str, Any], way: Callable[[Any], Any]) -> str:
        own, base = way(each), each["journal"]["restore"]
        shown = f"{number(own['median'])} / {number(own['p95'])}"
        return shown if own is base else f"{shown} ({number(own['median'] / base['median'])}×)"

    def cost(each: dict[str, Any]) -> Iterator[str]:
        for kind in ("session", "bare statements"):
            both = each["triggers"][kind]
            yield f"{number(both['without']['median'])} → {number(both['with journal']['median'])}"
            yield f"{both['overhead %']:+.0f} %"

    journals = [each["journal"] for _, each in every]
    same = all(each["checksums equal after all cycles"] for each in journals)
    return {
        "table": table(
            ("where, size", "snapshot", *ways),
            [
                (
                    size(place, each),
                    number(each["journal"]["snapshot"]["median"]),
                    *(cell(each, way) for way in ways.values()),
                )
                for place, each in every
            ],
        ),
        "triggers": table(
            ("where, size", "in a session", "more", "bare", "more"),
            [(size(place, each), *cost(each)) for place, each in every],
        ),
        "cycles": f"{min(each['restore']['runs'] for each in journals):,}",
        "wear": f"{max(wear(each) for _, each in every):.2f}",
        "processor": _one_processor(all(each["triggers"]["on one processor"] for _, each in every)),
        "checksums": "the same as before" if same else "**not the same as before**",
    }


def _pytest(found: dict[str, Any], images: Path) -> Slots:
    per_test, one = found["ms_per_test"], found["ms_of_a_run_of_one_test"]
    named = {name: f"**{name}**" if name.startswith("scenarios") else name for name in per_test}
    bars(
        images / "pytest.svg",
        "A test that commits two rows and reads some",
        "milliseconds a test",
        {named[name]: value for name, value in per_test.items()},
    )
    base = per_test[RESTORE_STRATEGY]
    left_out = "".join(f"\nNot measured: {name}; {why}\n" for name, why in found["left_out"].items())
    gains: dict[str, dict[str, float]] = found["two_workers"]
    return {
        "tests": found["tests"],
        "turns": found["turns"],
        "table": table(
            ("isolation by", "ms a test", "to the restore strategy", "ms, a run of one test"),
            [
                (named[name], number(value), f"{value / base:.2f}×", f"{one[name]:,}")
                for name, value in sorted(per_test.items(), key=lambda pair: float(pair[1]))
            ],
        ),
        "left_out": left_out,
        "two_workers": _gains(gains),
        "xdist": number(gains[COMPUTING]["pytest_ms two workers"] - gains[COMPUTING]["pytest_ms alone"]),
        "most": f"{gains[COMPUTING]['times_faster']:.2f}",
        "gain": f"{gains[RESTORE_STRATEGY]['times_faster']:.2f}",
    }


def _gains(gains: dict[str, dict[str, float]]) -> str:
    def rows() -> Iterator[Sequence[str]]:
        for name, each in gains.items():
            yield (
                f"**{name}**" if name.startswith("scenarios") else name,
                number(each["ms alone"]),
                number(each["ms two workers"]),
                f"{each['times_faster']:.2f}×",
                *(
                    f"{number(each[f'pytest_ms {who}'])} + {number(each[f'server_ms {who}'])}"
                    for who in ("alone", "two workers")
                ),
            )

    head = ("ms a test", "one process", "two workers", "gain", "processors, one process", "two workers")
    return table(head, rows())


def _servers(found: dict[str, Any], images: Path) -> Slots:
    bars(
        images / "servers.svg", "From nothing to the first answer", "milliseconds", _medians(found["servers"])
    )
    bars(
        images / "databases.svg",
        "A database in its first state",
        "milliseconds",
        _medians(found["databases"]),
    )
    return {
        kind: table((kind[:-1], "median", "p95"), _rows(found[kind])) for kind in ("servers", "databases")
    }


def _makers(found: dict[str, Any], images: Path) -> Slots:
    count, scale = found["rows"], 1000 / found["rows"]
    bars(
        images / "makers.svg",
        f"{count:,} messages made and committed",
        "microseconds a row",
        _medians(found["makers"], scale),
    )
    base = found["makers"][OUR_FACTORIES]["median"]
    return {
        "count": f"{count:,}",
        "makers": table(
            ("by", "median", "p95", "to our factories"), _rows(found["makers"], scale, base=base)
        ),
        "file_rows": found["files"]["rows"],
        "files": table(("file", "median", "p95"), _rows(found["files"]["measured"])),
        "values": table(("value", "median", "p95"), _rows(found["values"])),
    }


def _populate(found: dict[str, Any], _images: Path) -> Slots:
    flush = next(each for each in found["measured"] if "flush" in each["name"])
    large = found["large"]
    return {
        "table": table(
            ("by", "rows", "rows a second", "to `create_batch` with flush"),
            [
                (
                    each["name"],
                    f"{each['rows']:,}",
                    f"{each['rate']:,.0f}",
                    f"{each['rate'] / flush['rate']:.1f}×",
                )
                for each in found["measured"]
            ],
        ),
        "messages": f"{large['messages']:,}",
        "rows": f"{large['rows']:,}",
        "seconds": f"{large['seconds']:.1f}",
        "rate": f"{large['rows'] / large['seconds']:,.0f}",
        "index_seconds": f"{large['index_seconds']:.1f}",
        "peak": f"{large['peak_mb']:.0f}",
    }


def _library(found: dict[str, Any], _images: Path) -> Slots:
    rows = [
        (name, number(each["ms"]), number(each["p95_ms"]), f"{each['budget_ms']:g}")
        for name, each in found["measured"].items()
    ]
    return {
        "table": table(("what", "median", "p95", "budget"), rows),
        "processor": _one_processor(found["on one processor"]),
    }


def _rows(found: dict[str, Any], scale: float = 1.0, *, base: float = 0) -> Iterator[Sequence[str]]:
    for name, each in found.items():
        if "why" in each:
            yield name, f"not measured: {each['why']}", "", *([""] if base else [])
        else:
            ratio = [f"{each['median'] / base:.2f}×"] if base else []
            yield name, number(each["median"] * scale), number(each["p95"] * scale), *ratio


def _medians(found: dict[str, Any], scale: float = 1.0) -> dict[str, float]:
    return {name: each["median"] * scale for name, each in found.items() if "why" not in each}


_RENDER: Mapping[str, Callable[[dict[str, Any], Path], Slots]] = {
    "restore": _restore,
    "pytest_overhead": _pytest,
    "servers": _servers,
    "makers": _makers,
    "populate": _populate,
    "library": _library,
}
