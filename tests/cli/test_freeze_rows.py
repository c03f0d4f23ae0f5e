"""Rows of any table out of a live database: complete, as far as was said, proven in an empty database."""

from __future__ import annotations

import json
import os

import pytest

from scenarios.cli.main import run

SQL = """
CREATE SEQUENCE film_numbers;
CREATE TABLE country (code char(2) PRIMARY KEY, name text NOT NULL);
CREATE TABLE store (id serial PRIMARY KEY, manager_id int, country char(2) NOT NULL REFERENCES country);
CREATE TABLE staff (id serial PRIMARY KEY, store_id int NOT NULL REFERENCES store, name text NOT NULL,
                    boss_id int REFERENCES staff);
ALTER TABLE store ADD FOREIGN KEY (manager_id) REFERENCES staff;
CREATE TABLE film (id int PRIMARY KEY DEFAULT nextval('film_numbers'), title text NOT NULL);
CREATE TABLE inventory (id serial PRIMARY KEY, film_id int NOT NULL REFERENCES film,
                        store_id int NOT NULL REFERENCES store);
CREATE TABLE customer (id serial PRIMARY KEY, store_id int NOT NULL REFERENCES store, name text NOT NULL,
                       email varchar(40) UNIQUE, born date);
CREATE TABLE rental (id serial PRIMARY KEY, customer_id int NOT NULL REFERENCES customer,
                     inventory_id int NOT NULL REFERENCES inventory, staff_id int REFERENCES staff,
                     UNIQUE (customer_id, inventory_id));
CREATE TABLE payment (paid date NOT NULL, id serial, customer_id int NOT NULL REFERENCES customer,
                      rental_id int REFERENCES rental ON DELETE SET NULL, amount numeric(5,2) NOT NULL,
                      PRIMARY KEY (paid, id)) PARTITION BY RANGE (paid);
CREATE TABLE payment_old PARTITION OF payment FOR VALUES FROM ('2020-01-01') TO ('2025-01-01');
CREATE TABLE payment_new PARTITION OF payment FOR VALUES FROM ('2025-01-01') TO ('2040-01-01');
CREATE TABLE rental_note (rental_id int REFERENCES rental, note text);
"""
ROWS = """
INSERT INTO country VALUES ('DE', 'Germany'), ('JP', 'Japan');
INSERT INTO store (country) VALUES ('DE'), ('JP');
INSERT INTO staff (store_id, name) VALUES (1, 'Ann'), (2, 'Bo');
INSERT INTO staff (store_id, name, boss_id) VALUES (1, 'Cy', 2);
UPDATE store SET manager_id = id;
INSERT INTO film (title) SELECT 'Film ' || n FROM generate_series(1, 30) n;
INSERT INTO inventory (film_id, store_id) SELECT n, 1 + n % 2 FROM generate_series(1, 30) n;
INSERT INTO customer (store_id, name, email, born)
    SELECT 1 + n % 2, 'Customer ' || n, 'c' || n || '@example.org', date '1980-01-01' + n
      FROM generate_series(1, 20) n;
INSERT INTO rental (customer_id, inventory_id, staff_id)
    SELECT 1 + n % 20, 1 + n % 30, CASE WHEN n % 3 = 0 THEN 3 END FROM generate_series(1, 60) n;
INSERT INTO payment (paid, customer_id, rental_id, amount)
    SELECT date '2024-06-01' + id * 10, customer_id, id, id / 10.0 FROM rental;
INSERT INTO rental_note SELECT id, 'late' FROM rental WHERE id % 5 = 0;
"""


@pytest.fixture(scope="module")
def shop(server):
    with server.database() as db:
        with db.connect() as conn:
            conn.execute(SQL.encode())
            conn.execute(ROWS.encode())
        yield db


@pytest.fixture
def said(tmp_path, monkeypatch, capsys, server, shop):
    """Exit code, output and notes of a command in a project with this schema: ``said("freeze", ...)``."""
    (tmp_path / "schema.sql").write_text(SQL, "utf-8")
    (tmp_path / "states").mkdir()
    settings = '[tool.scenarios]\nschema = "schema.sql"\nlibrary = ["states"]\n'
    (tmp_path / "pyproject.toml").write_text(settings, "utf-8")
    monkeypatch.chdir(tmp_path)
    for name in [each for each in os.environ if each.startswith("SCENARIOS_")]:
        if not name.endswith(("_CACHE_DIR", "_RUNTIME_DIR")):
            monkeypatch.delenv(name)
    for name, value in {
        "COLUMNS": "200",
        "SCENARIOS_DATABASE": shop.dsn,
        "SCENARIOS_PROVIDER": server.admin_url,
    }.items():
        monkeypatch.setenv(name, value)

    def say(*arguments, more=""):
        (tmp_path / "pyproject.toml").write_text(settings + more, "utf-8")
        with pytest.raises(SystemExit) as ended:
            run(list(arguments))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return ended.value.code or 0, out, err

    return say


def test_a_row_comes_with_what_hangs_on_it_and_all_it_refers_to(said, shop, tmp_path):
    code, out, err = said("freeze", "--row", "customer:4", "--as-it-is", "-n", "four", "--json")
    assert code == 0, err
    rows = json.loads(out)["rows"]
    with shop.connect() as conn:
        wanted = conn.execute(
            "SELECT (SELECT count(*) FROM rental WHERE customer_id = 4),"
            " (SELECT count(*) FROM payment WHERE customer_id = 4),"
            " (SELECT count(DISTINCT inventory_id) FROM rental WHERE customer_id = 4)"
        ).fetchone()
    assert (rows["rental"], rows["payment"], rows["inventory"]) == wanted
    assert rows["customer"] == 1
    assert rows["store"] == 2, "that of the staff's boss, found on the way, too"
    assert "key:" not in (tmp_path / "four.yaml").read_text("utf-8")


def test_the_plan_says_how_each_row_was_found_and_what_was_not_followed(said):
    code, out, err = said("freeze", "--row", "customer:4", "--dry-run")
    assert code == 0, err
    lines = out.splitlines()
    assert "customer: 1 asked for" in lines
    assert "rental: 3 down by rental.customer_id" in lines
    assert any(line.startswith("inventory: 3 needed by rental.inventory_id") for line in lines)
    assert lines[-1].endswith("rows. Nothing was written.")
    code, out, err = said(
        "freeze", "--row", "customer:4", "--dry-run", "--limit", "rental=1", "--up", "payment.customer_id"
    )
    assert "rental: 1 down by rental.customer_id; 2 left out by its limit" in out


def test_how_far_is_chosen_by_foreign_key_in_the_project_and_by_options(said):
    wanted = '[tool.scenarios.freeze]\n"payment.customer_id" = "up"\n"rental.staff_id" = "stop"\n'
    code, out, err = said("freeze", "--row", "customer:3", "--dry-run", "--json", more=wanted)
    assert code == 0, err
    assert "payment" not in json.loads(out)["tables"]
    assert "staff" in json.loads(out)["tables"], "the manager of the store"
    code, out, err = said(
        "freeze", "--row", "customer:3", "--dry-run", "--json", "--down", "payment.customer_id", more=wanted
    )
    assert "payment" in json.loads(out)["tables"]
    code, out, err = said(
        "freeze",
        "--row",
        "customer:3",
        "--as-it-is",
        "--json",
        "-n",
        "three",
        more=wanted,
    )
    assert code == 0, err
    assert any("rental.staff_id emptied" in note for note in json.loads(out)["notes"])
    code, out, err = said("freeze", "--row", "store:1", "--stop", "customer.store_id")
    assert code == 1
    assert "NOT NULL" in err
    code, out, err = said("freeze", "--row", "store:1", "--down", "customer.stor_id")
    assert "customer.store_id" in err


def test_conditions_queries_shares_and_several_rows(said):
    def taken(*arguments):
        code, out, err = said("freeze", *arguments, "--dry-run", "--json")
        assert code == 0, err
        return json.loads(out)["tables"]["customer"]["asked for"]

    assert taken("--row", "customer:1", "--row", "customer:2") == 2
    assert taken("--where", "customer: id <= 5 AND name LIKE '%1'") == 1
    assert taken("--query", "customer: SELECT customer_id FROM rental WHERE id < 4;") == 3
    assert taken("--percent", "customer:100") == 20
    assert 0 < taken("--percent", "customer:50") < 20


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--row", "customer:99"], "there is no row id = 99 in customer"),
        (["--row", "custmer:1"], "customer"),
        (["--row", "customer"], "TABLE:"),
        (["--row", "customer:one"], "invalid input syntax for type integer"),
        (["--row", "payment:1"], "its key is (paid, id)"),
        (["--where", "customer: nme = 1"], 'column "nme" does not exist'),
        (["--where", "customer: true) LIMIT 0; COMMIT; DROP TABLE rental_note; --"], "multiple commands"),
        (["--query", "customer: DELETE FROM customer RETURNING id"], "syntax"),
    ],
)
def test_what_cannot_be_meant_is_told(said, arguments, what):
    code, _, err = said("freeze", *arguments, "--as-it-is")
    assert code == 1
    assert what in err


def test_a_file_that_would_load_nowhere_is_not_written(said, shop, tmp_path):
    with shop.connect() as conn:
        conn.execute("ALTER TABLE customer ADD CHECK (true)")
    (tmp_path / "schema.sql").write_text(SQL + "ALTER TABLE customer ADD CHECK (id < 3);", "utf-8")
    code, _, err = said("freeze", "--row", "customer:1", "--as-it-is", "-n", "one")
    assert code == 0, err
    (tmp_path / "schema.sql").write_text(
        SQL + "ALTER TABLE customer ADD CHECK (name <> 'Customer 2');", "utf-8"
    )
    code, _, err = said("freeze", "--row", "customer:2", "--as-it-is", "-n", "two")
    assert code == 1
    assert "does not load into an empty database" in err
    assert not (tmp_path / "two.yaml").exists()
    code, _, err = said("freeze", "--row", "customer:2", "--as-it-is", "-n", "two", "--no-proof")
    assert code == 0, err
    assert (tmp_path / "two.yaml").exists()


def test_columns_are_classified_in_the_project_and_then_replaced(said, tmp_path):
    import tomllib

    code, _, err = said("freeze", "--row", "customer:1", "-n", "one")
    assert code == 1
    assert "customer.email" in err
    assert "scenarios classify" in err
    code, out, err = said("classify")
    assert code == 0, err
    personal = tomllib.loads(out)["tool"]["scenarios"]["personal"]
    assert personal["customer.email"] == "email"
    assert personal["customer.name"] == "last_name"
    assert personal["customer.born"] == "date_of_birth"
    assert said("classify", "--write")[0] == 0
    more = (tmp_path / "pyproject.toml").read_text("utf-8").partition('library = ["states"]\n')[2]
    assert tomllib.loads(more)["tool"]["scenarios"]["personal"] == personal
    code, out, err = said("freeze", "--row", "customer:1", "-n", "one", more=more)
    assert code == 0, err
    text = (tmp_path / "one.yaml").read_text("utf-8")
    assert "Customer 1" not in text
    assert "c1@example.org" not in text
    code, _, err = said("classify", more=more)
    assert (code, "is classified" in err) == (0, True)
    wrong = '[tool.scenarios.personal]\n"customer.emial" = "email"\n'
    assert "customer.email" in said("classify", more=wrong)[2]
    wrong = '[tool.scenarios.personal]\n"customer.email" = "mail"\n'
    assert "no kind of personal data" in said("classify", more=wrong)[2]


def test_values_and_comments_tell_too(server):
    import sqlalchemy as sa

    from scenarios.library.privacy.classification import classify, propose

    with server.database() as db, db.connect() as conn:
        conn.execute(
            "CREATE TABLE t (id int PRIMARY KEY, contact text, remark text, seen text, up text"
            " GENERATED ALWAYS AS (upper(remark)) STORED)"
        )
        conn.execute("COMMENT ON COLUMN t.remark IS 'free text; personal: text'")
        conn.execute("INSERT INTO t SELECT n, 'a' || n || '@b.example', 'x', '' FROM generate_series(1, 5) n")
        metadata = sa.MetaData()
        metadata.reflect(db.engine)
        table = metadata.tables["t"]
        classify([table], {"t.seen": "no"}, "here")
        assert table.columns["remark"].info == {"personal": "text"}
        assert propose([table], conn) == {"t.contact": ("email", "its values")}


def test_an_instance_brings_what_rows_added_to_it_refer_to(said, shop, tmp_path):
    (tmp_path / "states" / "shelf.yaml").write_text(
        "scenario: shelf\nrows:\n  country: {fr: {code: FR, name: France}}\n  store: {s: {country: fr}}\n"
        "  customer: {ada: {store: s, name: Ada}}\n",
        "utf-8",
    )
    code, _, err = said("load", "shelf", "--as", "mine")
    assert code == 0, err
    with shop.connect() as conn:
        conn.execute("INSERT INTO rental (customer_id, inventory_id) SELECT max(id), 7 FROM customer")
    code, out, err = said("freeze", "mine", "-n", "seen", "--json")
    assert code == 0, err
    rows = json.loads(out)["rows"]
    assert (rows["rental"], rows["inventory"], rows["film"]) == (1, 1, 1)
    assert "key:" not in (tmp_path / "seen.yaml").read_text("utf-8")
    assert said("unload", "mine")[0] == 0
