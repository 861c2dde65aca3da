"""What a reader of a run's page may choose: an observable, whose distribution is shown."""

from typing import Any

import numpy as np

from ..report.study_table import observable_in_words, unit_of_observable
from . import charts
from .words import Size, estimate_in_words

POINTS = 60
"""Losses at which a distribution is shown."""
_PAIRS = {"max_drawdown_index": "max_drawdown_no_feedback_index", "max_drawdown": "max_drawdown_no_feedback"}
_OFFERED = ("max_drawdown_index", "open_interest_loss_fraction", "open_interest_loss_usd", "max_drawdown", "accounts_closed_out",
            "collateral_lost", "liquidated_by_class", "peak_minute_liquidation", "shortfall", "insurance_fund_used",
            "socialised_loss", "deleveraging_loss")  # fmt: skip
WITH, WITHOUT = "with liquidations", "without their effect on the price"


def choice(result: Any) -> dict[str, Any] | None:
    """What may be chosen: an observable, whose distribution is shown, beside that without feedback where there is one."""
    measures: list[dict[str, Any]] = []
    curves: dict[str, Any] = {}
    levels: dict[str, list[float]] = {}
    titles, found = {}, {}
    for name in _OFFERED:
        for address in result.columns(name) if name in result.losses else []:
            values = result.values(address)
            low, high = float(values.min()), float(values.max())
            if not high > low:
                continue
            at = np.unique(np.concatenate([np.linspace(min(low, 0.0), high, POINTS // 2), _tail(result, address)]))
            size = Size.of(unit_of_observable(address), max(abs(low), abs(high)))
            of = [(WITH, address)]
            if name in _PAIRS and _PAIRS[name] in result.losses:
                of.append((WITHOUT, address.replace(name, _PAIRS[name], 1)))
            for _, one in of:
                curve = result.exceedance_probability(one, at)
                curves[one] = [[float(f"{x:.4g}") for x in row] for row in (curve.value, curve.low, curve.high)]
            words = observable_in_words(address)
            levels[address] = [float(f"{x * size.factor:.5g}") for x in at]
            titles[address] = f"{words}, {size.name}" if size.name not in ("", "accounts") else words
            mean = result.mean(address)
            drawn = [[word, one] for word, one in of] if len(of) > 1 else [["this run", address]]
            label = words[:1].upper() + words[1:]
            measures.append({"key": address, "label": label, "observable": address, "curves": drawn})
            text = "mean " + estimate_in_words(mean, Size.of(unit_of_observable(address), abs(float(mean.value))))
            found[f"this run||{address}"] = {"value": float(mean.value), "verdict": "reference", "words": "", "change": "",
                                             "difference": None, "text": text}  # fmt: skip
    if not measures:
        return None
    stand_in = [{"series": name, "level": 0.0, "value": 1.0, "low": 1.0, "high": 1.0} for name in ("a", "b")]
    return {"kind": "run", "cells": ["this run"], "reference": {"this run": "this run"}, "measures": measures, "branches": [""],
            "found": found, "levels": levels, "curves": curves, "titles": titles,
            "spec": charts.curves(stand_in, "")}  # fmt: skip


def _tail(result: Any, address: str) -> np.ndarray:
    """Losses whose probabilities fall evenly on a logarithmic axis."""
    curve = result.exceedance_curve(address)
    level, value = np.asarray(curve.level), np.asarray(curve.value)
    wanted = np.geomspace(max(1.0 / max(result.paths, 2), 1e-9), 1.0, POINTS // 2)
    return level[np.clip(np.searchsorted(-value, -wanted), 0, len(level) - 1)]


__all__ = ["choice"]
