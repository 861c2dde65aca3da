"""The diagnostics of a calibration, as tables and as Markdown: what was found, how sure it is, and what could not be told."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ..report.study_table import Section as Table, StudySummary
from .accounts.bias import SPLIT, SPLIT_SOURCE

IMPACT_SEEN = 2.71
"""Of twice a log-likelihood: 95% of the chi-square with one degree of freedom, halved, as impact cannot be negative."""


class Section(NamedTuple):
    """A heading, paragraphs, and a table of text."""

    title: str
    text: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def sections(found: Any) -> list[Section]:
    """What a calibration has to say, in order."""
    parts = [_files(found), _law(found), *_forced(found), _facts(found), *_leverage(found), _ladder(found), *_events(found)]
    return [*parts, _identified(found), _kept(found)]


def summary(found: Any) -> StudySummary:
    """The tables of the report as a summary; its data frame has a row for each number measured, with its origin."""
    parts, plain = sections(found), lambda text: text.replace("`", "")
    tables = [
        Table(part.title, tuple(map(plain, part.header)), "l" + "r" * (len(part.header) - 1), rows)
        for part, rows in ((part, [tuple(map(plain, row)) for row in part.rows]) for part in parts)
    ]
    answer = [plain(text).removeprefix("- ") for part in parts if part.title == "Identifiability" for text in part.text]
    notes = [plain(text) for part in parts if part.title != "Identifiability" for text in part.text]
    records = [{"key": key, "value": entry.value, "origin": entry.origin} for key, entry in found.entries.items()]
    return StudySummary(f"Calibration of {found.name} on the base of {found.base}", answer, tables, notes, records)


def markdown(found: Any) -> str:
    """The report as Markdown."""
    lines = ["<!-- Written by jaxrisk -->", f"# Calibration of {found.name}", ""]
    for part in sections(found):
        lines += [f"## {part.title}", ""]
        for text in part.text:
            lines += [text, ""]
        if part.rows:
            lines += [_row(part.header), _row(["---"] + ["---:"] * (len(part.header) - 1)), *map(_row, part.rows), ""]
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _number(value: Any, digits: int = 4) -> str:
    if isinstance(value, tuple):
        return ", ".join(_number(x, digits) for x in value)
    if not isinstance(value, int | float | np.floating):
        return str(value)
    return "" if math.isnan(value) else f"{value:.{digits}g}"


def _files(found: Any) -> Section:
    rows = tuple((finding,) for finding in found.findings)
    text = f"Prices: {found.law.sample}. Base scenario: {found.base}, asset {found.asset}."
    return Section("Files", (text,) if rows else (text, "Nothing to remark on the files."), ("finding",), rows)


def _law(found: Any) -> Section:
    law = found.law
    rows = [(f"`{name}`", _number(value), _number(law.errors.get(name, math.nan), 2)) for name, value in law.values.items()]
    checks = ", ".join(f"{name} {_number(value)}" for name, value in law.checks.items())
    state = "converged and identified" if law.converged and not law.problems else "not used: " + "; ".join(
        law.problems or ("the fit did not converge",)
    )  # fmt: skip
    text = (law.note, f"The fit: {state}.", *([f"Checks: {checks}."] if checks else []))
    return Section(f"Price law: {law.process}", text, ("parameter", "value", "s.e."), tuple(rows))


def _forced(found: Any) -> list[Section]:
    """How much of a fall was the market's own, where impact was fitted with the law."""
    if found.forced is None or not len(found.forced):
        return []
    from .indirect.law import FALLS

    text = (
        "Days of the fitted law run through the scenario's positions with and without forced orders, the same noise: of a day's "
        "largest fall, the part that was forced orders, in points; the interval is over what the record does not tell of law and "
        "impact. What is not known of the positions is not in it.",
    )
    span = lambda low, high: f"{100 * low:.2f} to {100 * high:.2f}" if np.isfinite(low) else "too few such days"
    rows = [
        (f"{level:.0%}", f"{100 * mean:.2f}", span(low, high)) if np.isfinite(mean) else (f"{level:.0%}", "no such day", "")
        for level, (mean, low, high) in zip(FALLS, found.forced, strict=True)
    ]  # fmt: skip
    return [Section("Of a fall, forced orders", text, ("fall", "points", "95%"), tuple(rows))]


def _facts(found: Any) -> Section:
    rows = [(name, _number(fact.value, 6), _number(fact.error, 2), fact.note) for name, fact in found.facts.items()]
    interest = found.open_interest
    if interest is not None:
        rows.append(("open interest, coins a side", f"{interest.coins:,.0f}", "", interest.origin))
    if found.funding is not None:
        rate, error = found.funding.mean()
        rows.append(("funding rate, a year", _number(rate), _number(error, 2), found.funding.sample))
    return Section("Price, volume, depth, open interest", (), ("number", "value", "s.e.", "how"), tuple(rows))


def _leverage(found: Any) -> list[Section]:
    fit = found.leverage
    if fit is None:
        return []
    text = [f"Effective leverage, account notional over account value, weighted by notional: {fit.sample}."]
    text.append("Lognormals nearest to the quantiles from 50 to 95%; standard errors from drawing accounts with replacement.")
    if fit.bias.winners:
        how = "as given" if fit.bias.share is not None else f"s.e. {fit.share_error:.2g}"
        text.append(
            f"Winners: {fit.share:.3f} ({how}) of unrealised gains are taken off account values. In a perpetual gains and losses "
            "are about equal over all holders; after this they are in the sample. Gains realised before are not seen."
        )
    if fit.bias.split:
        whole = math.fsum(usd for _, _, usd in fit.bias.split)
        bands = ", ".join(
            f"{low:g}-{high:g}x {sample:.1%} in the sample, {usd / whole:.1%} published"
            for (low, high, usd), sample in zip(fit.bias.split, fit.sample_split, strict=True)
        )
        source = SPLIT_SOURCE if fit.bias.split == SPLIT else "given on the command line"
        text.append(f"Split: accounts weighted so that open interest by leverage is as published ({source}): {bands}.")
    if not fit.bias.winners and not fit.bias.split:
        text.append("Not corrected for any bias of the sample.")
    rows = []
    for key, one in fit.fits.items():
        for name in ("median", "log_sd"):
            value, raw = f"{one.values[name]:.3g} ({one.errors[name]:.2g})", f"{one.uncorrected[name]:.3g}"
            range_ = f"{one.low[name]:.3g} to {one.high[name]:.3g}"
            rows.append((f"{' '.join(key)} {name}", raw, value, range_, str(one.accounts), f"{one.equal_accounts:.0f}"))
    header = ("", "uncorrected", "corrected (s.e.)", "range", "accounts", "as many of equal size")
    return [Section("Leverage", tuple(text), header, tuple(rows))]


def _ladder(found: Any) -> Section:
    rows = []
    for (asset, side), share in found.ladder.share.items():
        rows.append((f"{asset} {side}", *(f"{x:.2%}" for x in share)))
        if found.ladder_before is not None:
            rows.append((f"{asset} {side}, uncorrected leverage", *(f"{x:.2%}" for x in found.ladder_before.share[asset, side])))
    text = "Share of a side's open interest whose liquidation price lies within a move of the price, by the engine's own book."
    return Section("Ladder", (text,), ("", *(f"{move:.0%}" for move in found.ladder.moves)), tuple(rows))


def _events(found: Any) -> list[Section]:
    fit = found.events
    if fit is None:
        return []
    from .unwinds.fit import NUMBERS

    known = {number.name: number for number in NUMBERS}
    rows = []
    for name, value, error, why in fit.table():
        number = known[name]
        median, sd = number.prior
        prior = f"{median:g}, a factor of {math.exp(sd):.2g}" if math.isfinite(sd) else "none"
        rows.append((f"`{name}`", number.unit, _number(value), _number(error, 2), prior, why or "identified"))
    text = [
        f"Most likely numbers on {len(fit.events)} unwinds, {', '.join(fit.events)}, under the priors named, all together: the "
        "moves that are left of the price when what was liquidated is taken out of it, and open interest lost in coins. "
        "The engine is that of the scenarios that the events name.",
        # why the optimiser stopped at a maximum differs from processor to processor, and says nothing
        "Converged: yes." if fit.converged else f"Converged: no. {fit.message}",
    ]
    if "impact.coefficient" in fit.names:
        gain = fit.without_impact
        seen = "above" if gain > IMPACT_SEEN else "not above"
        text.append(
            f"Impact adds {0.5 * gain:.2f} to the log-likelihood; twice that, {gain:.2f}, is {seen} {IMPACT_SEEN:g}, which "
            "chance exceeds one time in twenty. What news does to a price, faster than its volatility has risen, counts as "
            "impact too: the number is an upper bound."
        )
    if fit.nuisance:
        spread = ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in fit.nuisance.items())
        text.append(f"Fitted beside them: {spread} (of the moves, and of open interest lost between unwinds).")
    parts = [Section("Unwinds", tuple(text), ("number", "unit", "value", "s.e.", "prior", "identified"), tuple(rows))]
    matrix = np.asarray(fit.correlation)
    if matrix.size:
        rows = tuple((name, *(f"{x:+.2f}" for x in line)) for name, line in zip(fit.names, matrix, strict=True))
        parts.append(Section("Correlation of the estimates (of logs)", tuple(fit.together), ("", *fit.names), rows))
    return parts


def _identified(found: Any) -> Section:
    text = found.problems or ["Everything that was asked for converged and is identified."]
    return Section("Identifiability", tuple(f"- {line}" if found.problems else line for line in text))


def _kept(found: Any) -> Section:
    rows = [
        (f"`{key}`", comment)
        for key, comment in found.kept.items()
        if "ASSUMPTION" in comment and not any(key == name or key.startswith(f"{name}.") for name in found.entries)
    ]
    text = f"Not measured here: assumptions of {found.base} that the scenario keeps."
    return Section("What is still assumed", (text,) if rows else (), ("key", "the base says"), tuple(rows))


__all__ = ["Section", "markdown", "sections", "summary"]
