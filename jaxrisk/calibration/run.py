"""From data to a scenario file: everything that can be measured is, and the rest is kept from a base and says so."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..config import Problem, check
from ..data.funding import Funding
from ..data.open_interest import OpenInterest
from ..data.price_file import PriceFile
from ..holdings.account_file import AccountFile
from ..holdings.account_rows import match_asset
from ..report.shown import Shown
from ..report.study_table import StudySummary
from ..storage.outputs import target, write_whole
from ..storage.recognise import is_ours
from .accounts.bias import Bias
from .accounts.ladder import Ladder, ladder
from .accounts.leverage import LeverageFit, fit_leverage
from .base import base_of
from .document import Entry, scenario_of, with_entries, written
from .entries import by_asset, event_entries, fact_entries, funding_entries, law_entries, leverage_entries, open_interest_entries
from .laws.volatility import hourly_closes
from .market_facts import LEAST_DAYS, Fact, complete_days, market_facts

FAR = 3.0
"""Ratio of prices beyond which the base is likely to be of another asset."""


@dataclass(repr=False)
class Calibration(Shown):
    """What was measured, and the scenario that came of it.

    **Fields:** `document`: of the scenario; `entries`: what was measured, by dotted key, with origins; `law`, `facts`,
    `leverage`, `open_interest`, `funding`, `events`: the fits, None where there was nothing to fit; `ladder`, `ladder_before`:
    with the leverage as corrected and as it was in the sample; `findings`: on the files; `problems`: what did not converge or is
    not identified, a line each, empty if everything is; `price_rows`: content of the price file that a bootstrap's scenario
    names, to stand beside it, else empty; `forced`: of a day's fall, what was forced orders
    (`indirect.law.SimulatedFit`), None where that was not asked for.
    """

    name: str
    base: str
    asset: str
    document: dict[str, Any]
    entries: dict[str, Entry]
    kept: dict[str, str]
    law: Any
    facts: dict[str, Fact]
    leverage: LeverageFit | None
    open_interest: OpenInterest | None
    funding: Funding | None
    events: Any
    ladder: Ladder
    ladder_before: Ladder | None
    findings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    path: Path = Path("calibrated.toml")
    price_rows: str = ""
    forced: Any = None

    @property
    def identified(self) -> bool:
        """Whether every number that was asked for could be measured."""
        return not self.problems

    def summary(self) -> StudySummary:
        """What was measured, how sure it is, and what could not be told."""
        from .report import summary

        return summary(self)

    def __repr__(self) -> str:
        return f"Calibration({self.name!r}, {len(self.entries)} numbers, {len(self.problems)} problems)"

    def scenario(self):
        """The scenario, as the engine runs it."""
        return scenario_of(self.document, self.path)

    def write(self, header: list[str] | None = None) -> list[Problem]:
        """Write the scenario to `path`, and what it names beside it; what is wrong with what was written, normally nothing.

        **Raises:** `OSError`, in words where something stands there that jaxrisk did not write.
        """
        target(self.path)
        if self.price_rows:
            write_whole(rows_path(self.path), self.price_rows, lambda rows: names(self.path, rows))
        write_whole(self.path, self.toml(header))
        return check(self.path)

    def toml(self, header: list[str] | None = None) -> str:
        """The scenario file, the origin of every number beside it."""
        lines = [
            *(header or [f"Written by jaxrisk calibrate from {self.law.sample}, on the base of {self.base}."]),
            "",
            "Numbers are MEASURED from the files named, with standard errors (s.e.), FACTS with a source, or ASSUMPTIONS with a",
            f"range. Those that were not measured are of the base scenario and say so: from {self.base}.",
            *(["", "Not identified:"] if self.problems else []),
            *(f"- {problem}" for problem in self.problems),
        ]
        return written(self.document, self.entries, self.kept, self.base, lines)


def calibrate(
    prices: PriceFile,
    process: str = "bates",
    *,
    base: str | Path = "btc_24h",
    asset: str | None = None,
    accounts: AccountFile | None = None,
    bias: Bias = Bias(winners=True),  # noqa: B008 (a tuple)
    open_interest: OpenInterest | None = None,
    funding: Funding | None = None,
    tiers: str | None = None,
    tier_columns: dict[str, str] | None = None,
    events: Any = None,
    overrides: dict[str, Any] | None = None,
    out: Path = Path("calibrated.toml"),
    replications: int = 200,
    feedback: bool = False,
    simulation: Mapping[str, int] | None = None,
    told: Callable[[str], Any] | None = None,
) -> Calibration:
    """Measure what the data can tell, and put it into a copy of a base scenario.

    **Arguments:** `prices`: bars of one asset; `process`: a law of `jaxrisk.calibration.laws`, or `"log_variance"`, which is
    fitted by simulation, in minutes (`indirect.law`); `base`: a scenario's name or path; `asset`: which of its assets the prices
    are of, where it has several; `accounts` with `bias`: a snapshot and how it is corrected; `open_interest`: coins; `funding`:
    for a base whose book pays it; `tiers`: a shipped venue's name or a path, `tier_columns` its own names of columns; `events`:
    an `EventFit`; `overrides`: values of the base to replace, by dotted key; `out`: where the file will stand, which names the
    scenario; `replications`: of bootstraps; `feedback`: whether impact is fitted with a log variance, forced orders of the
    scenario's positions in every simulated day, for a base of one asset with `impact.law = "power"`; `simulation`: other
    `records`, `days`, `rounds` and `draws` of it than the usual; `told`: a line on every step.

    Raises `ConfigError` with what is wrong with the base, the tiers or the overrides. What cannot be identified is no error: it
    keeps the base's number and is in `problems`.
    """
    from .indirect.law import PROCESS, fit_by_simulation
    from .laws.fits import fit_law

    overrides = overrides or {}
    start = base_of(base, overrides, out, asset, tiers, tier_columns)
    file, document, kept, asset = start.file, start.document, start.comments, start.asset
    absent = ""
    if accounts is not None:
        named, said, absent = match_asset(accounts.asset, asset)
        more = (said,) if said else ()
        accounts = accounts._replace(asset=named, findings=(*accounts.findings, *more))
    entries, findings, problems = dict(start.tiers), _findings(prices, accounts, open_interest, funding), []
    facts, old = market_facts(prices), document["market"]
    entries |= fact_entries(facts, document, asset, prices.name)
    if (days := complete_days(prices)) < LEAST_DAYS:
        findings.append(
            f"{prices.name}: {days} complete days of the last year; daily_volatility and daily_volume need {LEAST_DAYS} and keep "
            "the base's values"
        )
    ratio = facts["price"].value / float(document["assets"][asset]["price"])
    if abs(math.log(ratio)) > math.log(FAR):
        findings.append(f"the price is {ratio:.3g} times that of {asset} in {file.stem}: is the base of the same asset?")
    others = open_interest_entries(document, asset, facts["price"].value, open_interest)
    others |= funding_entries(document, asset, funding)
    leverage = plain = forced = None
    if accounts is not None:
        leverage = fit_leverage(accounts, bias, (asset,), replications)
        plain = {**entries, **others, **leverage_entries(document, asset, _uncorrected(leverage))[0]}
        new, wrong = leverage_entries(document, asset, leverage, absent)
        others, problems = others | new, problems + wrong
    if events is not None:
        new, wrong = event_entries(events, document)
        others, problems = others | new, problems + wrong
    own = lambda parts: {key: entry for key, entry in by_asset(parts, document, asset).items() if key not in overrides}
    # positions and mechanics need no price law, and a bootstrap's file is not written yet: the base's law stands in
    apart = lambda parts: {k: part for k, part in own(parts).items() if k != "run.step" and not k.startswith("market.")}
    bare = lambda parts: scenario_of(with_entries({**document, "market": old}, apart(parts)), out)
    if process == PROCESS:
        mechanics = bare({**entries, **others}) if feedback else None
        law, impact, _, forced = fit_by_simulation(prices, mechanics, told=told, **(simulation or {}))
        others |= {key: Entry(*found) for key, found in impact.items()}
    else:
        law = fit_law(prices, process)
    market, new, wrong = law_entries(law, document)
    entries, problems = {**entries, **new}, wrong + problems
    rows = ""
    if market is not None and process == "bootstrap":
        rows = _rows(prices)
        entries["market.file"] = Entry(rows_path(out).name, f"hourly closes of {law.sample}")
        entries["run.step"] = Entry("1h", "the step of the hourly returns that are drawn")
    entries = own({**entries, **others})
    entries |= {key: Entry(_at(document, key), "given on the command line") for key in overrides}
    if market is not None:
        market |= {
            k.removeprefix("market."): e.value for k, e in entries.items() if k.startswith("market.") and k.count(".") == 1
        }
        document["market"] = market
    document = {**document, "name": out.stem, "title": f"{document.get('title', file.stem)}, calibrated"}
    document["sources"] = [
        f"calibrated from {law.sample}",
        *_sources(accounts, open_interest, funding, events),
        f"the rest: {file.stem}",
    ]
    changed = with_entries(document, entries)
    if rows:
        changed["run"].pop("steps", None)
    return Calibration(
        name=out.stem, base=file.stem, asset=asset, document=changed, entries=entries, kept=kept, law=law, facts=facts,
        leverage=leverage, open_interest=open_interest, funding=funding, events=events, ladder=ladder(bare(entries)),
        ladder_before=None if plain is None else ladder(bare(plain)), findings=findings, problems=problems, path=out,
        price_rows=rows, forced=forced,
    )  # fmt: skip


def rows_path(out: Path) -> Path:
    """Where the prices stand that a bootstrap's scenario names."""
    return out.with_name(f"{out.stem}_prices.csv")


def names(out: Path, rows: Path) -> bool:
    """Whether a scenario that we wrote names a table of prices, which is then ours too; nothing else tells it from another."""
    return out.is_file() and is_ours(out) and f'file = "{rows.name}"' in out.read_text(encoding="utf-8", errors="replace")


def _rows(prices: PriceFile) -> str:
    """Hourly closes as a price file without gaps."""
    hours, closes = hourly_closes(prices)
    lines = [
        f"{np.datetime_as_string(hour, unit='s')}Z,{math.exp(close):.10g}" for hour, close in zip(hours, closes, strict=True)
    ]
    return "time,close\n" + "\n".join(lines) + "\n"


def _uncorrected(fit: LeverageFit) -> LeverageFit:
    """The same fit without its correction."""
    fits = {key: one._replace(values={**one.values, **one.uncorrected}) for key, one in fit.fits.items()}
    return fit._replace(fits=fits, bias=Bias())


def _findings(
    prices: PriceFile, accounts: AccountFile | None, interest: OpenInterest | None, funding: Funding | None
) -> list[str]:
    findings = [f"{prices.name}: {finding}" for finding in prices.findings]
    findings += _said(accounts) + [f"open interest: {finding}" for finding in (interest.findings if interest else ())]
    return findings + [f"funding: {finding}" for finding in (funding.findings if funding else ())]


def _said(accounts: AccountFile | None) -> list[str]:
    """What accounts were taken for, and what should be known of them."""
    if accounts is None:
        return []
    return [f"{accounts.sample}: {finding}" for finding in (accounts.read_as, *accounts.findings) if finding]


def _sources(accounts: AccountFile | None, open_interest: OpenInterest | None, funding: Funding | None, events: Any) -> list[str]:
    found = [f"leverage and account size: {accounts.sample}"] if accounts else []
    found += [f"open interest: {open_interest.origin}"] if open_interest else []
    found += [f"funding: {funding.sample}"] if funding else []
    return found + ([f"impact and engine: unwinds {', '.join(events.events)}"] if events is not None else [])


def _at(document: dict[str, Any], key: str) -> Any:
    here: Any = document
    for name in key.split("."):
        here = here[int(name)] if isinstance(here, list) else here[name]
    return here


__all__ = ["Calibration", "calibrate", "names", "rows_path"]
