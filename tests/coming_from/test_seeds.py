"""Seed files of sqlalchemyseed: what they load there and what their scenario loads here is the same."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml
from seed_models import Base
from sqlalchemy.orm import Session
from sqlalchemyseed import HybridSeeder, Seeder
from sqlalchemyseed.loader import load_path

from forks import run_module
from scenarios.coming_from.sqlalchemyseed import convert
from scenarios.errors import LibraryError
from scenarios.library import InvalidScenario, Library
from scenarios.projects import project_sections

HERE = Path(__file__).parent

COMPANIES = """\
- model: seed_models.Country
  data: [{code: GB, name: Britain}, {code: US, name: "${America}"}]
- model: seed_models.Company
  data:
    - name: Analytical Engines
      country_code: GB
      "!people":
        - model: seed_models.Engineer
          data: {name: " Ada ", born: 1815-12-10, tool: cards, grade: senior, extra: {a: "${x}", b: [null]}}
        - data:
            - {name: Charles, pay: "12.50", starts: "09:30:00", floor: 0}
            - {name: Joe, active: no, hired: "2024-05-01 10:00:00+02:00", rate: 1.5, photo: !!binary aGV5}
    - name: Difference Engines
      "!country": {filter: {code: GB}}
"""
PEOPLE = """\
[
  {"model": "seed_models.Skill", "data": [{"name": "Sums"}, {"name": "Ships \\ud83d\\ude00"}]},
  {"model": "seed_models.Person", "data": [
    {"name": "Grace", "!company": {"filter": {"name": "Difference Engines"}},
     "!skills": [{"filter": {"name": "Sums"}}, {"data": [{"name": "Tables"}, {"name": "Ships"}]}],
     "!boss": {"filter": {"name": "Ada"}}},
    {"name": "Grace", "!company_id": {"filter": {"name": "Analytical Engines"}}}
  ]},
  {"model": "seed_models.Company", "filter": {"name": "Difference Engines"}}
]
"""


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))


def files(tmp_path: Path, **contents: str) -> list[Path]:
    found = []
    for name, text in contents.items():
        path = tmp_path / name.replace("_", ".")
        path.write_text(text, "utf-8")
        found.append(path)
    return found


def loaded_there(server, paths, *, seeder=HybridSeeder, model=None):
    with server.database(Base.metadata) as db:
        with Session(db.engine) as session:
            hybrid = seeder(session)
            for path in paths:
                hybrid.seed(load_path(path, model))
            session.commit()
        return content(db)


def loaded_here(server, tmp_path, text):
    (tmp_path / "states").mkdir()
    (tmp_path / "states" / "seeds.yaml").write_text(text, "utf-8")
    sections = project_sections(Base, lambda: pytest.fail("the models say all"))
    with server.database(Base.metadata) as db:
        Library(tmp_path / "states", project=sections)["seeds"].load(db)
        return content(db)


def content(db):
    """Every row, with what it refers to in place of keys, which each loading counts anew."""
    with db.engine.connect() as connection:
        rows = {
            table.name: connection.execute(table.select()).mappings().all()
            for table in Base.metadata.sorted_tables
        }

    def said(table, row):
        found = []
        for column in table.columns:
            value = row[column.name]
            key = next(iter(column.foreign_keys), None)
            if key is not None and value is not None:
                other = key.column.table
                value = next(said(other, each) for each in rows[other.name] if each[key.column.name] == value)
            elif column.primary_key and isinstance(column.type, sa.Integer | sa.Uuid):
                continue
            found.append((column.name, str(value)))
        return tuple(found)

    return {
        table.name: sorted(said(table, row) for row in rows[table.name])
        for table in Base.metadata.sorted_tables
    }


def test_nested_and_filtered_rows_are_the_same_rows(server, tmp_path):
    paths = files(tmp_path, companies_yaml=COMPANIES, people_json=PEOPLE.replace("  ", "\t"))
    made = convert(paths, name="seeds")
    there, here = loaded_there(server, paths), loaded_here(server, tmp_path, made.text)
    assert here == there
    assert {table: len(rows) for table, rows in there.items()} == made.rows
    assert made.rows["person"] == 5
    rows = yaml.safe_load(made.text)["rows"]
    assert rows["person"]["grace"] == {
        "kind": "person",
        "name": "Grace",
        "company": "difference_engines",
        "boss": "ada",
    }, "rows are named by what they hold, and refer to each other by name"
    assert "grace_2" in rows["person"]
    assert {"person": "grace", "skill": "sums"} in rows["person_skill"]


def test_the_basic_seeders_files_and_csv(server, tmp_path):
    (people,) = files(tmp_path, people_csv='name, pay,floor\nAda,12.5, 2\n"Grace, H.",7,11\n')
    made = convert([people], name="seeds", model="seed_models.Person")
    there = loaded_there(server, [people], seeder=Seeder, model="seed_models.Person")
    assert loaded_here(server, tmp_path, made.text) == there
    assert len(there["person"]) == 2


def test_a_reference_prefix_of_ones_own_and_a_directory_in_its_order(tmp_path):
    files(
        tmp_path,
        b_yaml='{model: seed_models.Person, data: {name: Ada, "@company": {filter: {name: X}}}}',
        a_yaml="{model: seed_models.Company, data: {name: X}}",
    )
    made = convert([tmp_path], name="seeds", prefix="@")
    assert yaml.safe_load(made.text)["rows"]["person"]["ada"]["company"] == "x"


def test_keys_become_names(server, tmp_path):
    paths = files(
        tmp_path,
        seeds_yaml="""\
        - {model: seed_models.Company, data: {id: 7, name: Seven}}
        - {model: seed_models.Person, data: [{name: Ada, company_id: 7}]}
        """,
    )
    made = convert(paths, name="seeds")
    assert yaml.safe_load(made.text)["rows"]["person"]["ada"]["company"] == "seven"
    assert made.notes == ("company.id is left out: a load makes the keys, and references go by handle",)
    assert loaded_here(server, tmp_path, made.text) == loaded_there(server, paths)


def test_a_row_that_the_database_has_is_named_by_its_key(tmp_path):
    paths = files(
        tmp_path,
        a_yaml="""\
        - model: seed_models.Company
          data: [{name: A, country_code: FR}, {name: B, "!country": {filter: {code: DE}}}]
        """,
    )
    rows = yaml.safe_load(convert(paths, name="seeds").text)["rows"]["company"]
    assert [row["country_code"] for row in rows.values()] == [{"key": "FR"}, {"key": "DE"}]


WRONG = """\
- model: seed_models.Person
  data:
    - {name: Ada, "!company": {filter: {name: Nowhere}}}
    - {name: "", floor: 1}
    - {name: Bob, nam: x}
    - {name: Cy, company: {data: {name: X}}}
    - {name: Di, "!compani": {data: {name: X}}}
    - {name: Ed, "!company_id": {data: {name: X}}}
    - {name: Flo, "!company": [{data: {name: X}}, {data: {name: Y}}]}
    - {name: Gus, hired: soon}
    - {name: Hal, floor: high}
    - {name: Ike, photo: text}
    - {name: Jo, grade: boss}
    - {name: Kay, "!company": {filter: {nam: X}}}
- model: seed_models.Persn
  data: {name: Zoe}
- model: seed_models.HERE
  data: {name: Zoe}
- {data: {name: Zoe}}
- {model: seed_models.Person, data: {name: Zoe}, filter: {name: Zoe}}
- {model: seed_models.Person, dta: {name: Zoe}}
- {model: seed_models.Person, data: []}
- {model: seed_models.Person, data: [Zoe]}
- 7
- {model: seed_models.Person, filter: {grade: junior}}
- {model: seed_models.Company, filter: {}}
"""


def test_what_cannot_be_said_is_told_with_its_place_and_all_at_once(tmp_path):
    (path,) = files(tmp_path, wrong_yaml=WRONG)
    with pytest.raises(InvalidScenario) as caught:
        convert([path], name="seeds")
    found = {(error.place.line, error.path): error.what for error in caught.value.errors}
    wanted = {
        (3, "[0].data[0].!company.filter"): "no row of Company before this one has name='Nowhere'",
        (4, "[0].data[1]"): "Person refuses this: a person has a name",
        (5, "[0].data[2]"): "Person refuses this: 'nam' is an invalid keyword argument for Person",
        (
            6,
            "[0].data[3].company",
        ): "company is a relationship, which sqlalchemyseed leaves out with a warning",
        (7, "[0].data[4].!compani"): "Person has no relationship or foreign key 'compani'",
        (8, "[0].data[5].!company_id.data"): "data cannot be the value of a column",
        (9, "[0].data[6].!company"): "company holds one row, here are 2",
        (10, "[0].data[7].hired"): "person.hired cannot be 'soon': write a moment in ISO 8601",
        (11, "[0].data[8].floor"): "person.floor cannot be 'high'",
        (
            12,
            "[0].data[9].photo",
        ): "person.photo cannot be 'text': the column holds bytes, write !!binary in YAML",
        (13, "[0].data[10].grade"): "'boss' is not a known grade",
        (14, "[0].data[11].!company.filter.nam"): "Company has no attribute 'nam'",
        (15, "[1].model"): "the model 'seed_models.Persn' cannot be imported",
        (17, "[2].model"): "the model 'seed_models.HERE' cannot be imported",
        (19, "[3]"): "the entity has no model",
        (20, "[4]"): "an entity has either data or filter, this has data and filter",
        (21, "[5].dta"): "an entity has no 'dta'",
        (22, "[6].data"): "data is empty",
        (23, "[7].data[0]"): "a row is a mapping of attributes",
        (24, "[8]"): "an entity is a mapping with model, data, filter",
        (26, "[10].filter"): "2 rows of Company fit this filter",
    }
    for place, what in wanted.items():
        assert found.get(place, "").startswith(what), (place, what, found.get(place))


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("a.json", '{"model": ', "this is not JSON"),
        ("a.yaml", "a: [", "this is not YAML"),
        ("a.yaml", "- !!python/object:os.system {}", "this is not YAML"),
        ("a.yaml", "{model: seed_models.Person, data: {1: x}}", "the key 1 is no text"),
        ("a.csv", "name\nAda\n", "does not say what its rows are"),
        ("a.yaml", "", "there is no row in it"),
        ("a.json", "[[[{}]]]", "there is no row in it"),
    ],
)
def test_unreadable_files(tmp_path, name, text, what):
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(InvalidScenario, match="error") as caught:
        convert([tmp_path / name], name="seeds")
    assert what in str(caught.value)


def test_wrong_paths_and_names(tmp_path):
    with pytest.raises(LibraryError, match="no such seed file"):
        convert([tmp_path / "none.json"], name="seeds")
    (tmp_path / "a.txt").touch()
    with pytest.raises(LibraryError, match=r"a\.txt is no seed file"):
        convert([tmp_path / "a.txt"], name="seeds")
    with pytest.raises(LibraryError, match="holds no seed file"):
        convert([tmp_path], name="seeds")
    with pytest.raises(LibraryError, match="is not a scenario's name"):
        convert([tmp_path], name="My Seeds")


def test_the_command_imports_the_models_of_its_directory(tmp_path):
    (tmp_path / "seed_models.py").write_text((HERE / "seed_models.py").read_text("utf-8"), "utf-8")
    files(tmp_path, people_yaml='{model: seed_models.Person, data: [{id: 4, name: "Ada"}]}')

    def command(*arguments):
        env = {**os.environ, "COLUMNS": "120"}
        return run_module("scenarios", "import", *arguments, cwd=tmp_path, env=env)

    done = command("people.yaml", "--name", "team")
    assert (done.returncode, done.stdout) == (0, "team.yaml: 1 rows\n"), done.stderr
    assert command("people.yaml", "--name", "team").returncode == 1, "a file is not replaced unasked"
    done = command("people.yaml", "--name", "team", "--out", "states/team.yaml", "--json")
    assert json.loads(done.stdout)["rows"] == {"person": 1}
    assert "person.id is left out" in json.loads(done.stdout)["notes"][0]
    assert "ada: {kind: person, name: Ada}" in (tmp_path / "states" / "team.yaml").read_text("utf-8")


def test_references_by_two_columns_go_to_the_row_that_has_both(server, tmp_path):
    import seed_ledger

    paths = files(
        tmp_path,
        seeds_yaml="""\
        - model: seed_ledger.Customer
          data: [{id: 1, name: North}, {id: 2, name: South}]
        - model: seed_ledger.Invoice
          data:
            - {customer_id: 1, number: 1}
            - {customer_id: 2, number: 1}
            - {customer_id: 2, number: 2, "!payments": {data: {}}}
        - model: seed_ledger.Payment
          data: [{payer_id: 2, invoice_number: 1}, {payer_id: 1, invoice_number: 1}, {}]
        """,
    )
    made = convert(paths, name="seeds")
    (tmp_path / "states").mkdir()
    (tmp_path / "states" / "seeds.yaml").write_text(made.text, "utf-8")
    query = sa.text(
        "SELECT c.name, i.number FROM payment p JOIN invoice i"
        " ON i.customer_id = p.payer_id AND i.number = p.invoice_number"
        " JOIN customer c ON c.id = i.customer_id ORDER BY c.name, i.number"
    )
    found = []
    with server.database(seed_ledger.Base.metadata) as db:
        with Session(db.engine) as session:
            HybridSeeder(session).seed(load_path(paths[0]))
            session.commit()
        with db.engine.connect() as connection:
            found.append(connection.execute(query).all())
    sections = project_sections(seed_ledger.Base, lambda: pytest.fail("the models say all"))
    with server.database(seed_ledger.Base.metadata) as db:
        Library(tmp_path / "states", project=sections)["seeds"].load(db)
        with db.engine.connect() as connection:
            found.append(connection.execute(query).all())
    assert found[0] == found[1] == [("North", 1), ("South", 1), ("South", 2)], made.text
    payments = yaml.safe_load(made.text)["rows"]["payment"].values()
    for payment in payments:
        assert payment.get("payer") == payment.get("invoice_number"), "both name the same invoice"
