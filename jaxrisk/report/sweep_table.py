"""The table of a study: each measure by cell with its interval, its difference to the reference cell, and the ranking."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..observables import describe
from ..problems import counted
from .notes import coarser_by_scenario
from .study_table import Section, StudySummary, in_words, interval, scaled, shown, unit_of
from .table import at_most, usd

MOST_SHOWN = 40
"""Cells that a printed table lists; of more, the reference, the first and the last by rank."""
_COLUMNS = ("cell", "value", "95% interval", "change", "std. error", "95% interval", "gain")
_ALIGN = "lrlrrlr"


def study(result: Any) -> StudySummary:
    """Of `Study`: a table a measure, classes of account below one another, then open interest, ranking and branches."""
    listed = _listed(result)
    sections = [_accounts(result, listed), _paid(result, listed), _leverages(result, listed)]
    sections += [_measure(result, group, listed) for group in groups(result)]
    sections += [_held(result, listed), *_rankings(result, listed), *_branches(result, listed)]
    return StudySummary(
        result.title or result.name, _answer(result), [one for one in sections if one], _notes(result, listed), records(result)
    )


def records(result: Any) -> list[dict[str, Any]]:
    """One record a cell, branch and measure, in the measure's own unit (1, USD, years, accounts)."""
    rows, ranks = [], _ranks(result)
    for one in result.found:
        estimate, change = one.estimate, one.difference
        number = lambda value, of: math.nan if of is None else float(value)
        row = {"scenario": one.cell.scenario, "cell": one.cell.name, "branch": one.branch, "weight": one.weight}
        row |= {"measure": str(one.measure), "unit": unit_of(one.measure)}
        row |= {
            "estimate": number(estimate and estimate.value, estimate),
            "standard_error": number(estimate and estimate.standard_error, estimate),
            "low": number(estimate and estimate.low, estimate),
            "high": number(estimate and estimate.high, estimate),
            "reference": result.reference[one.cell.scenario],
            "difference": number(change and change.value, change),
            "difference_error": number(change and change.standard_error, change),
            "difference_low": number(change and change.low, change),
            "difference_high": number(change and change.high, change),
            "independent_error": number(change and change.independent_error, change),
            "paths_that_differ": None if change is None else change.differing,
            "paths": result.info["by_scenario"][one.cell.scenario]["paths"],
            "open_interest_usd": result.held[one.cell.name],
            "rank": None,
            "probability_best": math.nan,
            "note": one.note,
        }
        if not one.branch and str(one.measure) == str(result.rank):
            row |= ranks[one.cell.name]
        # what was set, by its name, last: other studies have other columns there
        rows.append(row | {name: _set(value) for name, value in one.cell.settings.items()})
    return rows


def _set(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else str(value)


def _ranks(result: Any) -> dict[str, dict[str, Any]]:
    ranks = {}
    for scenario, found in result.rankings.items():
        names = [cell.name for cell in result.cells if cell.scenario == scenario]
        for rank, (place, best) in enumerate(zip(found.order.tolist(), found.best.tolist(), strict=True)):
            ranks[names[place]] = {"rank": rank + 1, "probability_best": best}
    return ranks


def _listed(result: Any) -> list[Any]:
    """The cells that are shown."""
    if len(result.cells) <= MOST_SHOWN:
        return result.cells
    ranks, half = _ranks(result), MOST_SHOWN // 2
    last = len(result.cells) // len(result.rankings)
    keep = lambda cell: not half < ranks[cell.name]["rank"] <= last - half or cell.name == result.reference[cell.scenario]
    return [cell for cell in result.cells if keep(cell)]


def _answer(result: Any) -> list[str]:
    info, branches = result.info, result.info["branches"]
    lines = [result.question] if result.question else []
    of = f" in {branches} branches" if branches > 1 else ""
    runs = [f"{one['paths']:,} paths of {one['steps']:,} steps each, seed {one['seed']}" for one in info["by_scenario"].values()]
    if len(set(runs)) == 1:
        lines.append(f"{len(result.cells)} cells{of}, {runs[0]}, all on the same random numbers")
    else:
        lines.append(f"{len(result.cells)} cells{of}, those of a scenario on the same random numbers")
        lines += [f"{name}: {one}" for name, one in zip(info["by_scenario"], runs, strict=True)]
    lines.append("compared with " + "; ".join(dict.fromkeys(result.reference.values())))
    return lines


def groups(result: Any) -> list[list[Any]]:
    """Measures that share a table: those of one observable by class of account."""
    found: dict[str, list[Any]] = {}
    for measure in result.measures:
        base = measure.observable.partition("[")[0]
        found.setdefault(f"{base} by class" if of_class(measure) else str(measure), []).append(measure)
    return list(found.values())


def _measure(result: Any, group: Sequence[Any], listed: Sequence[Any]) -> Section:
    """Of measures that share a unit, the cells below each."""
    found = [[_row(result, cell.name, measure) for cell in listed] for measure in group]
    sizes = [abs(one.estimate.value) for rows in found for one in rows if one is not None and one.estimate is not None]
    factor, unit = scaled(unit_of(group[0]), max(sizes, default=0.0))
    lines: list[tuple[str, ...]] = []
    by_class = of_class(group[0])
    for measure, rows in zip(group, found, strict=True):
        lines += [(class_of(measure), *[""] * (len(_COLUMNS) - 1))] if by_class else []
        lines += [_line(row, factor, "  " if by_class else "") for row in rows if row is not None]
    over = ", weighted mean over branches" if result.info["branches"] > 1 else ""
    return Section(f"{heading(group)}{over}{'' if unit in ('1', 'accounts') else f', {unit}'}", _COLUMNS, _ALIGN, lines)


def of_class(measure: Any) -> bool:
    """Whether it is the mean of an observable by class of account, or by leverage."""
    return measure.statistic == "mean" and describe(measure.observable.partition("[")[0]).dims in (("classes",), ("leverages",))


def class_of(measure: Any) -> str:
    """The class that it is of."""
    return measure.observable.partition("[")[2].rstrip("]")


def heading(group: Sequence[Any]) -> str:
    """What measures that share a table are, in a supervisor's words."""
    base = group[0].observable.partition("[")[0]
    if of_class(group[0]):
        by = "leverage at the start" if describe(base).dims == ("leverages",) else "class"
        text = f"{describe(base).long_name}, mean by {by}"
    else:
        text = in_words(group[0]).removesuffix(" [*]")
        text = f"{text}: negative balances of all accounts" if base == "shortfall" else text
    return text[:1].upper() + text[1:]


def _accounts(result: Any, listed: Sequence[Any]) -> Section | None:
    """What happens to accounts, by class: each cell's mean, and by how much it is more or less than the reference's."""
    return _by_class(result, listed, _SUPERVISOR, "Accounts, by class")


def _paid(result: Any, listed: Sequence[Any]) -> Section | None:
    """Who paid for what accounts owed, by the class of those who owed it."""
    return _by_class(result, listed, _PAYERS, "Who paid for negative balances, by the class that left them")


def _leverages(result: Any, listed: Sequence[Any]) -> Section | None:
    """What happens to accounts by the leverage that they begin with."""
    return _by_class(result, listed, _BY_LEVERAGE, "Accounts, by leverage at the start")


def _by_class(result: Any, listed: Sequence[Any], columns: dict[str, str], title: str) -> Section | None:
    """Of the first of the columns' observables by class, each cell's mean and its change; None where a study has none of them."""
    measures = [one for one in result.measures if of_class(one) and one.observable.partition("[")[0] in columns]
    bases = list(dict.fromkeys(one.observable.partition("[")[0] for one in measures))
    shown_bases = [base for base in columns if base in bases]
    if not shown_bases:
        return None
    lines: list[tuple[str, ...]] = []
    for name in dict.fromkeys(class_of(one) for one in measures):
        lines.append((name, *[""] * len(shown_bases)))
        for cell in listed:
            rows = [_row(result, cell.name, f"mean({base}[{name}])") for base in shown_bases]
            rest = [_row(result, result.reference[cell.scenario], f"mean({base}[{name}])") for base in shown_bases]
            lines.append((f"  {cell.name}", *(_relative(one, of) for one, of in zip(rows, rest, strict=True))))
    return Section(f"{title}, mean of a path (change against the reference)",
                   ("cell", *(columns[base] for base in shown_bases)), "l" + "r" * len(shown_bases), lines)  # fmt: skip


_SUPERVISOR = {
    "accounts_closed_out": "closed out",
    "accounts_closed_out_share": "share of all",
    "negative_balances": "negative balances",
    "negative_balance_usd": "their sum",
    "collateral_lost": "client money lost",
    "fees_paid": "fees paid",
    "accounts_half_lost_share": "lost over half",
}
"""Columns of the table of accounts."""
_PAYERS = {
    "insurance_fund_used_by_class": "paid by the fund",
    "deleveraging_loss_by_class": "by the deleveraged",
    "socialised_loss_by_class": "by everybody",
}
"""Columns of the table of who paid."""
_BY_LEVERAGE = {f"{base}_by_leverage": _SUPERVISOR[base] for base in
                ("accounts_closed_out", "accounts_closed_out_share", "collateral_lost")}  # fmt: skip
"""Columns of the table by leverage."""


def _relative(one: Any, of: Any) -> str:
    if one is None or one.estimate is None or of is None or of.estimate is None:
        return "-"
    value, error = float(one.estimate.value), float(one.estimate.standard_error)
    factor, unit = scaled(unit_of(one.measure), value)
    text = shown(factor * value, 0.0 if math.isnan(error) else factor * error)
    text += "%" if unit == "%" else "" if unit == "accounts" else f" {unit}"
    base = float(of.estimate.value)
    if one is of or not base > 0.0:
        return text
    change = f"{100.0 * (value / base - 1.0):+.0f}%"
    return f"{text} ({'0%' if change in ('+0%', '-0%') else change})"


def _row(result: Any, cell: str, measure: Any) -> Any:
    return result.over_branches.get((cell, str(measure)))


def _line(one: Any, factor: float, indent: str) -> tuple[str, ...]:
    name = indent + one.cell.name
    if one.estimate is None:
        return (name, "-", one.note, "", "", "", "")
    value, error, low, high = (factor * float(number) for number in one.estimate[:4])
    ends = one.note or interval(low, high, error)
    return (name, shown(value, 0.0 if one.note else error), ends, *_change(one.difference, factor))


def _change(change: Any, factor: float) -> tuple[str, str, str, str]:
    """The difference, its error and interval, and how many times the error on random numbers of their own is as large."""
    if change is None:
        return ("", "", "reference", "")
    if change.differing == 0 and change.value == 0.0:
        return ("0", "", f"{at_most(change.at_most)} differ in this measure", "")
    if math.isnan(change.standard_error):
        return (shown(factor * change.value, 0.0), "-", f"rests on {rests_on(change.effective)}", "")
    error = factor * change.standard_error
    ends = interval(factor * change.low, factor * change.high, error)
    gain = change.independent_error / change.standard_error if change.standard_error > 0.0 else math.inf
    return (shown(factor * change.value, error), shown(error, error), ends, f"{gain:.1f}x" if math.isfinite(gain) else "")


def _held(result: Any, listed: Sequence[Any]) -> Section | None:
    """Open interest at the start, which is what a limit costs those who may not hold it; without what makes up for a difference
    between longs and shorts."""
    held = result.held
    if max(held.values()) - min(held.values()) <= 1e-6 * max(held.values()):
        return None
    # markets with more than the reference, as those of other years, forgo nothing
    more = any(held[cell.name] > (1.0 + 1e-9) * held[result.reference[cell.scenario]] for cell in listed)
    lines = []
    for cell in listed:
        of = held[result.reference[cell.scenario]]
        apart = (held[cell.name] - of) if more else (of - held[cell.name])
        sign = "+" if more and apart > 0.0 else ""
        share = f"{sign}{100.0 * apart / of:.2f}%" if of > 0.0 else "-"
        lines.append((cell.name, usd(held[cell.name]), sign + usd(apart), share))
    text = f"Open interest at the start, mean of longs and shorts, and {'its change from' if more else 'what of'} the reference's"
    if more:
        return Section(text, ("cell", "held", "change", "share"), "lrrr", lines)
    return Section(f"{text} is forgone", ("cell", "held", "forgone", "share"), "lrrr", lines)


def _rankings(result: Any, listed: Sequence[Any]) -> Iterable[Section]:
    unit, shown_names = unit_of(result.rank), {cell.name for cell in listed}
    for scenario, found in result.rankings.items():
        names = [cell.name for cell in result.cells if cell.scenario == scenario]
        if len(names) < 2:
            continue
        rows = {name: _row(result, name, result.rank) for name in names}
        sizes = [abs(one.estimate.value) for one in rows.values() if one is not None and one.estimate is not None]
        factor, label = scaled(unit, max(sizes, default=0.0))
        lines = []
        for rank, place in enumerate(found.order.tolist()):
            name = names[place]
            if name not in shown_names:
                continue
            estimate = None if rows[name] is None else rows[name].estimate
            value = "-" if estimate is None else shown(factor * estimate.value, factor * float(estimate.standard_error))
            nearer = "" if rank + 1 == len(names) else chance(float(found.before_next[rank]))
            lines.append((f"{rank + 1}. {name}", value, chance(float(found.best[rank])), nearer))
        over = ", weighted mean over branches" if result.info["branches"] > 1 else ""
        head = f"Ranking by the {in_words(result.rank)}{over}{'' if label == '1' else f', {label}'}, smallest first"
        head += f": {scenario}" if len(result.rankings) > 1 else ""
        yield Section(f"{head}; {order_in_words(found.whole)}",
                      ("cell", "value", "smallest of all", "smaller than the next"), "lrrr", lines)  # fmt: skip


def order_in_words(probability: float) -> str:
    """How surely a ranking's whole order is right."""
    if math.isnan(probability):
        return "too few paths to say how surely the whole order is right"
    return f"the whole order is right with probability {chance(probability)}"


def rests_on(paths: float) -> str:
    """What a change without an interval rests on.

    >>> rests_on(1.0), rests_on(5.4), rests_on(float("nan"))
    ('1 path', '5 paths', 'too few paths')
    """
    return "too few paths" if math.isnan(paths) else counted(max(1, round(paths)), "path", "paths")


def chance(share: float) -> str:
    """A probability of a ranking; NaN where too few paths tell it."""
    if math.isnan(share):
        return "too few paths"
    return "> 99.9%" if share > 0.999 else "< 0.1%" if share < 0.001 else f"{100.0 * share:.1f}%"


def _branches(result: Any, listed: Sequence[Any]) -> Iterable[Section]:
    """By branch what the measure ranked by is, and how far branches are apart beside what chance leaves open."""
    if result.info["branches"] < 2:
        return
    unit = unit_of(result.rank)
    for cell in listed:
        mine = [one for one in result.found if one.cell.name == cell.name and one.branch]
        known = [one for one in mine if str(one.measure) == str(result.rank) and one.estimate is not None]
        whole = _row(result, cell.name, result.rank).estimate
        if not known or whole is None:
            continue
        factor, label = scaled(unit, max(abs(one.estimate.value) for one in known))
        lines = []
        for one in known:
            error = factor * float(one.estimate.standard_error)
            lines.append((one.branch, f"{one.weight:.3g}", shown(factor * one.estimate.value, error), shown(error, error),
                          *_change(one.difference, factor)[::2]))  # fmt: skip
        spread = factor * between(known, whole.value)
        error = factor * float(whole.standard_error)
        lines.append(("weighted mean", "1", shown(factor * whole.value, error), shown(error, error), "", ""))
        lines.append(("between branches, standard deviation", "", shown(spread, error), "", "", ""))
        head = in_words(result.rank)
        yield Section(f"{cell.name}: {head} by branch{'' if label == '1' else f', {label}'}",
                      ("branch", "weight", "value", "std. error", "change", "95% interval"), "lrrrrl", lines)  # fmt: skip


def between(rows: Sequence[Any], mean: float) -> float:
    """Standard deviation of a measure between branches, by their weights."""
    total = sum(one.weight for one in rows)
    return math.sqrt(sum(one.weight * (float(one.estimate.value) - mean) ** 2 for one in rows) / total)


def _notes(result: Any, listed: Sequence[Any]) -> list[str]:
    notes = [
        "change: the cell's value less the reference cell's on the same paths, with the error of that difference",
        "gain: by what factor that error would be larger on random numbers of their own",
        "rests on N paths: few of them make most of the change, too few for an interval of it to be stood behind",
    ]
    notes += _gains(result)
    if len(result.cells) > 1:
        notes.append("ranking: by the normal approximation over what each path adds to each cell's measure, paired; its "
                     "probabilities know of chance alone, not of what the model has wrong")  # fmt: skip
    if len(listed) < len(result.cells):
        notes.append(f"{len(result.cells) - len(listed)} cells in the middle of the ranking are left out here; study.csv has all")
    return [*notes, *coarser_by_scenario(result.info), *absent(result)]


_ENOUGH = 5.0
"""By what factor paired errors are hoped to be smaller."""


def _gains(result: Any) -> list[str]:
    """How much common random numbers have brought, over all differences that have an error."""
    changes = [one.difference for one in result.found if one.difference is not None and not one.branch]
    gains = [one.independent_error / one.standard_error for one in changes if one.standard_error > 0.0]
    if not gains:
        return []
    gains.sort()
    enough = sum(gain >= _ENOUGH for gain in gains)
    span = f"{gains[0]:.2g} to {gains[-1]:.3g} times smaller than independent ones (median {gains[len(gains) // 2]:.2g})"
    return [f"paired errors are {span}, at least {_ENOUGH:.0f} times for {enough} of {len(gains)} differences"]


def absent(result: Any) -> Iterable[str]:
    """What a supervisor would look for and cannot have here."""
    bases = {measure.observable.partition("[")[0] for measure in result.measures}
    if "accounts_closed_out" in bases and "negative_balances" not in bases:
        known = 'negative balances by class are counted where run.owed_by_class = true or run.book = "account" only'
        yield f"{known}: else a ladder knows how much of a loss lies beyond the collateral (shortfall), and not whose"


__all__ = ["absent", "between", "chance", "groups", "heading", "of_class", "order_in_words", "records", "rests_on", "study"]
