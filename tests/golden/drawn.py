"""What a figure shows, as text: readable in a diff, and the same whatever version draws the pixels."""

from typing import Any

import numpy as np


def described(figure: Any) -> str:
    """Every panel with its titles, labels, scales and limits, and every line, bar, band and text in it."""
    lines = [f"figure {figure.get_figwidth():g} x {figure.get_figheight():g} in"]
    if figure.get_suptitle():
        lines.append(f"  headed: {figure.get_suptitle()}")
    for text in figure.texts:
        lines.append(f"  text: {text.get_text()}")
    for number, axes in enumerate(figure.axes, 1):
        lines += [f"panel {number}", *(f"  {line}" for line in _panel(axes))]
    return "\n".join(lines) + "\n"


def _panel(axes: Any) -> list[str]:
    lines = [f"title: {axes.get_title() or axes.get_title(loc='left')}"]
    for name, label, scale, limits, ticks in (
        ("x", axes.get_xlabel(), axes.get_xscale(), axes.get_xlim(), axes.get_xticklabels()),
        ("y", axes.get_ylabel(), axes.get_yscale(), axes.get_ylim(), axes.get_yticklabels()),
    ):
        words = [tick.get_text() for tick in ticks if any(letter.isalpha() for letter in tick.get_text())]
        said = f", ticks {words}" if words else ""
        lines.append(f"{name}: {label!r}, {scale}, from {_short(limits[0])} to {_short(limits[1])}{said}")
    for line in axes.lines:
        lines.append(
            f"line {_label(line)}: {line.get_linestyle()} {line.get_marker()}, {_points(line.get_xdata(), line.get_ydata())}"
        )
    for band in axes.collections:
        points = np.concatenate([path.vertices for path in band.get_paths()] or [np.zeros((0, 2))])
        lines.append(f"{type(band).__name__} {_label(band)}: {_points(points[:, 0], points[:, 1])}")
    for bar in axes.patches:
        box = bar.get_bbox() if hasattr(bar, "get_bbox") else bar.get_extents()
        lines.append(f"{type(bar).__name__}: x {_short(box.x0)} to {_short(box.x1)}, y {_short(box.y0)} to {_short(box.y1)}")
    for text in axes.texts:
        lines.append(f"text: {text.get_text()}")
    legend = axes.get_legend()
    if legend is not None:
        lines.append(f"legend: {[text.get_text() for text in legend.get_texts()]}")
    return lines


def _label(artist: Any) -> str:
    label = str(artist.get_label())
    return "" if label.startswith("_") else repr(label)


def _points(x: Any, y: Any) -> str:
    x, y = np.asarray(x, float), np.asarray(y, float)
    if len(x) == 0:
        return "nothing"
    ends = f"({_short(x[0])}, {_short(y[0])}) to ({_short(x[-1])}, {_short(y[-1])})"
    return f"{len(x)} points, {ends}, x mean {_short(np.nanmean(x))}, y mean {_short(np.nanmean(y))}"


def _short(value: float) -> str:
    """Three digits: the last ones may differ from one processor to the next."""
    return f"{float(value):.3g}"
