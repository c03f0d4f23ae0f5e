"""What EssayCoach records of people: measurements, logs, tokens, reports, and the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from scenarios.domains.essay_coach.enums import RevokeReason
from scenarios.domains.essay_coach.sections.facts import DAY, fixed, word_of
from scenarios.library.planning.extracted import ExtractedRow, Extraction
from scenarios.library.planning.plan import Serial
from scenarios.library.planning.rows import Row
from scenarios.library.planning.sections import Section, Situation


def _some_values(
    options: Mapping[str, Any], user: Row | None, own: list[Row], situation: Situation
) -> list[Mapping[str, Any]]:
    assert user is not None
    values = situation.values(user)
    count, every = options["count"], options.get("days_apart", 7)
    low, high = options.get("from", 55), options.get("to", 85)
    found: list[Mapping[str, Any]] = []
    for number in range(count):
        middle = low + (high - low) * number / max(1, count - 1)
        value = round(min(100.0, max(0.0, middle + values.number(f"measured.{len(own) + number}", -5, 5))), 1)
        # Hours after the essay the value may be about, and never in the future.
        found.append({"value": value, "at": f"-{(count - 1 - number) * every + 1}d @23:{number % 60:02}"})
    return found


def _family(row: Row, situation: Situation) -> Any:
    # phone_1, phone_2 and phone_3 are one login session; so is a token without a number.
    head, _, tail = word_of(row).rpartition("_")
    return situation.values(row.up(1)).uuid(f"family.{head if head and tail.isdigit() else word_of(row)}")


def _jti(row: Row, situation: Situation) -> Any:
    return situation.values(row).uuid("jti")


def _token_hash(row: Row, situation: Situation) -> bytes:
    return sha256(f"{situation.instance}/{row.handle}".encode()).digest()


def _expires(row: Row, situation: Situation) -> datetime:
    issued = row.values.get("issued_at")
    return (issued if isinstance(issued, datetime) else situation.anchor) + 7 * DAY


def _why_revoked(row: Row, _: Situation) -> str | None:
    if row.values.get("revoked_at") is None:
        return None
    return RevokeReason.ROTATED.value if "replaced_by" in row.given else RevokeReason.LOGOUT.value


def _own_key(row: Row, _: Situation) -> Any:
    # The key of the row this entry stands under; the database counts it.
    found = row.up(1).values["id"]
    return found if isinstance(found, Serial) else str(found)


def _own_table(row: Row, _: Situation) -> str:
    return row.up(1).table.name


def _institution(row: Row, _: Situation) -> Any:
    return row.root.values["id"]


def _changed_columns(row: Row, _: Situation) -> list[str] | None:
    before, after = row.given.get("old_row"), row.given.get("new_row")
    if not isinstance(before, dict) or not isinstance(after, dict):
        return None
    return sorted(key for key in after if after[key] != before.get(key))


def _transaction(row: Row, situation: Situation) -> int:
    return situation.values(row).integer("tx", 1000, 900_000)


def _payload_hash(row: Row, _: Situation) -> bytes | None:
    after = row.given.get("new_row")
    return sha256(repr(sorted(after.items())).encode()).digest() if isinstance(after, dict) else None


def _created(row: Row, _: Situation) -> Any:
    return row.values["created_at"]


def _subject(entry: ExtractedRow, extraction: Extraction) -> ExtractedRow | None:
    """Return the row that an entry tells of; it names table and key as texts, since it outlives the row."""
    key = f"{__name__}.rows"
    if key not in extraction.indexes:
        extraction.indexes[key] = {
            (row.table.name, str(row.key[0])): row for row in extraction.rows if row.key
        }
    found: ExtractedRow | None = extraction.indexes[key].get(
        (entry.values["table_name"], entry.values["row_pk"])
    )
    return found


def history() -> Section:
    """Return the section of what the audit trail says about the rows it stands under."""
    return Section(
        key="history",
        table="audit_log",
        form="list",
        title="What the audit trail says about this row.",
        names={"old_row": "before", "new_row": "after", "actor_id": "by"},
        hidden=frozenset({"id", "table_name", "row_pk"}),
        above=_subject,
        derived=frozenset({"changed", "payload_hash"}),
        unit="entry",
        order=("at",),
        defaults={
            "table_name": _own_table,
            "row_pk": _own_key,
            "institution_id": _institution,
            "db_role": fixed("ec_app"),
            "changed": _changed_columns,
            "tx_id": _transaction,
            "payload_hash": _payload_hash,
        },
    )


def metric(name: str, key: int) -> Section:
    return Section(
        key=name,
        table="analytics",
        form="list",
        title=f"Measurements of {name.replace('_', ' ')}.",
        fixed={"metric_type_id": key},
        links={"user_id": 1},
        hidden=frozenset({"id", "metric_type_id"}),
        names={"created_at": "at"},
        short="value",
        unit=name,
        order=("created_at",),
        defaults={"metric_type_id": fixed(key)},
        generate=_some_values,
        options={
            "count": {"type": "integer", "minimum": 1, "maximum": 1_000_000, "required": True, "example": 12},
            "days_apart": {"type": "integer", "minimum": 1, "maximum": 400},
            "from": {"type": "number", "minimum": 0, "maximum": 100},
            "to": {"type": "number", "minimum": 0, "maximum": 100},
        },
    )


TOKENS = Section(
    key="tokens",
    table="refresh_tokens",
    form="named",
    title="Refresh tokens, by handle; phone_1, phone_2 and phone_3 are one login session.",
    links={"user_id": 1},
    hidden=frozenset({"id", "token_hash"}),
    unit="token",
    order=("issued_at",),
    defaults={
        "family_id": _family,
        "jti": _jti,
        "token_hash": _token_hash,
        "expires_at": _expires,
        "revoke_reason": _why_revoked,
    },
)
REPORTS = Section(
    key="reports",
    table="reports",
    form="named",
    title="Reports the person made, by handle.",
    links={"user_id": 1},
    hidden=frozenset({"id"}),
    unit="report",
    order=("created_at",),
    inner=(history(),),
    defaults={"updated_at": _created},
)
LOGS = Section(
    key="logs",
    table="logs",
    form="list",
    title="What the system logged about the person.",
    links={"user_id": 1},
    hidden=frozenset({"id"}),
    names={"created_at": "at"},
    unit="log",
    order=("created_at",),
)
SYSTEM_LOGS = Section(
    key="logs",
    table="logs",
    form="list",
    fixed={"user_id": None},
    title="What the system logged about nobody in particular.",
    hidden=frozenset({"id", "user_id"}),
    names={"created_at": "at"},
    unit="log",
    order=("created_at",),
)
