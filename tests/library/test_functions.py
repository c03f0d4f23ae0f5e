"""A scenario written in Python is like any other: listed, shown, checked, loaded, composed as a file is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from forks import run_module
from scenarios.domain import Domain
from scenarios.domains.dev_coach import CoachingPhase
from scenarios.errors import LibraryError
from scenarios.library import InvalidScenario, Library
from scenarios.library.catalogue.checking import check_library
from scenarios.library.instances.finding import instances, open_instance
from scenarios.library.planning.sections import mappers_of
from scenarios.library.sections import Sections
from scenarios.postgres import Database
from scenarios.settings import Settings

FILE = """\
scenario: twin
system: dev_coach
version: 3
title: As many as one likes
description: |-
  A person each, all of them in one phase.
tags: [twin, made]
owner: platform
clock: {weekday: wednesday, time: "16:00"}
seed: fixed
parameters:
  people: {type: integer, default: 2, min: 1, max: 5, description: How many there are.}
  phase: {type: text, default: GET_TO_KNOW_YOU, description: Where all of them are.,
    choices: [GET_TO_KNOW_YOU, IDENTITY_CREATION, IDENTITY_REFINEMENT, INTEGRATION, COMPLETED]}
  mood: {type: text, default: good, choices: [good, bad]}
  share: {type: number, default: 0.5, min: 0, max: 1}
  noted: {type: boolean, default: true}
  word: {type: text, default: hello, min: 2, max: 9}
users:
  u1: {state: {phase: "${phase}"}, notes: [{note: "${mood} ${word} ${share} $${x}", when: noted}]}
  u2: {when: people > 1, state: {phase: "${phase}"}}
  u3: {when: people > 2, state: {phase: "${phase}"}}
  u4: {when: people > 3, state: {phase: "${phase}"}}
"""
FUNCTION = '''\
from typing import Annotated, Literal

from annotated_types import Ge, Interval, Len

from scenarios.domains.dev_coach import CoachingPhase
from scenarios.library import scenario

MOST = 5
Share = Annotated[float, Interval(ge=0, le=1)]


@scenario(
    system="dev_coach",
    version=3,
    tags=["twin", "made"],
    owner="platform",
    clock={"weekday": "wednesday", "time": "16:00"},
    seed="fixed",
)
def twin(
    people: Annotated[int, Ge(1), Interval(le=MOST), "How many there are."] = 2,
    phase: CoachingPhase = CoachingPhase.GET_TO_KNOW_YOU,
    *,
    mood: Literal["good", "bad"] = "good",
    share: Share = 0.5,
    noted: bool = True,
    word: Annotated[str, Len(2, 9)] = "hello",
):
    """As many as one likes.

    A person each, all of them in one phase.

    Args:
        people: not this.
        phase (CoachingPhase): Where all
            of them are.

    Returns:
        The content of a file.
    """
    assert isinstance(phase, CoachingPhase)
    users = {f"u{n}": {"state": {"phase": phase}} for n in range(1, people + 1)}
    if noted:
        users["u1"]["notes"] = [f"{mood} {word} {share} $${{x}}"]
    return {"users": users}
'''
BUILT = '''\
from typing import Annotated

from annotated_types import Ge, Le

from scenarios.builders.dev_coach import a_scenario
from scenarios.domains.dev_coach import CoachingPhase
from scenarios.library import scenario


@scenario(tags=["built"], owner="platform")
def built(identities: Annotated[int, Ge(3), Le(9)] = 3, broken: bool = False):
    """Maya and her identities."""
    if broken:
        raise ValueError("on purpose")
    return (
        a_scenario("built")
        .user("maya", first_name="Maya")
        .in_phase(CoachingPhase.IDENTITY_REFINEMENT)
        .identities(identities)
        .conversation(turns=4)
    )
'''


def shelf_with(directory: Path, **files: str) -> Path:
    """Write *files* (``name_yaml``, ``name_py``) into a directory for Dev Coach; return the library's."""
    inside = directory / "dev_coach"
    inside.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        (inside / f"{stem}.{suffix}").write_text(text, "utf-8")
    return directory


@pytest.fixture
def twins(tmp_path: Path) -> tuple[Library, Library]:
    """A library with the file, and one with the function."""
    return (
        Library(shelf_with(tmp_path / "file", twin_yaml=FILE)),
        Library(shelf_with(tmp_path / "function", twin_py=FUNCTION)),
    )


def commanded(*arguments: str) -> tuple[int, str, str]:
    """Run a command; return exit code and outputs without paths."""
    done = run_module("scenarios", *arguments)
    plain = [
        re.sub(r"\S*dev_coach/twin\.(yaml|py)(:\d+(:\d+)?)?", "TWIN", text)
        for text in (done.stdout, done.stderr)
    ]
    return done.returncode, plain[0], plain[1]


# -- like a file ---------------------------------------------------------------------------------------


def test_the_catalogue_has_one_line_for_both(twins):
    file, function = ([{**entry.as_dict(), "file": ""} for entry in each.entries()] for each in twins)
    assert function == file
    assert file[0]["parameters"]["people"] == {
        "type": "integer",
        "default": 2,
        "description": "How many there are.",
        "min": 1,
        "max": 5,
    }


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"people": 4, "phase": "INTEGRATION", "mood": "bad", "share": 1, "word": "dear"},
        {"people": 1, "phase": CoachingPhase.COMPLETED, "noted": False},
        {"people": "3", "share": "0.25", "noted": "no"},
    ],
)
def test_the_rows_are_the_same_for_every_value(twins, given):
    file, function = (
        [(row.handle, row.values) for row in each["twin"].plan(instance="x", parameters=given).rows]
        for each in twins
    )
    assert function == file


@pytest.mark.parametrize(
    "given",
    [
        {"people": 6},
        {"people": 0},
        {"people": "many"},
        {"people": True},
        {"peopel": 1},
        {"phase": "INTEGRATON"},
        {"mood": 3},
        {"share": 1.5},
        {"word": "h"},
        {"noted": "perhaps"},
    ],
)
def test_a_wrong_value_is_refused_in_the_same_words(twins, given):
    said = []
    for each in twins:
        with pytest.raises(LibraryError) as caught:
            each["twin"].plan(parameters=given)
        said.append((caught.value.what, caught.value.why, caught.value.hint))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "--json"],
        ["list", "people", "--tag", "twin"],
        ["show", "twin", "-p", "people=3", "--json"],
        ["show", "twin"],
        ["show", "twin", "-p", "people=9"],
        ["check", "--pii", "--json"],
    ],
)
def test_commands_print_the_same_of_both(twins, arguments):
    file, function = (commanded(*arguments, "--library", str(each.roots[0])) for each in twins)
    assert function == file


def people(db: Database) -> list[Any]:
    """Return everybody with their notes, and what the database remembers."""
    with db.connect() as conn:
        rows = conn.execute("SELECT to_jsonb(u) FROM users_user u ORDER BY id").fetchall()
        rows += conn.execute("SELECT to_jsonb(n) FROM user_notes_usernote n ORDER BY id").fetchall()
    return [rows, instances(db)]


def test_load_takes_parameters_and_the_instance_needs_no_function(tmp_path, own_db):
    shelf = shelf_with(tmp_path, twin_py=FUNCTION)
    code, output, complaint = commanded(
        "load", "twin", "--param", "people=4", "--to", own_db.dsn, "--library", str(shelf), "--json"
    )
    assert code == 0, complaint
    assert [person["handle"] for person in json.loads(output)["people"]] == ["u1", "u2", "u3", "u4"]
    Library(shelf)["twin"].load(own_db, as_name="again", people=1)
    (shelf / "dev_coach" / "twin.py").unlink()
    assert [record.template["parameters"]["people"] for record in instances(own_db)] == [4, 1]
    before = people(own_db)
    with own_db.connect() as conn:
        conn.execute("DELETE FROM users_user WHERE first_name IN ('U2', 'U4')")
        conn.execute("UPDATE user_notes_usernote SET note = 'x'")
    for name in ("twin", "again"):
        opened = open_instance(own_db, name)
        opened.reset()
        assert opened["u1"].id
    assert people(own_db) == before
    assert open_instance(own_db, "twin").unload().rows["users_user"] == 4
    assert open_instance(own_db, "again").unload().rows["users_user"] == 1


def test_a_builder_takes_parameters(tmp_path, own_db):
    library = Library(shelf_with(tmp_path, built_py=BUILT))
    assert library["built"].load(own_db, identities=5).counts["identities_identity"] == 5
    assert library["built"].load(own_db).counts["identities_identity"] == 3
    open_instance(own_db, "built").reset()
    assert open_instance(own_db, "built").counts["identities_identity"] == 5


def test_what_is_said_behind_a_plus_sign_is_kept(tmp_path, own_db):
    text = (
        "from scenarios.builders.dev_coach import a_scenario\nfrom scenarios.library import scenario\n\n\n"
        "@scenario\ndef plus():\n    return (a_scenario('plus').user('ada', email='ada+work@example.com')"
        ".user('eve', email='ada+home@example.com').user('maya', username='maya-plus-one'))\n"
    )
    library = Library(shelf_with(tmp_path, plus_py=text))
    library["plus"].load(own_db)
    library["plus"].load(own_db, as_name="second")
    with own_db.connect() as conn:
        found = conn.execute("SELECT email, username FROM users_user ORDER BY created_at, email").fetchall()
    said = {email for email, _ in found}
    assert {"ada+work+plus@example.com", "ada+home+plus@example.com"} < said
    assert {"ada+work+second@example.com", "ada+home+second@example.com"} < said
    # What the builder made up bears the instance's name once.
    assert {email.partition("@")[0].count("+") for email in said if email.startswith("maya")} == {1}
    assert {name for _, name in found if name} == {"maya-plus-one-plus", "maya-plus-one-second"}


def test_a_function_is_called_once_for_the_same_values_and_entered_by_snapshot(tmp_path, own_db):
    library = Library(shelf_with(tmp_path, built_py=BUILT))
    assert library["built"] is library["built"]
    first = library["built"].enter(own_db, identities=4)
    assert library["built"].enter(own_db, identities=4) is first
    assert library["built"].enter(own_db) is not first
    path = library.roots[0] / "dev_coach" / "built.py"
    path.write_text(BUILT.replace('"Maya"', '"Mia"'), "utf-8")
    assert library["built"].plan().by_handle["maya"].values["first_name"] == "Mia"


def test_listing_imports_each_file_with_a_scenario_once(tmp_path):
    loud = (
        "import pathlib\nwith pathlib.Path(__file__).with_suffix('.log').open('a') as log: log.write('x')\n"
    )
    shelf = shelf_with(tmp_path, loud_py=loud + FUNCTION, helper_py=loud)
    for _ in range(2):
        library = Library(shelf)
        assert [entry.name for entry in library.entries()] == ["twin"]
        library["twin"].plan()
    inside = shelf / "dev_coach"
    assert (inside / "loud.log").read_text() == "x"
    assert not (inside / "helper.log").exists(), "a file without a scenario is nobody's to run"
    (inside / "loud.py").write_text(loud + FUNCTION.replace("As many", "So many"), "utf-8")
    assert Library(shelf).entries()[0].head.title == "So many as one likes"


def test_listing_what_comes_with_the_package_imports_no_model():
    code = (
        "import sys\nfrom scenarios.library.library import Library\n"
        "assert len(Library().entries()) > 9\n"
        "print(sorted({'sqlalchemy', 'faker', 'psycopg'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def project(directory: Path, files: dict[str, str]) -> Path:
    """Write a project whose library is ``shelf``."""
    for name, text in {"pyproject.toml": "[tool.scenarios]\nlibrary = ['shelf']\n", **files}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return directory


def script(*arguments: str) -> tuple[int, str]:
    """Run the installed command, which begins with no directory of the project on the path."""
    command = [str(Path(sys.executable).with_name("scenarios")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def a_file(module: str, name: str = "ours") -> str:
    return (
        f"from scenarios.library import scenario\nfrom {module} import PEOPLE\n\n\n"
        f"@scenario(system='dev_coach')\ndef {name}(n: int = PEOPLE):\n"
        f"    from {module} import late\n    return late(n)\n"
    )


COUNTS = "PEOPLE = 2\n\n\ndef late(n):\n    return {'users': {f'u{i}': {} for i in range(n)}}\n"


@pytest.mark.parametrize("where", [".", "deep/below"])
def test_what_lies_beside_pyproject_is_imported_by_every_command(tmp_path, monkeypatch, where):
    files = {"ours/counts.py": COUNTS, "ours/__init__.py": "", "shelf/py.py": a_file("ours.counts")}
    home = project(tmp_path, files)
    (home / where).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(home / where)
    for arguments, said in ((["list"], "ours"), (["show", "ours"], "u1"), (["check", "ours"], "0 errors")):
        code, output = script(*arguments)
        assert code == 0, output
        assert said in output
    code = "from scenarios.library import Library\nprint(len(Library()['ours'].plan().rows))"
    inside = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (inside.stdout, inside.stderr) == ("4\n", "")


@pytest.mark.parametrize(
    "name",
    [
        "scenarios/__init__.py",
        *(
            pytest.param(name, marks=pytest.mark.thorough("three starts of the command"))
            for name in ("scenarios/counts.py", "scenarios.py")
        ),
    ],
)
def test_a_project_that_has_the_name_of_this_package_is_told_so(tmp_path, monkeypatch, name):
    files = {
        name: COUNTS,
        "shelf/py.py": a_file("scenarios.counts"),
        "shelf/fine.yaml": "scenario: fine\nsystem: dev_coach\n",
    }
    home = project(tmp_path, files)
    monkeypatch.chdir(home)
    code, output = script("check")
    assert code == 1
    assert "py.py:2" in output
    assert "has the name of this package" in " ".join(output.split())
    code, output = script("list", "--json")
    listed = {each["name"]: each["errors"] for each in json.loads(output)}
    assert listed["fine"] == [], "one file's error hides no other"
    assert "give it another name" in listed["ours"][0]["hint"]
    text = "[tool.scenarios]\nschema = 'scenarios.counts:Base'\nlibrary = ['shelf']\n"
    (home / "pyproject.toml").write_text(text, "utf-8")
    (home / "shelf" / "mine.yaml").write_text("scenario: mine\n", "utf-8")
    code, output = script("show", "mine")
    assert code != 0
    assert "has the name of this package" in " ".join(output.split())


def test_a_module_that_is_nowhere_is_told_with_line_and_place(tmp_path):
    module = "nowhere_at_all"
    files = {"shelf/py.py": a_file(module), "shelf/more.py": a_file(module, "more")}
    home = project(tmp_path, files)
    library = Library(home / "shelf", settings=Settings(project=home))
    entries = {entry.name: entry for entry in library.entries()}
    for name in ("ours", "more"):
        (error,) = entries[name].errors.found
        assert error.place.line == 2
        assert "ModuleNotFoundError: No module named 'nowhere_at_all'" in error.what
        assert str(home) in error.hint


def test_a_clock_of_the_function_moves_what_was_built(tmp_path):
    text = BUILT.replace('owner="platform"', 'owner="platform", clock="now"')
    library = Library(shelf_with(tmp_path, built_py=text))
    from datetime import UTC, datetime, timedelta

    plan = library["built"].plan()
    assert abs(datetime.now(UTC) - plan.anchor) < timedelta(minutes=2)
    usual = Library(shelf_with(tmp_path / "usual", built_py=BUILT))["built"].plan()
    for row, other in zip(plan.rows, usual.rows, strict=True):
        for name, value in row.values.items():
            if isinstance(value, datetime):
                assert value - plan.anchor == other.values[name] - usual.anchor


MODELS = """\
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    books: Mapped[list["Book"]] = relationship(back_populates="author")


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    title: Mapped[str]
    author: Mapped[Author] = relationship(back_populates="books")
"""


def test_objects_of_a_projects_models_are_rows(fresh_db, tmp_path, monkeypatch):
    (tmp_path / "bookish.py").write_text(MODELS, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    bookish = import_module("bookish")
    bookish.Base.metadata.create_all(fresh_db.engine)
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "shelf.py").write_text(
        "from bookish import Author, Book\nfrom scenarios.library import scenario\n\n\n"
        "@scenario\ndef a_shelf(books: int = 2):\n"
        "    ada = Author(name='Ada')\n"
        "    volumes = {f'volume{n}': Book(author=ada, title=f'Volume {n}') for n in range(books)}\n"
        "    return {'ada': ada, **volumes}\n"
        "\n\n@scenario\ndef listed():\n"
        "    return [Author(name='Noor', books=[Book(title='One'), Book(title='Two')])]\n",
        "utf-8",
    )
    project = Sections(
        Domain("project", "the project", bookish.Base.metadata, lambda: ""), classes=mappers_of(bookish.Base)
    )
    library = Library(shelf, project=project)
    instance = library["a_shelf"].load(fresh_db, books=3)
    assert instance.counts == {"author": 1, "book": 3}
    assert instance["volume2"].author_id == instance["ada"].id
    assert isinstance(instance["ada"], bookish.Author)
    listed = library["listed"].load(fresh_db)
    assert listed.counts == {"author": 1, "book": 2}
    with fresh_db.connect() as conn:
        conn.execute("UPDATE book SET title = 'x'")
        instance.reset(connection=conn)
        titles = conn.execute("SELECT title FROM book ORDER BY id").fetchall()
    assert [title for (title,) in titles] == ["Volume 0", "Volume 1", "Volume 2", "x", "x"]
    monkeypatch.delitem(sys.modules, "bookish")


# -- part of others ------------------------------------------------------------------------------------


def test_a_file_continues_and_includes_a_function(tmp_path, own_db):
    library = Library(
        shelf_with(
            tmp_path,
            built_py=BUILT,
            more_yaml="scenario: more\nextends: built\nparameters: {identities: 5}\n"
            "users: {maya: {last_name: Extra, notes: ['${identities} of them']}, omar: {}}\n",
            both_yaml="scenario: both\ninclude:\n  - {scenario: built, rename: {maya: mia}, "
            "parameters: {identities: 7}}\n  - built\n",
            over_py="from scenarios.library import scenario\n\n\n@scenario\ndef over(n: int = 1):\n"
            "    return {'extends': 'more', 'users': {f'extra{i}': {} for i in range(n)}}\n",
        )
    )

    def identities(plan: Any) -> dict[str, int]:
        found: dict[str, int] = {}
        for row in plan.of("identities_identity"):
            found[row.root.handle] = found.get(row.root.handle, 0) + 1
        return found

    more = library["more"]
    assert identities(more.plan()) == {"maya": 5}
    assert identities(more.plan(parameters={"identities": 8})) == {"maya": 8}
    assert more.plan().by_handle["maya"].values["last_name"] == "Extra"
    instance = more.load(own_db, identities=6)
    assert instance.plan.of("user_notes_usernote")[0].values["note"] == "6 of them"
    open_instance(own_db, "more").reset()
    assert identities(library["both"].plan()) == {"mia": 7, "maya": 3}
    assert identities(library["both"].plan(parameters={"identities": 4})) == {"mia": 7, "maya": 4}
    assert set(library["both"].head.parameters) == {"identities", "broken"}
    over = library["over"].plan(parameters={"n": 2, "identities": 4})
    assert identities(over) == {"maya": 4}
    assert {"omar", "extra0", "extra1"} < {row.handle for row in over.rows if row.parent is None}
    with pytest.raises(InvalidScenario, match=r"on purpose(.|\n)*built\.py:14"):
        more.plan(parameters={"broken": True})
    # What a part is made of counts for what is kept.
    path = library.roots[0] / "dev_coach" / "built.py"
    path.write_text(BUILT.replace("turns=4", "turns=6"), "utf-8")
    assert len(library["more"].plan().of("chat_messages_chatmessage")) == 6


def test_a_circle_through_a_function_is_told(tmp_path):
    library = Library(
        shelf_with(
            tmp_path,
            a_py="from scenarios.library import scenario\n\n\n"
            "@scenario()\ndef a():\n    return {'extends': 'b'}\n",
            b_yaml="scenario: b\nextends: a\n",
        )
    )
    for name in ("a", "b"):
        with pytest.raises(InvalidScenario, match="made of itself"):
            library[name]


@pytest.mark.parametrize("given", ["{identities: 2}", "{identitys: 4}", "{identities: many}"])
def test_a_wrong_parameter_of_an_included_function_is_told_where_it_is_given(tmp_path, given):
    library = Library(
        shelf_with(
            tmp_path,
            built_py=BUILT,
            user_yaml=f"scenario: user\ninclude: [{{scenario: built, parameters: {given}}}]\n",
        )
    )
    with pytest.raises(InvalidScenario, match=r"user\.yaml:2"):
        library["user"]


# -- what is wrong -------------------------------------------------------------------------------------

HEAD = "from scenarios.library import scenario\nfrom typing import *\nfrom annotated_types import *\n"
WRONG = [
    ("def f(n): ...", 5, "parameters.n: the parameter has no default"),
    ("def f(*, n): ...", 5, "parameters.n: the parameter has no default"),
    ("def f(*n): ...", 5, r"\*n cannot be a parameter"),
    ("def f(**n): ...", 5, r"\*\*n cannot be a parameter"),
    ("def f(n=1, /): ...", 5, "given by name"),
    ("async def f(): ...", 5, "this one is async"),
    ("def f(n: int = 'x'): ...", 5, "'x' is not of type integer"),
    ("def f(n: bool = 1): ...", 5, "1 is not of type boolean"),
    ("def f(n=None): ...", 5, "None is not of type text"),
    ("def f(n: int | None = None): ...", 5, r"int \| None is not a type of a parameter"),
    ("def f(n: Optional[int] = 3): ...", 5, r"Optional\[int\] is not a type"),
    ("def f(n: list[int] = []): ...", 5, r"list\[int\] is not a type"),
    ("def f(n: object = 1): ...", 5, "object is not a type"),
    ("def f(n: elsewhere.Kind = 1): ...", 5, "cannot import the scenarios: NameError: name 'elsewhere'"),
    ("def f(n: 'elsewhere.Kind' = 1): ...", 5, "elsewhere.Kind cannot be evaluated: name"),
    ("def f(n: int = print()): ...", 5, "None is not of type integer"),
    ("def f(n: int = UNKNOWN): ...", 5, "cannot import the scenarios: NameError: name 'UNKNOWN'"),
    ("def f(n: Literal['a', 1] = 'a'): ...", 5, "choices are texts, or numbers"),
    ("def f(n: Literal['a', 'b'] = 'c'): ...", 5, "'c' is not one of its choices"),
    ("def f(n: Annotated[int, Ge(5)] = 3): ...", 5, "3 is out of bounds"),
    ("def f(n: Annotated[int, Ge(5), Le(2)] = 3): ...", 5, "the least value 5 is above the greatest, 2"),
    ("def f(n: Annotated[float, Gt(0)] = 3.5): ...", 5, "for whole numbers"),
    ("def f(n: Annotated[int, MultipleOf(2)] = 4): ...", 5, "MultipleOf cannot be said"),
    ("def f(n: Annotated[int, Ge(len('xxxxx'))] = 4): ...", 5, "4 is out of bounds"),
    ("def f(now: int = 4): ...", 5, "'now' is an option of load"),
    (
        "def f(n: int = 4):\n    '''T.\n\n    Args:\n        m: x\n    '''",
        6,
        "describes 'm', which is no argument",
    ),
    ("def F(): ...", 5, "'F' is not a scenario's name"),
    ("def f():\n    return 5", 5, "f returns int"),
    ("def f():\n    return {'clock': 'now', 'users': {}}", 5, "'clock' belongs to the function"),
    ("def f():\n    return {'parameters': {'n': 1}}", 5, "make them the function's arguments"),
    ("def f():\n    return {'usrs': {}}", 5, "did you mean users"),
    ("def f():\n    x = 1\n    return x / 0", 7, "f failed: ZeroDivisionError: division by zero"),
    ("def f():\n    raise SystemExit(3)", 6, "f failed: SystemExit: 3"),
    ("def f():\n    return inner()\ndef inner():\n    return {}['k']", 8, "f failed: KeyError: 'k'"),
    ("def f(): ...\nimport nothing_of_that_name", 6, "cannot import the scenarios: ModuleNotFoundError"),
    ("def f(): ...\ndel f", 5, "f is no function when the file is run"),
    ("def f(:", 5, "this is not Python"),
]


@pytest.mark.parametrize(("function", "line", "what"), WRONG)
def test_what_is_wrong_is_told_with_its_line(tmp_path, function, line, what):
    library = Library(shelf_with(tmp_path, f_py=f"{HEAD}@scenario(tags=['x'])\n{function}"))
    name = next(iter(library))
    with pytest.raises(InvalidScenario) as caught:
        library[name]
    told = [f"{error.path}: {error.what}; {error.hint}" for error in caught.value.errors]
    assert any(re.search(what, each) for each in told), told
    found = next(
        error for error in caught.value.errors if re.search(what, f"{error.path}: {error.what}; {error.hint}")
    )
    assert found.place.line == line, found
    assert found.place.file.endswith("f.py")
    report = check_library(library)
    assert caught.value.errors[0] in report.errors
    assert len(library.entries()) == 1


@pytest.mark.parametrize(
    ("argument", "what"),
    [
        ("tag=['x']", "did you mean tags"),
        ("tags='x'", "has to be a list"),
        ("version=0", "whole number from 1"),
        ("clock='soon'", "is not a moment"),
        ("clock={'weekday': 'someday'}", "is not a weekday"),
        ("'f'", "named arguments only"),
        ("**options", "did you mean version"),
        ("system='dev_choach'", "did you mean dev_coach"),
    ],
)
def test_a_wrong_mark_is_told_with_its_line(tmp_path, argument, what):
    text = f"{HEAD}options = {{'versoin': 2}}\n\n\n@scenario({argument})\ndef f(): return {{}}\n"
    library = Library(shelf_with(tmp_path, f_py=text))
    with pytest.raises(InvalidScenario, match=what) as caught:
        library["f"]
    assert {error.place.line for error in caught.value.errors} == {7}


def test_a_refusal_of_the_builder_names_the_line_that_said_it(tmp_path):
    text = BUILT.replace(".conversation(turns=4)", ".conversation(turns=4)\n        .says(' ')")
    library = Library(shelf_with(tmp_path, built_py=text))
    with pytest.raises(InvalidScenario) as caught:
        library["built"]
    (error,) = caught.value.errors
    assert text.splitlines()[error.place.line - 1].strip() == ".says(' ')"


def test_a_file_that_is_no_python_stands_in_the_catalogue_with_its_fault(tmp_path):
    shelf = shelf_with(tmp_path, good_yaml="scenario: good\n", half_py="@scenario()\ndef half(\n")
    entries = {entry.name: entry.as_dict()["errors"] for entry in Library(shelf).entries()}
    assert entries["good"] == []
    assert "this is not Python" in entries["half"][0]["what"]
    assert [error.place.line for error in check_library(Library(shelf)).errors] == [2]


def test_two_scenarios_of_one_name_are_found_by_check(tmp_path):
    shelf = shelf_with(tmp_path, built_yaml="scenario: built\n", other_py=BUILT)
    (error,) = check_library(Library(shelf)).errors
    assert "built.yaml already" in error.what
    assert error.place.file.endswith("other.py")


def test_a_path_names_the_only_function_of_its_file(tmp_path):
    shelf = shelf_with(tmp_path, other_py=BUILT, two_py=FUNCTION + FUNCTION.replace("def twin", "def twin2"))
    library = Library(shelf)
    assert library.find(str(shelf / "dev_coach" / "other.py")).name == "built"
    with pytest.raises(LibraryError, match=r"2 functions(.|\n)*twin, twin2"):
        library.find(str(shelf / "dev_coach" / "two.py"))
    with pytest.raises(LibraryError, match="no such scenario file"):
        library.find(str(shelf / "nowhere.py"))


def test_other_settings_reach_what_is_built(tmp_path):
    shelf = shelf_with(tmp_path, built_py=BUILT)
    names = {
        Library(shelf, settings=Settings({"seed": seed, "locale": locale}))["built"]
        .plan()
        .by_handle["maya"]
        .values["last_name"]
        for seed, locale in (("a", "en_US"), ("b", "en_US"), ("a", "de_DE"))
    }
    assert len(names) == 3
