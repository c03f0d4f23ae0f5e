"""Whether a value in a database is the one that was planned: the drivers give one value in several shapes."""

from __future__ import annotations

from ipaddress import ip_interface
from typing import Any


def alike(wanted: Any, found: Any) -> bool:
    """Return whether *found* is *wanted*, as far as Python can tell."""
    if wanted is found:
        return True
    if wanted is None or found is None:
        return False
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    if isinstance(wanted, dict) and isinstance(found, dict):
        return wanted.keys() == found.keys() and all(alike(wanted[key], found[key]) for key in wanted)
    if isinstance(wanted, list | tuple) and isinstance(found, list | tuple):
        return len(wanted) == len(found) and all(map(alike, wanted, found))
    if isinstance(wanted, bytes | memoryview) and isinstance(found, bytes | memoryview):
        return bytes(wanted) == bytes(found)
    if wanted == found or _same_address(wanted, found):
        return True
    # A key or an enumeration's word may be an object on one side and its text on the other.
    if isinstance(wanted, str) != isinstance(found, str):
        return str(getattr(wanted, "value", wanted)) == str(getattr(found, "value", found))
    return bool(wanted != wanted and found != found)


def _same_address(wanted: Any, found: Any) -> bool:
    """Return whether two texts are one network address: the database adds the mask that a file leaves out."""
    if not (isinstance(found, str) and "/" in found):
        return False
    try:
        return ip_interface(str(wanted)) == ip_interface(found)
    except ValueError:
        return False
