"""The same tests under pytest-django itself and on a database of ours, by one line."""

from __future__ import annotations

import re

import pytest

ONE_LINE = 'pytest_plugins = ["scenarios.coming_from.pytest_django"]\n'
SETTINGS = """
import os

from psycopg.conninfo import conninfo_to_dict

where = conninfo_to_dict(os.environ["PEER"])
SECRET_KEY = "for tests"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "notes"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "notes_of_django",
        "HOST": where["host"],
        "PORT": where["port"],
        "USER": where["user"],
        "PASSWORD": where.get("password", ""),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
ROOT_URLCONF = "urls"
STATIC_URL = "/static/"
ALLOWED_HOSTS = ["*"]
"""
FILES = {
    "notes/__init__.py": "",
    "notes/models.py": """
from django.db import models


class Kind(models.Model):
    name = models.CharField(max_length=20)


class Note(models.Model):
    kind = models.ForeignKey(Kind, on_delete=models.CASCADE)
    text = models.CharField(max_length=50)
""",
    "notes/migrations/__init__.py": "",
    "notes/migrations/0001_initial.py": """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = []
    operations = [
        migrations.CreateModel(
            "Kind", [("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=20))]
        ),
        migrations.CreateModel(
            "Note",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("text", models.CharField(max_length=50)),
                ("kind", models.ForeignKey("notes.Kind", on_delete=models.CASCADE)),
            ],
        ),
    ]
""",
    "notes/migrations/0002_kinds.py": """
from django.db import migrations


def kinds(apps, schema_editor):
    apps.get_model("notes", "Kind").objects.create(name="plain")


class Migration(migrations.Migration):
    dependencies = [("notes", "0001_initial")]
    operations = [migrations.RunPython(kinds)]
""",
    "urls.py": """
from django.http import HttpResponse
from django.urls import path


def count(request):
    from notes.models import Note

    return HttpResponse(str(Note.objects.count()))


urlpatterns = [path("count", count)]
""",
    "settings.py": SETTINGS,
    "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = settings\naddopts = -p no:asyncio\n",
}
AS_WRITTEN = """
from urllib.request import urlopen

import pytest
from django.db import connection, transaction
from django.test import TestCase


def add(text):
    from notes.models import Kind, Note

    return Note.objects.create(kind=Kind.objects.get(name="plain"), text=text)


def count():
    from notes.models import Note

    return Note.objects.count()


@pytest.mark.django_db
@pytest.mark.parametrize("again", range(2))
def test_marked(again):
    add("one")
    assert count() == 1


@pytest.mark.parametrize("again", range(2))
def test_by_fixture(db, again):
    add("one")
    assert count() == 1


def test_blocked():
    with pytest.raises(RuntimeError, match="Database access not allowed"):
        count()


@pytest.mark.django_db
def test_queries_are_counted(django_assert_num_queries):
    with django_assert_num_queries(1):
        count()


class TestOldStyle(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.note = add("for all tests of the class")

    def test_one(self):
        add("one more")
        self.assertEqual(count(), 2)

    def test_two(self):
        self.assertEqual(count(), 1)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("again", range(2))
def test_on_commit_hooks_run(again):
    called = []
    with transaction.atomic():
        add("one")
        transaction.on_commit(lambda: called.append(True))
    assert called == [True]
    assert count() == 1


@pytest.mark.django_db(serialized_rollback=True)
def test_live(live_server):
    add("one")
    assert urlopen(f"{live_server.url}/count").read() == b"1"
"""


@pytest.fixture
def notes(project):
    for name, text in FILES.items():
        path = project.home / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text, "utf-8")

    def run(*options, environ=None, **files):
        return project(*options, plugins=("django",), environ={"PYTHONPATH": ".", **(environ or {})}, **files)

    run.home = project.home
    return run


def test_the_tests_of_the_peer_pass_as_they_are(notes):
    there = notes(conftest="", test_notes=AS_WRITTEN)
    assert there.outcomes == {"passed": 11}, there.text
    here = notes(conftest=ONE_LINE)
    assert here.outcomes == {"passed": 11}, here.text
    assert "scenarios: 8 tests isolated (8 by restore)" in here.text, "all but those of the TestCase"
    assert "fell_back" not in here.text
    again = notes("-n2")
    assert again.outcomes == {"passed": 11}, again.text
    assert re.search(r"Django's migrations of \S+ reused", again.text)


def test_what_the_peer_cannot_do(notes):
    """Rows that migrations wrote survive, other connections are undone, and a state has a name."""
    (notes.home / "states").mkdir()
    (notes.home / "states" / "two_notes.yaml").write_text(
        "scenario: two_notes\nrows:\n"
        "  notes_kind: {loud: {name: loud}}\n"
        "  notes_note: {one: {kind: loud, text: one}, two: {kind: loud, text: two}}\n",
        "utf-8",
    )
    (notes.home / "notes" / "fixtures").mkdir()
    (notes.home / "notes" / "fixtures" / "kinds.json").write_text(
        '[{"model": "notes.kind", "pk": 9, "fields": {"name": "of a fixture"}}]', "utf-8"
    )
    run = notes(
        environ={"SCENARIOS_LIBRARY": "states"},
        conftest=ONE_LINE,
        test_states="""
        import psycopg
        import pytest
        from django.test import TestCase, TransactionTestCase


        def names():
            from notes.models import Note

            return sorted(Note.objects.values_list("text", flat=True))


        def kinds():
            from notes.models import Kind

            return sorted(Kind.objects.values_list("name", flat=True))


        @pytest.mark.scenario("two_notes")
        @pytest.mark.django_db
        @pytest.mark.parametrize("again", range(2))
        def test_the_state_is_there(scenario, scenario_db, again):
            from notes.models import Note

            assert names() == ["one", "two"]
            Note.objects.get(id=scenario["one"].id).delete()
            with psycopg.connect(scenario_db.dsn) as other:
                other.execute("DELETE FROM notes_note WHERE text = 'two'")  # commits


        @pytest.mark.scenario("two_notes")
        @pytest.mark.parametrize("again", range(2))
        def test_and_after_a_flush(transactional_db, scenario_changes, again):
            from notes.models import Note

            assert names() == ["one", "two"]
            assert kinds() == ["loud", "plain"]
            Note.objects.all().delete()
            assert scenario_changes().counts["public.notes_note"]["deleted"] == 2


        class TestNothingOfIt(TestCase):
            def test_it(self):
                self.assertEqual(names(), [])
                self.assertEqual(kinds(), ["plain"])


        class TestCommitting(TransactionTestCase):
            def test_one(self):
                from notes.models import Kind

                self.assertEqual(kinds(), ["plain"])
                Kind.objects.create(name="more")

            test_two = test_one


        class TestWithFixtures(TransactionTestCase):
            fixtures = ["kinds.json"]

            def test_one(self):
                self.assertIn("of a fixture", kinds())

            test_two = test_one


        @pytest.mark.django_db(transaction=True, reset_sequences=True)
        @pytest.mark.parametrize("again", range(2))
        def test_numbers_begin_anew(again):
            from notes.models import Kind, Note

            assert Note.objects.create(kind=Kind.objects.get(name="plain"), text="x").id == 1


        @pytest.mark.django_db(transaction=True)
        @pytest.mark.parametrize("again", range(2))
        def test_rows_of_migrations_survive(again):
            from django.contrib.auth.models import Permission

            assert kinds() == ["plain"]
            assert Permission.objects.exists()


        @pytest.mark.scenario("two_notes")
        @pytest.mark.scenario_isolation("clone")
        @pytest.mark.django_db
        @pytest.mark.parametrize("again", range(2))
        def test_on_a_clone(again):
            from django.db import connection

            assert names() == ["one", "two"]
            with connection.cursor() as cursor:
                cursor.execute("DROP TABLE notes_note")


        @pytest.mark.django_db(transaction=True)
        @pytest.mark.parametrize("again", range(2))
        def test_ddl(again):
            from django.db import connection

            with connection.cursor() as cursor:
                cursor.execute("CREATE TABLE made (id int)")
        """,
        test_wider="""
        import pytest


        @pytest.fixture(scope="module")
        def many(scenario_module_db):
            with scenario_module_db.connect() as connection:
                connection.execute("INSERT INTO notes_kind (name) VALUES ('for the module')")


        @pytest.mark.parametrize("again", range(2))
        def test_rows_of_a_wider_fixture(many, db, again):
            from notes.models import Kind

            assert sorted(Kind.objects.values_list("name", flat=True)) == ["for the module", "plain"]
        """,
    )
    assert run.outcomes == {"passed": 19}, run.text


def test_a_changed_migration_makes_a_new_template(notes):
    test = "def test_it(db):\n    from notes.models import Kind\n    assert Kind.objects.count() == {}\n"
    first = notes(conftest=ONE_LINE, test_it=test.format(1))
    assert first.outcomes == {"passed": 1}, first.text
    (notes.home / "notes" / "migrations" / "0003_more.py").write_text(
        FILES["notes/migrations/0002_kinds.py"].replace("0001_initial", "0002_kinds"), "utf-8"
    )
    second = notes(test_it=test.format(2))
    assert second.outcomes == {"passed": 1}, second.text
    assert "app notes" in second.text, "it is said what has changed"
    bare = notes("--no-migrations", test_it=test.format(0))
    assert re.search(r"Django's models of \S+ built", bare.text)


def test_migrations_that_lie_elsewhere_and_what_they_read_count(notes):
    """And a new template is made once for all workers where one is asked for."""
    (notes.home / "moved").mkdir()
    (notes.home / "moved" / "__init__.py").write_text("", "utf-8")
    (notes.home / "notes" / "migrations").rename(notes.home / "moved" / "of_notes")
    settings = SETTINGS + 'MIGRATION_MODULES = {"notes": "moved.of_notes"}\n'
    step = """
from pathlib import Path
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("notes", "0002_kinds")]
    operations = [migrations.RunSQL((Path(__file__).parents[1] / "more.sql").read_text())]
"""
    test = """
import pytest

@pytest.mark.parametrize("again", range(4))
def test_it(db, again):
    from notes.models import Kind
    assert Kind.objects.count() == {}
"""
    first = notes(conftest=ONE_LINE, settings=settings, test_it=test.format(1))
    assert first.outcomes == {"passed": 4}, first.text
    (notes.home / "moved" / "more.sql").write_text("INSERT INTO notes_kind (name) VALUES ('a')", "utf-8")
    (notes.home / "moved" / "of_notes" / "0003_more.py").write_text(step, "utf-8")
    second = notes(test_it=test.format(2))
    assert second.outcomes == {"passed": 4}, second.text
    (notes.home / "moved" / "more.sql").write_text(
        "INSERT INTO notes_kind (name) VALUES ('a'), ('b')", "utf-8"
    )
    third = notes(test_it=test.format(3))
    assert third.outcomes == {"passed": 4}, third.text
    assert "(file moved/more.sql changed)" in third.text
    fourth = notes("-n2", "--scenarios-rebuild")
    assert fourth.outcomes == {"passed": 4}, fourth.text
    assert fourth.text.count("(a new one was asked for)") == 1


def test_connections_of_other_threads_survive_a_database_made_anew(notes):
    """A thread that stays (of an async view, of a pool) kept a connection that had been ended, for good."""
    run = notes(
        "-p",
        "no:randomly",
        conftest=ONE_LINE,
        test_notes="""
        from concurrent.futures import ThreadPoolExecutor
        from threading import Barrier

        import pytest
        from django.db import connection

        pool = ThreadPoolExecutor(2)
        both = Barrier(2)


        def add(n):
            from notes.models import Kind

            both.wait()  # one in each thread
            Kind.objects.create(name="more")
            return Kind.objects.count() > 1


        def ddl():
            with connection.cursor() as cursor:
                cursor.execute("COMMENT ON TABLE notes_note IS 'x'")


        @pytest.mark.django_db(transaction=True)
        @pytest.mark.parametrize("again", range(3))
        def test_threads(again):
            from notes.models import Kind

            assert Kind.objects.count() == 1
            assert all(pool.map(add, range(2)))
            pool.submit(ddl).result()


        @pytest.mark.django_db
        def test_afterwards():
            from notes.models import Kind

            assert Kind.objects.count() == 1
        """,
    )
    assert run.outcomes == {"passed": 4}, run.text
    assert run.text.count("fell back from restore to clone") == 3


def test_no_database_but_ours_is_emptied(notes):
    other = SETTINGS + 'DATABASES["other"] = {**DATABASES["default"], "NAME": "precious"}\n'
    (notes.home / "settings.py").write_text(other, "utf-8")
    tests = """
        import pytest
        from django.test import TransactionTestCase


        @pytest.mark.django_db(databases=["default", "other"])
        def test_both():
            from notes.models import Kind

            assert Kind.objects.using("other").count() == 1


        class TestAll(TransactionTestCase):
            databases = "__all__"

            def test_it(self):
                pass
        """
    run = notes(conftest=ONE_LINE, test_two=tests)
    assert run.code == 4
    assert run.text.count("the database 'other' is not one of ours") == 2
    (notes.home / "settings.py").write_text(
        other + 'DATABASES["other"]["TEST"] = {"MIRROR": "default"}\n', "utf-8"
    )
    run = notes()
    assert run.outcomes == {"passed": 2}, run.text


def test_another_kind_of_database_is_refused(notes):
    sqlite = 'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "x"}}\n'
    (notes.home / "settings.py").write_text(SETTINGS + sqlite, "utf-8")
    run = notes(conftest=ONE_LINE, test_it="def test_it(db):\n    pass\n")
    assert run.outcomes == {"error": 1}, run.text
    assert "is of the kind sqlite" in run.text
