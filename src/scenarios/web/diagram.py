"""The rows of a scenario as a diagram: who has what, drawn as SVG without a program or a style attribute.

A list of counts does not show that a conversation hangs on Maya and not on Omar. The content security policy
allows no inline style, so everything is said in classes and attributes.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from scenarios.web.picture import title_of

if TYPE_CHECKING:
    from scenarios.library.planning.plan import Plan
    from scenarios.library.planning.rows import Row

_ROW, _GAP = 34, 10
_COLUMNS = (0, 250, 470)
_WIDTHS = (190, 160, 230)
_TOP, _SECTIONS, _NAMED = 8, 8, 5


@dataclass(slots=True)
class _Box:
    column: int
    text: str
    count: int = 0
    y: float = 0


def _clip(text: str, width: int) -> str:
    limit = width // 8
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def object_diagram(plan: Plan) -> str:
    """Return the diagram of *plan*: its topmost rows, what they have, and the named rows among these."""
    boxes: list[_Box] = []
    lines: list[tuple[_Box, _Box]] = []
    y = 0.0
    top = [row for row in plan.rows if row.parent is None]
    for row in top[:_TOP]:
        root = _Box(0, title_of(row))
        middles: list[_Box] = []
        for section in row.section.inner[:_SECTIONS]:
            rows = [child for child in row.children if child.section is section]
            if not rows:
                continue
            middle = _Box(1, section.key.replace("_", " "), len(rows))
            leaves = _leaves(rows)
            first = y
            for leaf in leaves:
                leaf.y = y
                y += _ROW + _GAP
                lines.append((middle, leaf))
            if not leaves:
                y += _ROW + _GAP
            middle.y = (first + (leaves[-1].y if leaves else first)) / 2
            boxes += [middle, *leaves]
            middles.append(middle)
            lines.append((root, middle))
        if middles:
            root.y = (middles[0].y + middles[-1].y) / 2
        else:
            root.y = y
            y += _ROW + _GAP
        boxes.append(root)
        y += _GAP
    if len(top) > _TOP:
        boxes.append(_Box(0, f"and {len(top) - _TOP} more", 0, y))
        y += _ROW + _GAP
    return _svg(boxes, lines, y)


def _leaves(rows: list[Row]) -> list[_Box]:
    named = [row for row in rows if row.section.form == "named"]
    found = [_Box(2, title_of(row)) for row in named[:_NAMED]]
    if len(named) > _NAMED:
        found.append(_Box(2, f"and {len(named) - _NAMED} more"))
    return found


def _svg(boxes: list[_Box], lines: list[tuple[_Box, _Box]], height: float) -> str:
    width = _COLUMNS[2] + _WIDTHS[2] + 2
    parts = [
        f'<svg class="diagram" viewBox="0 0 {width} {height:.0f}" width="{width}" height="{height:.0f}"'
        ' role="img"'
        ' aria-label="Diagram of the rows: people on the left, what they have on the right">'
    ]
    for one, other in lines:
        x1, y1 = _COLUMNS[one.column] + _WIDTHS[one.column], one.y + _ROW / 2
        x2, y2 = _COLUMNS[other.column], other.y + _ROW / 2
        middle = (x1 + x2) / 2
        parts.append(f'<path d="M{x1} {y1:.0f} C{middle} {y1:.0f} {middle} {y2:.0f} {x2} {y2:.0f}"/>')
    for box in boxes:
        x, wide = _COLUMNS[box.column], _WIDTHS[box.column]
        label = _clip(box.text, wide - (40 if box.count else 16))
        parts.append(
            f'<g class="c{box.column}"><rect x="{x + 1}" y="{box.y + 1:.0f}" width="{wide}"'
            f' height="{_ROW - 2}" rx="6"/><text x="{x + 12}" y="{box.y + 21:.0f}">{escape(label)}</text>'
        )
        if box.count:
            parts.append(
                f'<text class="count" x="{x + wide - 10}" y="{box.y + 21:.0f}" text-anchor="end">'
                f"{box.count}</text>"
            )
        parts.append("</g>")
    parts.append("</svg>")
    return "".join(parts)
