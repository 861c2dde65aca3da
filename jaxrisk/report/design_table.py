"""Table of designed limits."""

import math
from collections.abc import Iterator
from typing import Any

from .study_table import Section, StudySummary, grouped, in_words, said, scaled, shown, unit_of
from .table import usd

NO_LIMIT = 1e5  # leverage from which a limit is none


def design(result: Any) -> StudySummary:
    """Of `Design`: limits before and after, the measure against the budget, what it costs, and the frontier."""
    unit = unit_of(result.measure)
    factor, name = scaled(unit, result.budget)
    with_unit = lambda text: text + (name if name == "%" else f" {name}")
    budget = with_unit(f"{result.budget * factor:,.5g}")
    answer = [
        f"within the budget of {budget}" if result.feasible else f"the budget of {budget} is not met; the best found:",
        said(result.estimate, unit) + f", {result.estimate.paths:,} fresh paths",
        f"with 95% confidence at most {with_unit(shown(factor * result.upper, factor * result.estimate.standard_error))}",
    ]
    lines = []
    for k, parameter in enumerate(result.parameters):
        before, after = float(result.before[k]), float(result.after[k])
        change = f"{after / before - 1.0:+.1%}" if 0.0 < before < NO_LIMIT else ""
        change = change if result.binding[k] else "binds nobody"
        lines.append((parameter.name, _leverage(before), _leverage(after), change))
    caps = Section("", ("limit", "before", "after", "change"), "lrrl", grouped(lines))
    sections = [caps, _slack(result, factor, name), _frontier(result, factor, name)]
    notes = [*result.words, *_price(result, factor, name)]
    return StudySummary(f"Limits that keep the {in_words(result.measure)} at {budget}", answer, sections, notes, _limits(result))


def _leverage(cap: float) -> str:
    """A limit for people, who do not trade at more than a thousand times their money."""
    return "none" if cap >= NO_LIMIT else f"{cap:,.4g}"


def _limits(result: Any) -> list[dict[str, Any]]:
    return [
        {"parameter": p.name, "before": float(b), "after": float(a), "binding": bool(binds)}
        for p, b, a, binds in zip(result.parameters, result.before, result.after, result.binding, strict=True)
    ]


def _price(result: Any, factor: float, name: str) -> Iterator[str]:
    """What is given up, and what a unit more of budget would bring back."""
    yield f"open interest forgone: {usd(result.cost)}"
    if result.feasible and math.isfinite(result.shadow_price):
        per = "percentage point" if name == "%" else name
        error = f" (standard error {usd(result.shadow_price_error / factor)})"
        yield f"shadow price: a looser budget saves {usd(result.shadow_price / factor)} of cost per {per}{error}"


def _slack(result: Any, factor: float, name: str) -> Section:
    """Each limit alone raised by 5%: whether the budget still holds."""
    lines = []
    for k, (parameter, estimate) in enumerate(zip(result.parameters, result.slack, strict=False)):
        if not (result.feasible and result.binding[k]):
            continue
        value, error = factor * float(estimate.value), factor * float(estimate.standard_error)
        verdict = "broken" if estimate.value > result.budget else "no longer with confidence"
        verdict = "kept" if result.slack_upper[k] <= result.budget else verdict
        lines.append((parameter.name, shown(value, error), shown(error, error), name, verdict))
    columns = ("limit", "measure", "std. error", "unit", "budget")
    return Section(f"Each limit alone raised by {result.RAISED:.0%}", columns, "lrrll", grouped(lines))


def _frontier(result: Any, factor: float, name: str) -> Section:
    """Other budgets, and what their best limits cost."""
    lines = []
    for row in result.frontier:
        value, error = factor * float(row["measure"].value), factor * float(row["measure"].standard_error)
        texts = (shown(value, error), shown(error, error), name, usd(float(row["cost"])))
        lines.append((f"{float(row['budget']) * factor:,.4g}", *texts))
    return Section("Frontier", ("budget", "measure", "std. error", "unit", "open interest forgone"), "rrrlr", lines)


__all__ = ["NO_LIMIT", "design"]
