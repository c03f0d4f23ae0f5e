"""Plots as SVG files: the same numbers as in the tables, for the eye.

Times differ by factors of a thousand, so all axes of time are logarithmic; our bars have a colour of their
own. Two runs over the same numbers write the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

OURS, OTHERS = "#1f6f8b", "#b8b2a7"


def plain(name: str) -> str:
    """Return a row's name without the tags Markdown needs."""
    return name.replace("*", "").replace("`", "")


def bars(path: Path, title: str, unit: str, values: Mapping[str, float]) -> None:
    """Write horizontal bars, the quickest on top; names in bold in a table are ours."""
    ordered = sorted(values.items(), key=lambda pair: pair[1], reverse=True)
    figure, axes = _figure(0.9 + 0.34 * len(ordered))
    drawn = axes.barh(
        [plain(name) for name, _ in ordered],
        [value for _, value in ordered],
        color=[OURS if name.startswith("**") else OTHERS for name, _ in ordered],
    )
    axes.set_xscale("log")
    axes.bar_label(drawn, labels=[number(value) for _, value in ordered], padding=3, fontsize=8)
    axes.margins(x=0.16)
    _finish(figure, axes, path, title, unit)


def lines(
    path: Path, title: str, below: str, unit: str, series: Mapping[str, Sequence[tuple[float, float]]]
) -> None:
    """Write one line for each of *series*, both axes logarithmic; ours is drawn strongest."""
    figure, axes = _figure(3.6)
    for place, (name, points) in enumerate(series.items()):
        ours = name.startswith("**")
        axes.plot(
            *zip(*points, strict=True),
            marker="o",
            markersize=4,
            linewidth=2.4 if ours else 1.2,
            color=OURS if ours else None,
            linestyle="-" if ours else ("--", ":", "-.")[place % 3],
            label=plain(name),
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylabel(unit)
    axes.legend(fontsize=8, frameon=False)
    _finish(figure, axes, path, title, below)


def number(value: float) -> str:
    """Return *value* with the digits a reader needs."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _figure(height: float) -> tuple[Any, Any]:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "pg-scenarios"
    mpl.rcParams["svg.fonttype"] = "none"
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    return figure, axes


def _finish(figure: Any, axes: Any, path: Path, title: str, below: str) -> None:
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel(below, fontsize=8)
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    text = path.read_text("utf-8")
    path.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", "utf-8")
