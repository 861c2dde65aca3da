"""The replay check in tables, and in words what fits and what does not."""

from typing import Any

import numpy as np

from ...report.study_table import Section, StudySummary

KAPPA = (6.0, 17.0)
"""Stated: what is reported on throttled feeds is one over this of what is liquidated."""
LEVEL = 0.05


def summary(check: Any) -> StudySummary:
    """Timing, size and open interest by asset and side, with what they say in words."""
    return StudySummary(
        f"Replay of the price without impact, {_time(check.start)} to {_time(check.end)}: implied against observed, hour by hour",
        _answer(check),
        [
            Section(
                "In the same hours? Correlation (standard error; p by circular shifts), and that of the hour's own move",
                ("asset, side", "square roots", "p", "own move", "ranks", "p", "own move"),
                "lrrrrrr",
                [
                    (
                        f"{one.asset} {one.side}",
                        f"{one.pearson:.2f} ({one.pearson_error:.2f})", f"{one.pearson_p:.3f}", f"{one.move_pearson:.2f}",
                        f"{one.spearman:.2f} ({one.spearman_error:.2f})", f"{one.spearman_p:.3f}", f"{one.move_spearman:.2f}",
                    )
                    for one in check.timings
                ],
            ),
            Section(
                "How much? Coins; kappa = implied / reported, 95%; in the widest 24 hours; share of the 5 largest hours",
                ("asset, side", "implied", "reported", "kappa", "95%", "24 h", "top 5 implied", "reported"),
                "lrrrrrrr",
                [
                    (
                        f"{one.asset} {one.side}", f"{one.implied:,.0f}", f"{one.observed:,.0f}", f"{one.kappa:.1f}",
                        f"[{one.low:.1f}, {one.high:.1f}]", f"{one.day:.1f}", f"{one.implied_top:.0%}", f"{one.observed_top:.0%}",
                    )
                    for one in check.sizes
                ],
            ),
            Section(
                "Open interest in coins: largest fall, the book's between the same hours, and correlation of hourly changes",
                ("asset", "implied", "observed", "same hours", "hourly changes", "p"),
                "lrrrrr",
                [
                    (
                        one.asset, f"{one.implied:.1%}", f"{one.observed:.1%}", f"{one.implied_then:.1%}",
                        f"{one.correlation:.2f}", f"{one.p:.3f}",
                    )
                    for one in check.interests
                ],
            ),
        ],
        [*check.notes, "Sources state a kappa of about 6 to 17 on throttled feeds. The interval is of hours within one unwind."],
        [one._asdict() | two._asdict() for one, two in zip(check.timings, check.sizes, strict=True)],
    )  # fmt: skip


def _answer(check: Any) -> list[str]:
    """What fits, and what does not, a line each."""
    lines = []
    late = [f"{one.asset} {one.side}" for one in check.timings if not max(one.pearson_p, one.spearman_p) <= LEVEL]
    lines.append(
        f"Timing: implied and reported liquidations share their hours (p at most {LEVEL:g}) for every asset and side."
        if not late
        else f"Timing: not shown (p above {LEVEL:g}) for {', '.join(late)}."
    )
    behind = [
        f"{one.asset} {one.side}" for one in check.timings if one.pearson < one.move_pearson and one.spearman < one.move_spearman
    ]
    if behind:
        lines.append(f"The hour's own move says more about when than the book does: {', '.join(behind)}.")
    for name, (low, high) in (("whole interval within", KAPPA), ("kappa within, interval not", KAPPA)):
        inside = [
            f"{one.asset} {one.side} {one.kappa:.1f}"
            for one in check.sizes
            if low <= one.kappa <= high and (low <= one.low and one.high <= high) == name.startswith("whole")
        ]
        if inside:
            lines.append(f"Size, {name} {low:g} to {high:g}: {', '.join(inside)}.")
    outside = [f"{one.asset} {one.side} {one.kappa:.1f}" for one in check.sizes if not KAPPA[0] <= one.kappa <= KAPPA[1]]
    if outside:
        lines.append(f"Size, kappa outside {KAPPA[0]:g} to {KAPPA[1]:g}: {', '.join(outside)}.")
    few = [f"{one.asset} {one.side} {one.day:.1f}" for one in check.sizes if one.day < 1.0]
    if few:
        lines.append(f"Fewer implied than the lower bound that is reported, in the widest 24 hours: {', '.join(few)}.")
    gaps = ", ".join(f"{one.asset} {one.implied_then:.0%} for {one.observed:.0%}" for one in check.interests)
    lines.append(f"Open interest, implied fall for the observed one: {gaps}.")
    apart = [one.asset for one in check.interests if not one.p <= LEVEL]
    if apart:
        lines.append(f"Its hourly changes do not go together: {', '.join(apart)}.")
    return lines


def _time(time: np.datetime64) -> str:
    return f"{np.datetime_as_string(time, unit='h').replace('T', ' ')}:00 UTC"


__all__ = ["KAPPA", "summary"]
