"""Checks of `[impact]`, and its tables of volume and move."""

from typing import Any

import numpy as np

from ..data.impact_curve import check_curve, read_curve
from ..data.named import Reader
from ..data.names import Context
from ..problems import Report
from .tables import LAWS, Table, TableLaw, TemporaryImpact, read_table, read_variant

Curves = dict[str, tuple[list[float], list[float]]]
"""Volume and move of each asset."""


def check_impact(raw: Any, reader: Reader, context: Context) -> tuple[Table | None, Curves]:
    """The impact law and, where it is a table, its points."""
    report, curves = reader.report, {}
    law, _ = read_variant(LAWS, "law", raw, "impact", report, context)
    if not isinstance(law, TableLaw):
        return law, curves
    for asset in context.assets:
        pick = lambda x, asset=asset: x[asset] if isinstance(x, dict) else x
        if law.file is not None:
            curve = read_curve(reader, "impact.file", pick(law.file))
        else:
            curve = np.asarray(pick(law.volume)), np.asarray(pick(law.move))
            curve = curve if check_curve(*curve, "", asset, report) else None
        if curve is not None:
            curves[asset] = (curve[0].tolist(), curve[1].tolist())
    return law, curves


def check_temporary(document: dict[str, Any], report: Report, context: Context) -> TemporaryImpact | None:
    """`[temporary_impact]`; without a power law to take them from, it says itself what a day's volatility and volume are."""
    table, v = read_table(TemporaryImpact, document["temporary_impact"], "temporary_impact", report, context)
    impact = document.get("impact")
    if isinstance(impact, dict) and impact.get("law") != "power":
        for name in ("daily_volatility", "daily_volume"):
            if getattr(v, name) is None and name not in document["temporary_impact"]:
                text = "missing; it is taken from a power law, and [impact] is none"
                report.add(f"temporary_impact.{name}", None, text, missing=True)
                table = None
    return table
