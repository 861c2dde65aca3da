"""What was measured as keys of a scenario file, each with its origin; what could not be identified keeps the base's number."""

import math
from typing import Any

from ..data.funding import Funding
from ..data.open_interest import OpenInterest
from .accounts.leverage import LeverageFit
from .document import Entry
from .market_facts import Fact

_FACTS = {
    "daily_volatility": ("impact.daily_volatility", "power"),
    "daily_volume": ("impact.daily_volume", "power"),
    "depth_exponent": ("depth.exponent", ""),
}
_UNITS = ("min", "s")


def rounded(value: float, digits: int = 4) -> float:
    """A number to some significant digits.

    >>> rounded(0.0203456, 3)
    0.0203
    """
    return float(f"{value:.{digits}g}")


def brackets(error: float) -> str:
    """A standard error as text, or nothing where there is none."""
    return f", s.e. {error:.2g}" if math.isfinite(error) else ""


def fact_entries(facts: dict[str, Fact], document: dict[str, Any], asset: str, name: str) -> dict[str, Entry]:
    """The last price, and what goes with it: impact's volatility and volume, depth's exponent and reference, the support."""
    found: dict[str, Entry] = {}
    price = facts["price"].value
    old = float(document["assets"][asset]["price"])
    found[f"assets.{asset}.price"] = Entry(price, f"FACT: {facts['price'].note}, {name}")
    for fact, (key, law) in _FACTS.items():
        table = document.get(key.split(".")[0])
        if fact in facts and isinstance(table, dict) and (not law or table.get("law") == law):
            one = facts[fact]
            found[key] = Entry(rounded(one.value), f"MEASURED: {one.note}{brackets(one.error)}, {name}")
    if "daily_volatility" in facts and isinstance(document.get("depth"), dict):
        origin = "MEASURED: daily_volatility times sqrt(365)"
        found["depth.reference_volatility"] = Entry(rounded(facts["daily_volatility"].value * math.sqrt(365.0)), origin)
    support = (document.get("run") or {}).get("support")
    level = support.get(asset) if isinstance(support, dict) else support
    if level is not None and price != old:
        value = {**(support if isinstance(support, dict) else {}), asset: rounded(level * price / old, 6)}
        found["run.support"] = Entry(value, f"ASSUMPTION: as far below the price as the base's, {level / old - 1.0:+.1%}")
    return found


def open_interest_entries(document: dict[str, Any], asset: str, price: float, given: OpenInterest | None) -> dict[str, Entry]:
    """Open interest by population: the base's shares of what was given, or of the base's own coins at the new price."""
    populations = {
        name: table for name, table in document.get("populations", {}).items()
        if table.get("asset") == asset and isinstance(table.get("open_interest"), int | float)
    }  # fmt: skip
    sides = [math.fsum(t["open_interest"] for t in populations.values() if t.get("side") in (side, "both"))
             for side in ("long", "short")]  # fmt: skip
    whole, old = max(sides), float(document["assets"][asset]["price"])
    if not whole or (given is None and price == old):
        return {}
    coins = whole / old if given is None else given.coins
    if given is None:
        origin = f"ASSUMPTION: the base's {coins:,.0f} coins a side, at the new price"
    else:
        range_ = f", range {given.low:,.0f} to {given.high:,.0f}" if given.high > given.low else ""
        origin = f"MEASURED: {coins:,.0f} coins a side{range_} ({given.origin}) at the price"
    entries = {}
    for name, table in populations.items():
        share = table["open_interest"] / (sides[1] if table["side"] == "short" else sides[0])
        text = f"{share:.1%} of the {table['side']}s, the base's share (ASSUMPTION). {origin}"
        entries[f"populations.{name}.open_interest"] = Entry(rounded(share * coins * price, 6), text)
    return entries


def funding_entries(document: dict[str, Any], asset: str, given: Funding | None) -> dict[str, Entry]:
    """The mean rate a year of one asset; those of others, and the rise with the trend, are the base's."""
    if given is None:
        return {}
    old, rate = (document.get("funding") or {}).get("rate", 0.0), rounded(given.mean()[0])
    origin = f"MEASURED: {given.words()}, {given.sample}"
    others = old if isinstance(old, dict) else dict.fromkeys(document["assets"], old)
    alone = len(document["assets"]) == 1
    return {"funding.rate": Entry(rate if alone else {**others, asset: rate}, origin if alone else f"{asset}: {origin}")}


def leverage_entries(
    document: dict[str, Any], asset: str, fit: LeverageFit, absent: str = ""
) -> tuple[dict[str, Entry], list[str]]:
    """Leverage and sizes of the populations that have a measured class and side; and a line on each that has not. `absent`: why
    the file has nothing of the asset."""
    entries, problems = {}, []
    words = correction_words(fit)
    for name, table in document.get("populations", {}).items():
        if table.get("asset") != asset:
            continue
        key = asset, str(table.get("class", "all")), str(table.get("side"))
        found = fit.fits.get(key)
        where = f"populations.{name}.median and log_sd"
        if table.get("kind") != "lognormal" or found is None:
            lognormal = table.get("kind") == "lognormal"
            why = (absent or f"no accounts of class {key[1]}, {key[2]}") if lognormal else f"kind is {table.get('kind')}"
            problems.append(f"{where}: not identified: {why}; the base's values are kept")
            continue
        if found.problems:
            problems.append(f"{where}: not identified: {'; '.join(found.problems)}; the base's values are kept")
            continue
        most = float(table.get("high", 125.0))
        if found.values["median"] >= most:
            why = f"the median, {found.values['median']:.3g}, is beyond the highest leverage of the population, {most:g}"
            problems.append(f"{where}: not identified: {why}; the base's values are kept")
            continue
        for value in ("median", "log_sd"):
            text = f"MEASURED: {fit.sample}, {found.accounts} accounts{brackets(found.errors[value])}"
            if words:
                range_ = f"{found.low[value]:.3g} to {found.high[value]:.3g}"
                text += f"; {words}; uncorrected {found.uncorrected[value]:.3g}, range {range_}"
            entries[f"populations.{name}.{value}"] = Entry(rounded(found.values[value]), text)
        for value, digits in (("size_median", 3), ("size_log_sd", 3)):
            entries[f"populations.{name}.{value}"] = Entry(rounded(found.values[value], digits), f"MEASURED: {fit.sample}")
    return entries, problems


def correction_words(fit: LeverageFit) -> str:
    """What was done about the sample's bias, in a few words; empty if nothing was."""
    words = []
    if fit.bias.winners:
        how = "given" if fit.bias.share is not None else f"s.e. {fit.share_error:.2g}"
        words.append(f"{fit.share:.2f} of unrealised gains taken off account values ({how})")
    if fit.bias.split:
        words.append("accounts weighted to the published split by leverage")
    return "corrected: " + " and ".join(words) if words else ""


def law_entries(law: Any, document: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Entry], list[str]]:
    """The new `[market]` (None to keep the base's), its entries, and why the law is not identified."""
    if not law.converged or law.problems:
        why = "; ".join(law.problems) or "the fit did not converge"
        return None, {}, [f"market ({law.process}): not identified: {why}; the base's [market] is kept"]
    old = document.get("market", {})
    if len(document["assets"]) > 1 and (old.get("process") != law.process or law.process in ("bootstrap", "log_variance")):
        why = f"the base's other assets follow {old.get('process')}, and all have to follow one process"
        return None, {}, [f"market ({law.process}): not used: {why}; the base's [market] is kept"]
    entries = {f"market.{key}": Entry(value, origin) for key, value, origin in law.table()}
    market: dict[str, Any] = {"process": law.process}
    if len(document["assets"]) > 1:
        return {**old}, entries, []
    keep = ("drift", "scheme") if old.get("process") == law.process else ("drift",)
    market |= {key: old[key] for key in keep if key in old}
    market |= {key.removeprefix("market."): entry.value for key, entry in entries.items()}
    return market, entries, []


def by_asset(entries: dict[str, Entry], document: dict[str, Any], asset: str) -> dict[str, Entry]:
    """Numbers of the market, of impact and of depth as those of one asset, where the base has others too, which keep theirs."""
    assets = list(document["assets"])
    if len(assets) == 1:
        return entries
    changed = {}
    for key, entry in entries.items():
        section, _, name = key.partition(".")
        old = (document.get(section) or {}).get(name)
        if section in ("market", "impact", "depth") and old is not None and not isinstance(entry.value, dict):
            others = old if isinstance(old, dict) else dict.fromkeys(assets, old)
            entry = Entry({**others, asset: entry.value}, f"{asset}: {entry.origin}; the others as in the base")
        changed[key] = entry
    return changed


def event_entries(fit: Any, document: dict[str, Any]) -> tuple[dict[str, Entry], list[str]]:
    """Impact, resilience, engine and closing of the other side from unwinds; what is not identified keeps the base's number."""
    from .unwinds.fit import NUMBERS

    entries, problems = {}, list(fit.together)
    known = {number.name: number for number in NUMBERS}
    origin = f"most likely on {len(fit.events)} unwinds ({', '.join(fit.events)})"
    if not fit.converged:
        return {}, [f"{', '.join(fit.names)}: the fit to events did not converge ({fit.message}); the base's values are kept"]
    law = (document.get("impact") or {}).get("law")
    for name, value, error, why in fit.table():
        if not why and name == "impact.coefficient" and law != "power":
            problems.append(f'{name}: not used: impact.law of the base is "{law}", which has none')
            continue
        if why:
            problems.append(f"{name}: not identified: {why}; the base's value is kept")
            continue
        number = known[name]
        prior = f" under a prior about {number.prior[0]:g}" if math.isfinite(number.prior[1]) else ""
        text = f"{value:.4g}{number.unit}" if number.unit in _UNITS else rounded(value)
        entry = Entry(text, f"MEASURED{brackets(error)}, {origin}{prior}")
        section, _, key = name.partition(".")
        for venue in document.get("venues", {}) if section == "venues" else ("",):
            entries[f"venues.{venue}.{key}" if venue else name] = entry
    return entries, problems


__all__ = [
    "brackets",
    "by_asset",
    "correction_words",
    "event_entries",
    "fact_entries",
    "funding_entries",
    "law_entries",
    "leverage_entries",
    "open_interest_entries",
    "rounded",
]
