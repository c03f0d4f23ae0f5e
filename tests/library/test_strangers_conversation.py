"""A conversation of a system that is not ours is shown as ours are: who speaks, what hangs on a message."""

from __future__ import annotations

import sys
from io import StringIO

import pytest
from rich.console import Console

from scenarios.library import Library
from scenarios.library.catalogue.html import page
from scenarios.library.catalogue.text import print_scenario
from scenarios.web.picture import phases_of, picture_of

CLINIC = """
import sqlalchemy as sa
from scenarios.domain import Domain
from scenarios.library.planning.sections import Section, Sections

metadata = sa.MetaData()
patient = sa.Table("patient", metadata, sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text), sa.Column("stage", sa.Enum("WAITING", "IN_CARE", name="stage")))
line = sa.Table("line", metadata, sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("patient_id", sa.ForeignKey("patient.id"), nullable=False),
    sa.Column("spoken_by", sa.Text), sa.Column("words", sa.Text), sa.Column("at", sa.DateTime(timezone=True)))
finding = sa.Table("finding", metadata, sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("line_id", sa.ForeignKey("line.id"), nullable=False),
    sa.Column("sort", sa.Text), sa.Column("remark", sa.Text))
seen = sa.Table("seen", metadata, sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("line_id", sa.ForeignKey("line.id"), nullable=False), sa.Column("reader", sa.Text))
DOMAIN = Domain("clinic", "The clinic", metadata, lambda: "", owner="patient",
    parts={"sections": "strange_clinic"})
FINDINGS = Section("findings", "finding", "list", "What was found.", links={"line_id": 1}, unit="finding",
    kind="sort", says="remark")
SEEN = Section("seen", "seen", "list", "Who read it.", links={"line_id": 1}, unit="reading", short="reader",
    silent=True)
TALK = Section("talk", "line", "turns", "What was said.", links={"patient_id": 1}, unit="line",
    speakers={"vet": "V", "patient": "P"}, speaker="spoken_by", text="words", time="at", person="patient",
    inner=(FINDINGS, SEEN))
PATIENTS = Section("patients", "patient", "named", "Who is treated.", unit="patient", inner=(TALK,))
SECTIONS = Sections(DOMAIN, (PATIENTS,), people="patient", phase="stage")
"""
FILE = """
scenario: in_care
system: clinic
patients:
  rex:
    name: Rex
    stage: IN_CARE
    talk:
      - vet: Where does it hurt?
        at: -2h
      - patient: Woof.
        at: -1h
        findings: [{sort: HEART, remark: beats}]
        seen: [nurse]
"""


@pytest.fixture
def definition(tmp_path, monkeypatch):
    (tmp_path / "strange_clinic.py").write_text(CLINIC)
    (tmp_path / "in_care.yaml").write_text(FILE)
    monkeypatch.syspath_prepend(tmp_path)
    import strange_clinic

    yield Library(tmp_path, domains=[strange_clinic.DOMAIN])["in_care"]
    del sys.modules["strange_clinic"]


def test_in_a_terminal(definition):
    out = StringIO()
    print_scenario(Console(file=out, width=100), definition, definition.plan())
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    (asked,) = [line for line in lines if "Where does it hurt?" in line]
    (said,) = [line for line in lines if "Woof." in line]
    assert (asked.split()[1], said.split()[1]) == ("vet", "rex")
    assert "HEART: beats" in lines
    assert not any("nurse" in line for line in lines)


def test_in_the_catalogue(definition):
    html = page(definition, definition.plan())
    assert '<div class="turn" dir="auto"><small>vet ' in html
    assert '<div class="turn other" dir="auto"><small>rex ' in html
    assert '<div class="aside" dir="auto">HEART: beats</div>' in html


def test_on_the_page(definition):
    plan = definition.plan()
    picture = picture_of(plan)
    (chat,) = picture.people[0].conversations
    assert [(turn.side, turn.who) for turn in chat.turns] == [("coach", "Vet"), ("user", "Rex")]
    assert [(each.label, each.text) for each in chat.turns[1].asides] == [("HEART", "beats")]
    assert phases_of(plan) == ["IN_CARE"]
    (tally,) = picture.tallies
    assert (tally.title, [bar.count for bar in tally.bars]) == ("People by stage", [0, 1])
