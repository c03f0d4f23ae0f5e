"""Two hundred files with something wrong: each a clean error with its line, and the database untouched."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from scenarios.cli.main import run
from scenarios.library import InvalidScenario, Library
from scenarios.library.files.error_list import ErrorList
from scenarios.library.files.tree import Branch, Leaf, Node, Series, read_tree
from scenarios.resources import resource
from scenarios.values import Seeded

HEAD = "scenario: wrong\nsystem: dev_coach\n"
USER = HEAD + "users:\n  a:\n"

BY_HAND: dict[str, tuple[str | bytes, int, str]] = {
    # what: (the file, the line of the error, a part of the message)
    "empty file": ("", 1, "empty"),
    "only a comment": ("# nothing\n", 1, "empty"),
    "a list": ("- a\n- b\n", 1, "a mapping"),
    "a word": ("hello\n", 1, "a mapping"),
    "not text": (b"scenario: \xff\xfe\n", 1, "UTF-8"),
    "latin 1": ("scenario: wrong\ntitle: Zoë\n".encode("latin-1"), 2, "UTF-8"),
    "a control character": ("scenario: wrong\ntitle: \x07\n", 2, "does not allow"),
    "a tab": (HEAD + "users:\n\ta: {}\n", 4, "tabs"),
    "an unclosed quote": (HEAD + 'title: "open\n', 3, "not YAML"),
    "an unclosed bracket": (HEAD + "tags: [a, b\nusers: {}\n", 4, "not YAML"),
    "a colon in a text": (HEAD + "title: one: two\n", 3, "quote a text"),
    "bad indentation": (USER + "    first_name: A\n   last_name: B\n", 6, "not YAML"),
    "two documents": (HEAD + "---\nscenario: other\n", 3, "second document"),
    "an anchor": (HEAD + "users: &everybody {}\n", 3, "anchors"),
    "an alias": (HEAD + "title: *x\n", 3, "anchors"),
    "a tag": (HEAD + "title: !!python/name:os.system x\n", 3, "no meaning"),
    "a key twice": (HEAD + "title: a\ntitle: b\n", 4, "second time"),
    "a user twice": (HEAD + "users:\n  a: {}\n  a: {}\n", 5, "second time"),
    "no name": ("system: dev_coach\n", 1, "no name"),
    "another name": ("scenario: other\nsystem: dev_coach\n", 1, "called"),
    "a name with spaces": ("scenario: My Scenario\nsystem: dev_coach\n", 1, "lower-case"),
    "a number as name": ("scenario: 12\nsystem: dev_coach\n", 1, "lower-case"),
    "an unknown system": ("scenario: wrong\nsystem: dev_couch\n", 2, "did you mean dev_coach"),
    "a key of no meaning": (HEAD + "user:\n  a: {}\n", 3, "did you mean users"),
    "tags as text": (HEAD + "tags: one\n", 3, "has to be a list"),
    "version zero": (HEAD + "version: 0\n", 3, "from 1"),
    "a title that is none": (HEAD + "title: 5\n", 3, "in quotes"),
    "a clock that is none": (HEAD + "clock: tomorrow\n", 3, "not a moment"),
    "a weekday that is none": (HEAD + "clock: {weekday: mondey}\n", 3, "did you mean monday"),
    "a time of day that is none": (HEAD + 'clock: {time: "25:00"}\n', 3, "time of day"),
    "a clock with more": (HEAD + "clock: {ancor: now}\n", 3, "did you mean anchor"),
    "a parameter without default": (HEAD + "parameters:\n  n: {type: integer}\n", 4, "no default"),
    "a parameter of no type": (HEAD + "parameters:\n  n: {type: int, default: 1}\n", 4, "not a type"),
    "a default out of bounds": (HEAD + "parameters:\n  n: {default: 9, max: 5}\n", 4, "out of bounds"),
    "bounds upside down": (
        HEAD + "parameters:\n  n: {default: 3, min: 5, max: 1}\n",
        4,
        "above the greatest",
    ),
    "a misspelt parameter key": (HEAD + "parameters:\n  n: {defualt: 3}\n", 4, "did you mean default"),
    "an unknown parameter": (USER + "    first_name: ${nmae}\n", 5, "not a parameter"),
    "an unclosed hole": (USER + "    first_name: ${nmae\n", 5, "neither a parameter nor"),
    "extends nothing": (HEAD + "extends: refinement_in_progres\n", 3, "did you mean"),
    "extends itself": (HEAD + "extends: wrong\n", 3, "made of itself"),
    "includes nothing": (HEAD + "include: [nowhere]\n", 3, "no scenario"),
    "removes nothing": (HEAD + "remove: [users.b]\nusers: {a: {}}\n", 3, "there is no"),
    "users as list": (HEAD + "users: [a, b]\n", 3, "by handle"),
    "a handle with a space": (HEAD + "users:\n  a b: {}\n", 4, "not a handle"),
    "a handle of digits": (HEAD + "users:\n  1: {}\n", 4, "not a handle"),
    "a user that is a text": (HEAD + "users:\n  a: Anna\n", 4, "a mapping"),
    "a misspelt column": (USER + "    frist_name: A\n", 5, "did you mean first_name"),
    "a number as text": (USER + "    first_name: 5\n", 5, "in quotes"),
    "a text that is too long": (USER + f"    first_name: {'x' * 151}\n", 5, "holds 150"),
    "a text as truth": (USER + "    is_staff: yes\n", 5, "write true"),
    "a date as time": (USER + "    created_at: 5\n", 5, "a time"),
    "a time in words": (USER + "    created_at: yesterday\n", 5, "not a time"),
    "a day that never was": (USER + "    created_at: 2025-02-30T00:00\n", 5, "not a moment"),
    "a time outside the calendar": (USER + "    created_at: -999999999d\n", 5, "calendar"),
    "a choice of another type": (
        HEAD + "parameters:\n  n: {type: integer, default: 1, choices: [1, b]}\nusers: {a: {}}\n",
        4,
        "n is a whole number",
    ),
    "a choice that is a list": (
        HEAD + "parameters:\n  n: {type: integer, default: 1, choices: [1, [2]]}\nusers: {a: {}}\n",
        4,
        "a choice is one value",
    ),
    "a moment outside the calendar": (USER + "    created_at: 9999-12-31T23:00-05:00\n", 5, "not a moment"),
    "a clock outside the calendar": (HEAD + "clock: 9999-12-31T23:00-05:00\nusers: {a: {}}\n", 3, "a moment"),
    "a weekday before the first": (
        HEAD + "clock: {anchor: 0001-01-02T00:00, weekday: sunday}\nusers: {a: {}}\n",
        3,
        "leaves the calendar",
    ),
    "what follows the last day": (
        HEAD
        + "clock: 9999-12-31T23:59:59Z\nusers:\n  a: {conversation: [{coach: Hi., at: now}, {user: Hi.}]}\n",
        5,
        "would be outside the calendar",
    ),
    "what comes before the first": (
        HEAD + "clock: 0001-01-01T00:00Z\nusers:\n  a: {}\n",
        5,
        "'date_joined' would be outside the calendar",
    ),
    "null where nothing may be": (USER + "    email: null\n", 5, "cannot be empty"),
    "a NUL": (USER + '    first_name: "a\\0b"\n', 5, "NUL"),
    "an unknown phase": (
        USER + "    state: {phase: IDENTITY_REFINMENT}\n",
        5,
        "did you mean IDENTITY_REFINEMENT",
    ),
    "an unknown question": (
        USER + "    state: {asked_questions: [HOBBIES]}\n",
        5,
        "did you mean HOBBIES_INTERESTS",
    ),
    "a list that is none": (USER + "    state: {who_you_are: me}\n", 5, "begin each element"),
    "an identity without category": (USER + "    identities:\n      x: {name: X}\n", 6, "lacks 'category'"),
    "a current identity nobody has": (
        USER + "    state: {current_identity: x}\n",
        5,
        "no identity has the handle",
    ),
    "somebody as identity": (
        HEAD + "users:\n  b: {}\n  a:\n    state: {current_identity: b}\n",
        6,
        "has to be a identity",
    ),
    "a handle taken twice": (
        USER + "    conversation:\n      - {coach: x, as: m}\n      - {user: y, as: m}\n",
        7,
        "is taken",
    ),
    "a turn nobody speaks": (USER + "    conversation:\n      - {text: x}\n", 6, "nobody speaks"),
    "a turn both speak": (
        USER + "    conversation:\n      - {coach: x, user: y}\n",
        6,
        "speaks in this turn already",
    ),
    "a pause with a text": (USER + "    conversation:\n      - {pause: 1d, coach: x}\n", 6, "stands alone"),
    "a pause that is none": (USER + "    conversation:\n      - pause: long\n", 6, "length of time"),
    "generate without number": (USER + "    conversation:\n      - generate: {}\n", 6, "lacks 'turns'"),
    "generate too much": (USER + "    conversation:\n      - generate: {turns: 0}\n", 6, "out of bounds"),
    "generate what is unknown": (
        USER + "    conversation:\n      - generate: {turn: 5}\n",
        6,
        "did you mean turns",
    ),
    "an action of no type": (
        USER + "    conversation:\n      - coach: x\n        actions: [{parameters: {}}]\n",
        7,
        "lacks 'type'",
    ),
    "JSON with a hole": (
        USER
        + "    conversation:\n      - coach: x\n"
        + "        actions: [{type: ADD_USER_NOTE, parameters: {id: '${b.id}'}}]\n",
        7,
        "nothing has the handle",
    ),
    "JSON without a number": (USER + "    state: {metadata: {a: .nan}}\n", 5, "no number"),
    "a session nobody holds": (
        USER + "    conversation:\n      - {coach: x, sessions: [first]}\n",
        6,
        "no session has",
    ),
    "a condition that is none": (USER + "    when: a b c\n", 5, "not a condition"),
    "a condition on nothing": (USER + "    when: n > 3\n", 5, "not a parameter"),
    "a table nobody has": (HEAD + "rows:\n  users_usr: {}\n", 4, "did you mean users_user"),
    "rows as list of words": (HEAD + "rows:\n  users_user: [a]\n", 4, "a mapping"),
    "an appended word": (USER + "    first_name+: x\n", 5, "only a list"),
    "too deep": (HEAD + "rows: " + "[" * 80 + "]" * 80 + "\n", 3, "deeper"),
}

SOURCES = [
    "refinement_in_progress",
    "edge_of_limits",
    "notes_and_actions",
    "phase_transitions",
    "prompt_versions",
]
MUTANTS = 135


def leaves(node: Node, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Leaf]]:
    if isinstance(node, Leaf):
        return [(path, node)]
    items = (
        node.items.items()
        if isinstance(node, Branch)
        else ((str(at), each) for at, each in enumerate(node.items))
    )
    return [leaf for key, item in items for leaf in leaves(item, (*path, key))]


def keys(node: Node, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Branch, str]]:
    if isinstance(node, Leaf):
        return []
    if isinstance(node, Series):
        return [found for at, item in enumerate(node.items) for found in keys(item, (*path, str(at)))]
    own = [((*path, key), node, key) for key in node.items]
    return own + [found for key, item in node.items.items() for found in keys(item, (*path, key))]


def at(text: str, line: int, column: int, old: str, new: str) -> str:
    lines = text.split("\n")
    row = lines[line - 1]
    assert row[column - 1 :].startswith(old), (row, old)
    lines[line - 1] = row[: column - 1] + new + row[column - 1 + len(old) :]
    return "\n".join(lines)


FREE = {"parameters", "metadata", "coaching_goals", "payload"}
"""Keys below which a file may say what it likes."""


def misspell_key(text: str, tree: Branch, pick: Callable[[list], object]) -> tuple[str, int]:
    found = [
        each
        for each in keys(tree)
        if not FREE & set(each[0]) and len(each[0]) != 2 and "sessions" not in each[0][:-1]
    ]
    found = [each for each in found if not (len(each[0]) > 2 and each[0][-2] == "identities")]
    _, branch, key = pick(found)
    place = branch.keys[key]
    return at(text, place.line, place.column, key, f"zz{key}"), place.line


def double_key(text: str, tree: Branch, pick: Callable[[list], object]) -> tuple[str, int]:
    _, branch, key = pick([each for each in keys(tree) if each[1] is tree])
    place = branch.keys[key]
    lines = text.rstrip("\n").split("\n")
    return "\n".join([*lines, f"{key}: x"]) + "\n", len(lines) + 1 if place.line else 0


def misspell_word(text: str, tree: Branch, pick: Callable[[list], object]) -> tuple[str, int]:
    found = [leaf for path, leaf in leaves(tree) if not FREE & set(path) and isinstance(leaf.value, str)]
    leaf = pick([each for each in found if each.plain and re.fullmatch(r"[A-Z]+(_[A-Z]+)+", each.value)])
    return at(text, leaf.place.line, leaf.place.column, leaf.value, f"{leaf.value}_X"), leaf.place.line


def break_time(text: str, tree: Branch, pick: Callable[[list], object]) -> tuple[str, int]:
    leaf = pick(
        [leaf for path, leaf in leaves(tree) if path[-1] in ("at", "created_at", "starts", "started_at")]
    )
    return at(text, leaf.place.line, leaf.place.column, leaf.value, "soon"), leaf.place.line


def nest(text: str, tree: Branch, pick: Callable[[list], object]) -> tuple[str, int]:
    found = [leaf for path, leaf in leaves(tree) if not FREE & set(path) and path[0] != "tags"]
    leaf = pick(
        [
            each
            for each in found
            if isinstance(each.value, str) and each.plain and each.value and each.place.line
        ]
    )
    found_line = text.split("\n")[leaf.place.line - 1]
    if not found_line[leaf.place.column - 1 :].startswith(leaf.value):
        return double_key(text, tree, pick)  # a folded text, which has no single place to change
    return at(text, leaf.place.line, leaf.place.column, leaf.value, "{a: {b: c}}"), leaf.place.line


OPERATORS = [misspell_key, double_key, misspell_word, break_time, nest]


def mutants() -> list[tuple[str, str, int]]:
    root = resource("scenario_library") / "dev_coach"
    found = []
    for number in range(MUTANTS):
        name = SOURCES[number % len(SOURCES)]
        operator = OPERATORS[number // len(SOURCES) % len(OPERATORS)]
        text = (root / f"{name}.yaml").read_text("utf-8").replace(f"scenario: {name}", "scenario: wrong", 1)
        tree = read_tree(text, name, ErrorList())
        assert tree is not None
        values = Seeded("mutants").at(str(number))
        wrong, line = operator(text, tree, lambda options, values=values: values.choice("which", options))
        assert wrong != text
        found.append((f"{operator.__name__} in {name}, {number}", wrong, line))
    return found


CASES = [(what, text, line, part) for what, (text, line, part) in BY_HAND.items()]
CASES += [(what, text, line, "") for what, text, line in mutants()]


def test_there_are_two_hundred():
    assert len(CASES) >= 200
    assert len({text for _, text, _, _ in CASES}) >= 195


@pytest.mark.parametrize(("what", "text", "line", "part"), CASES, ids=[case[0] for case in CASES])
def test_a_malformed_file_is_a_clean_error(what, text, line, part, shelf, capsys):
    path = shelf / "wrong.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidScenario) as caught:
        Library([shelf, resource("scenario_library")]).read(path)
    errors = caught.value.errors
    assert all(error.place.line >= 1 for error in errors)
    assert all(Path(error.place.file).name.endswith(".yaml") for error in errors)
    assert line in {error.place.line for error in errors}, [str(error) for error in errors]
    assert part in str(caught.value)

    with pytest.raises(SystemExit) as ended:
        run(["check", str(path), "--library", str(shelf), "--library", str(resource("scenario_library"))])
    printed = capsys.readouterr()
    assert ended.value.code == 1
    assert "Traceback" not in printed.out + printed.err
    assert f"wrong.yaml:{line}:" in printed.out


def test_loading_a_malformed_file_leaves_the_database_untouched(coach_db, shelf, capsys):
    before = coach_db.checksum()
    path = shelf / "wrong.yaml"
    for _, text, line, _ in CASES[:: max(1, len(CASES) // 40)]:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(SystemExit) as ended:
            run(["load", str(path), "--to", coach_db.dsn, "--library", str(shelf)])
        assert ended.value.code == 1
        assert f":{line}:" in capsys.readouterr().err
    assert coach_db.checksum() == before


def test_all_faults_are_told_at_once(shelf):
    path = shelf / "wrong.yaml"
    path.write_text(
        USER + "    frist_name: A\n    is_staff: 1\n    state: {phase: NOWHERE}\n    identities: {x: {}}\n",
        "utf-8",
    )
    with pytest.raises(InvalidScenario) as caught:
        Library(shelf)["wrong"]
    assert [error.place.line for error in caught.value.errors] == [5, 6, 7, 8]
    assert "4 errors; nothing was loaded" in str(caught.value)


def test_a_fault_in_an_extended_file_points_at_that_file(shelf):
    (shelf / "base.yaml").write_text("scenario: base\nusers:\n  a:\n    is_staff: perhaps\n", "utf-8")
    (shelf / "more.yaml").write_text("scenario: more\nextends: base\n", "utf-8")
    with pytest.raises(InvalidScenario) as caught:
        Library(shelf)["more"]
    (error,) = caught.value.errors
    assert Path(error.place.file).name == "base.yaml"
    assert (error.place.line, error.path) == (4, "users.a.is_staff")
