"""Charts as Vega-Lite specifications: one specification is the picture in the page and what the reader moves over.

Colours are after Okabe and Ito's, which colour-blind readers can tell apart and which stand on white and on black; what is not
data takes the colour of the page's text, so that one picture serves both.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .content import Cell, Table
from .words import MINUS

BLUE, ORANGE, GREEN, PURPLE, SKY, RED = "#2f7fc1", "#b87400", "#00936b", "#c2679b", "#3a8fc8", "#d55e00"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED)
INK = "currentColor"
MOST_ROWS = 25
"""Of a table behind lines."""
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"

CONFIG: dict[str, Any] = {
    "background": None,
    "font": "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', Arial, sans-serif",
    "view": {"stroke": None},
    "axis": {"labelColor": INK, "titleColor": INK, "domainColor": INK, "tickColor": INK, "gridColor": INK, "gridOpacity": 0.15,
             "domainOpacity": 0.5, "tickOpacity": 0.5, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal",
             "labelLimit": 220},
    "axisX": {"titleAnchor": "end"},  # beside long names a plot on a telephone is narrow, and a title over its middle is cut
    "legend": {"labelColor": INK, "titleColor": INK, "labelFontSize": 12, "titleFontSize": 12, "orient": "top",
               "labelLimit": 300},
    "header": {"labelColor": INK, "titleColor": INK, "labelFontSize": 12},
    "text": {"color": INK, "fontSize": 12},
    "title": {"color": INK, "fontSize": 13, "anchor": "start"},
}  # fmt: skip


def _spec(**parts: Any) -> dict[str, Any]:
    size = {"width": "container", "height": 260, "autosize": {"type": "fit", "contains": "padding"}}
    return {"$schema": SCHEMA, **size, "config": CONFIG, **parts}


def whiskers(rows: Sequence[Mapping[str, Any]], order: Sequence[str], unit: str, zero: str = "") -> dict[str, Any]:
    """A dot and its 95% interval a row, `series` in colours and shapes, one below the other.

    **Arguments:** `rows`: `name`, `series`, `value`, `low`, `high`, `text`; low and high may be None; `order` of the names;
    `unit`: of the axis; `zero`: what the line at zero is, none where empty.
    """
    series = list(dict.fromkeys(row["series"] for row in rows))
    colour = {"field": "series", "type": "nominal", "title": None, "sort": series,
              "scale": {"domain": series, "range": list(SERIES[: len(series)])},
              "legend": None if len(series) < 2 else {"symbolOpacity": 1}}  # fmt: skip
    place: dict[str, Any] = {"field": "name", "type": "nominal", "sort": list(order), "title": None}
    shift = {"yOffset": {"field": "series", "sort": series}} if len(series) > 1 else {}
    tips = [{"field": "name", "title": "setting"}, *([{"field": "series", "title": "class"}] if len(series) > 1 else []),
            {"field": "text", "title": "value"}]  # fmt: skip
    rule = {"mark": {"type": "rule", "strokeWidth": 2},
            "encoding": {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}, "y": place, **shift,
                         "color": colour, "tooltip": tips}}  # fmt: skip
    dot = {"mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
           "encoding": {"x": {"field": "value", "type": "quantitative", "title": unit, "scale": {"zero": bool(zero)}},
                        "y": place, **shift, "color": colour, "shape": {**colour, "scale": {"domain": series}},
                        "tooltip": tips}}  # fmt: skip
    line = {"data": {"values": [{}]}, "mark": {"type": "rule", "color": INK, "opacity": 0.6}, "encoding": {"x": {"datum": 0}}}
    height = 46 + len(order) * (26 + 12 * (len(series) - 1))
    return _spec(data={"values": list(rows)}, layer=[*([line] if zero else []), rule, dot], height=height)


def curves(rows: Sequence[Mapping[str, Any]], title: str, name: str = "curve") -> dict[str, Any]:
    """Probabilities of a larger loss on a logarithmic axis, with their 95% bands.

    **Arguments:** `rows`: `series`, `level`, `value`, `low`, `high` (probabilities above zero), in the unit of `title`.
    """
    series = list(dict.fromkeys(row["series"] for row in rows))
    colour = {"field": "series", "type": "nominal", "title": None, "sort": None,
              "legend": {"symbolOpacity": 1, "symbolType": "square", "columns": 1},
              "scale": {"domain": series, "range": list(SERIES[: len(series)])} if series else {}}  # fmt: skip
    # below what one path in all could show there is nothing to see
    least = min((row["value"] for row in rows if row["value"] > 0.0), default=1e-3)
    floor = 10.0 ** math.floor(math.log10(least * 0.9))
    x = {"field": "level", "type": "quantitative", "title": title}
    y = {"field": "value", "type": "quantitative", "title": "probability of more",
         "axis": {"format": "~p", "values": [10.0**-k for k in range(10)]},
         "scale": {"type": "log", "domain": [floor, 1.0], "clamp": True}}  # fmt: skip
    percent = lambda field, words: {"field": field, "type": "quantitative", "title": words, "format": ".3~%"}
    tips = [{"field": "series", "title": "setting"}, {"field": "level", "type": "quantitative", "title": title, "format": ".4~g"},
            percent("value", "probability of more"), percent("low", "95% interval, from"), percent("high", "to")]  # fmt: skip
    band = {"mark": {"type": "area", "opacity": 0.2}, "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"},
                                                                   "color": colour}}  # fmt: skip
    line = {"mark": {"type": "line", "strokeWidth": 2}, "encoding": {"x": x, "y": y, "color": colour, "strokeDash": {
        "field": "series", "type": "nominal", "sort": None, "title": None,
        "scale": {"domain": series, "range": [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]][: max(len(series), 1)]}}}}  # fmt: skip
    points = {"mark": {"type": "point", "opacity": 0, "size": 200}, "encoding": {"x": x, "y": y, "tooltip": tips}}
    return _spec(data={"name": name, "values": list(rows)}, layer=[band, line, points])


def lines(rows: Sequence[Mapping[str, Any]], x: str, y: str, level: float | None = None, marked: str = "") -> dict[str, Any]:
    """Lines over `x` by `series`, with a marked level.

    **Arguments:** `rows`: `series`, `x`, `y`; titles `x` and `y`.
    """
    series = list(dict.fromkeys(row["series"] for row in rows))
    colour = {"field": "series", "type": "nominal", "title": None, "sort": None,
              "scale": {"domain": series, "range": list(SERIES[: len(series)])},
              "legend": None if len(series) < 2 else {}}  # fmt: skip
    across = {"field": "x", "type": "quantitative", "title": x, "scale": {"zero": False, "nice": False}}
    up = {"field": "y", "type": "quantitative", "title": y, "scale": {"zero": level is not None}}
    tips = [{"field": "series", "title": "of"}, {"field": "x", "type": "quantitative", "title": x, "format": ".4~g"},
            {"field": "y", "type": "quantitative", "title": y, "format": ".4~g"}]  # fmt: skip
    layers: list[dict[str, Any]] = [
        {"mark": {"type": "line", "strokeWidth": 2}, "encoding": {"x": across, "y": up, "color": colour}},
        {"mark": {"type": "point", "opacity": 0, "size": 200}, "encoding": {"x": across, "y": up, "tooltip": tips}},
    ]
    if level is not None:
        once = {"data": {"values": [{}]}}
        layers.append({**once, "mark": {"type": "rule", "color": RED, "strokeDash": [6, 4]}, "encoding": {"y": {"datum": level}}})
        if marked:
            text = {"type": "text", "align": "right", "dx": -4, "dy": -8, "text": marked, "x": "width", "color": RED}
            layers.append({**once, "mark": text, "encoding": {"y": {"datum": level}}})
    return _spec(data={"values": list(rows)}, layer=layers)


def bars(rows: Sequence[Mapping[str, Any]], order: Sequence[str], unit: str) -> dict[str, Any]:
    """A bar and its 95% interval a row: `name`, `value`, `low`, `high`, `text`."""
    place = {"field": "name", "type": "nominal", "sort": list(order), "title": None}
    tips = [{"field": "name", "title": "of"}, {"field": "text", "title": "value"}]
    bar = {"mark": {"type": "bar", "color": BLUE, "opacity": 0.75},
           "encoding": {"x": {"field": "value", "type": "quantitative", "title": unit}, "y": place, "tooltip": tips}}  # fmt: skip
    rule = {"mark": {"type": "rule", "strokeWidth": 2, "color": ORANGE},
            "encoding": {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}, "y": place}}  # fmt: skip
    return _spec(data={"values": list(rows)}, layer=[bar, rule], height=46 + 28 * len(order))


def behind(rows: Sequence[Mapping[str, Any]], x: str, y: str) -> Table:
    """The numbers of `lines`, a row of the table for each of a few values of x, evenly taken."""
    series = list(dict.fromkeys(row["series"] for row in rows))
    at = {(row["series"], row["x"]): row["y"] for row in rows}
    across = sorted({row["x"] for row in rows})
    kept = (
        [across[round(k * (len(across) - 1) / (MOST_ROWS - 1))] for k in range(MOST_ROWS)] if len(across) > MOST_ROWS else across
    )
    text = lambda value: "" if value is None else f"{value:.4g}".replace("-", MINUS)
    cells = [[Cell(text(one)), *(Cell(text(at.get((name, one)))) for name in series)] for one in kept]
    return Table(y, (x, *series), "r" * (len(series) + 1), cells)


def listed(rows: Sequence[Mapping[str, Any]], words: str) -> Table:
    """The numbers of `whiskers`, a row each."""
    return Table(words, ("", words), "lr", [[Cell(str(row["name"])), Cell(str(row["text"]))] for row in rows])


__all__ = ["SERIES", "bars", "behind", "curves", "lines", "listed", "whiskers"]
