"""When each message of a person was said.

Nobody wants to write a time for every turn, and nobody believes a conversation of forty messages within one
second. What has a time keeps it; everything between is laid out in sittings of some minutes, days apart, in
the order in which it was said, and never squeezed together or past the next known time without need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scenarios.builders.dev_coach.plans import Block, GeneratedBlockPlan, TalkPlan
from scenarios.values import Clock, Row

SITTING = 24
"""Messages in one sitting of a generated conversation."""

_LEAST = timedelta(milliseconds=1)
_DAY = timedelta(days=1)
_DAY_LONG = 86_400_000_000  # the same in microseconds
_LOW, _SPAN = 20_000_000, 200_000_000  # a gap is 20 to 220 seconds, in microseconds


@dataclass(slots=True)
class Placed:
    """A block with the times of its messages; ``breaks`` are the positions at which a new sitting begins."""

    block: Block
    offsets: list[timedelta]
    start: datetime | None
    breaks: list[int] = field(default_factory=lambda: [0])
    times: list[datetime] = field(default_factory=list)

    @property
    def length(self) -> timedelta:
        return self.offsets[-1]


def _gap(row: Row, field_: str) -> int:
    """Return a gap in microseconds."""
    return _LOW + (row.word(field_) * _SPAN >> 64)


def _stretch(block: GeneratedBlockPlan, row: Row, start: datetime | None) -> Placed:
    offsets, breaks = [], []
    base = at = 0
    for index in range(block.turns):
        if index % SITTING == 0:
            if index:
                # A sitting a day, or later where the one before took longer.
                base = max(base + _DAY_LONG, at + _DAY_LONG // 2)
            at = base
            breaks.append(index)
        else:
            at += _gap(row, f"gap{index}")
        offsets.append(timedelta(microseconds=at))
    return Placed(block, offsets, start, breaks)


def _talk(block: TalkPlan, row: Row, start: datetime | None) -> Placed:
    offsets, at = [], timedelta()
    for index, turn in enumerate(block.turns):
        if index:
            # By handle, so that a turn put in between moves what follows and changes no gap.
            at += timedelta(microseconds=_gap(row, f"gap.{turn.handle}"))
        offsets.append(at)
    return Placed(block, offsets, start)


def lay_out(
    blocks: Sequence[Block], row: Row, clock: Clock, joined: datetime | None
) -> tuple[list[Placed], str | None]:
    """Return the blocks with their times, and a complaint where they do not fit.

    Args:
        joined: when the person's account was made, where that was said; nothing is laid out before it.
    """
    placed = [
        _stretch(block, row.seeded.at(block.handle), None if block.at is None else clock.at(block.at))
        if isinstance(block, GeneratedBlockPlan)
        else _talk(block, row, None if block.at is None else clock.at(block.at))
        for block in blocks
    ]
    latest = clock.now - timedelta(hours=1)
    position, floor = 0, joined
    while position < len(placed):
        end = position
        while end < len(placed) and placed[end].start is None:
            end += 1
        # placed[position:end] have no time of their own; then comes one that has, or nothing.
        known = placed[end].start if end < len(placed) else None
        ceiling = (
            known if known is not None else (latest if floor is None or floor < latest else floor + 30 * _DAY)
        )
        complaint = _fill(placed[position:end], floor, ceiling, known is not None)
        if complaint is not None:
            return placed, complaint
        if end < len(placed):
            fixed, start = placed[end], known
            assert start is not None  # known belongs to placed[end]
            if floor is not None and start <= floor:
                return (
                    placed,
                    f"something is said at {start.isoformat()}, before {floor.isoformat()} where it can be",
                )
            following = next((later.start for later in placed[end + 1 :] if later.start is not None), None)
            _set(fixed, start, None if following is None else following - start)
            floor = fixed.times[-1]
            end += 1
        elif position < end:
            floor = placed[end - 1].times[-1]
        position = end
    return placed, None


def _fill(run: list[Placed], floor: datetime | None, ceiling: datetime, before_known: bool) -> str | None:
    if not run:
        return None
    needed = sum((each.length for each in run), timedelta())
    pauses = len(run) + (1 if before_known else 0) - 1
    if floor is None or ceiling - floor >= needed + (pauses + 1) * _DAY:
        end = ceiling - _DAY if before_known else ceiling
        for each in reversed(run):
            _set(each, end - each.length, None)
            end = each.times[0] - _DAY
        return None
    room = ceiling - floor
    count = sum(len(each.offsets) for each in run)
    if room < (count + 2) * _LEAST:
        return f"{count} messages do not fit between {floor.isoformat()} and {ceiling.isoformat()}"
    # Little room: the pauses share a fifth of it, the talking the rest, no wider than it wants to be.
    pause = room / 5 / (len(run) + 1)
    begin = floor + pause
    for each in run:
        share = (room - pause * (len(run) + 1)) * len(each.offsets) / count
        _set(each, begin, share)
        begin = each.times[-1] + pause
    return None


def _set(placed: Placed, start: datetime, room: timedelta | None) -> None:
    length = placed.length
    if room is not None and length and length >= room:
        factor = (room - room / (len(placed.offsets) + 1)) / length
        placed.times = [start + offset * factor for offset in placed.offsets]
    else:
        placed.times = [start + offset for offset in placed.offsets]
