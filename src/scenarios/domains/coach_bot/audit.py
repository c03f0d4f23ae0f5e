"""What the audit trail says of a sent message: one place for service, factories and validators."""

from __future__ import annotations

from typing import Any, Final

PREFIX: Final = "Message sent: "
PREVIEW_LENGTH: Final = 50
LONGEST: Final = len(PREFIX) + PREVIEW_LENGTH + len("...")


def sent_details(content: str) -> dict[str, Any]:
    """Return ``Log.details`` for a sent message: its first 50 characters, always followed by three dots."""
    return {"text": f"{PREFIX}{content[:PREVIEW_LENGTH]}..."}
