"""Words of doubt about a configuration that can be run: what is likely not meant, or not taken as written."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from .tables import Histogram, Lognormal
from .tables.venues import HALT_LENGTH

if TYPE_CHECKING:
    from .checked import Checked

LEAST_SHARE = 0.01
"""Share of a population's open interest below which it is no matter that a venue allows it less leverage."""
DAYS = (1e-5, 100.0)
"""Open interest in days of traded volume: markets have a tenth of a day to some days. Beyond these a unit is likely wrong."""


def doubts(checked: "Checked") -> list[str]:
    """A line on each doubt about a configuration without problems; empty for most.

    On names of contracts that a table has in place of an asset's; on leverage above what a venue allows for the size, which is
    taken at that; on open interest of so many, or so few, days of volume that a unit is likely wrong; and on halts of trading of
    no whole number of steps, which last longer.
    """
    return [*checked.said, *_leverage(checked), *_units(checked), *_halts(checked)]


def _leverage(checked: "Checked") -> Iterable[str]:
    for name, holders in checked.populations.items():
        if not isinstance(holders, Lognormal | Histogram):
            continue
        tiers = checked.tiers.get((holders.venue, holders.asset), [])
        reached = [tier.max_leverage for tier in tiers if holders.size_median >= tier.floor_usd]
        allowed = min(reached, default=math.inf)
        said = f"populations.{name}: {{}} more leverage than {{}}; it is taken at that"
        venue = f"{holders.venue} allows for its size, {allowed:g}"
        if isinstance(holders, Lognormal):
            if holders.median > min(allowed, holders.high):
                most = venue if allowed <= holders.high else f"its key high says, {holders.high:g}"
                yield said.format(f"at a median of {holders.median:g} most of its open interest wants", most)
                continue
            beyond = _share_above(holders, allowed)
        else:
            leverage, share = checked.histograms[name]
            beyond = float(np.sum(np.array(share)[np.array(leverage) > allowed]))
        if beyond >= LEAST_SHARE:
            yield said.format(f"{beyond:.0%} of its open interest wants", venue)


def _share_above(holders: Lognormal, leverage: float) -> float:
    """Share of open interest above a leverage."""
    if leverage >= holders.high or holders.log_sd == 0.0:
        return 0.0
    return 0.5 * math.erfc(math.log(leverage / holders.median) / holders.log_sd / math.sqrt(2.0))


def _units(checked: "Checked") -> Iterable[str]:
    volume = getattr(checked.impact, "daily_volume", None)
    if volume is None:
        return
    for asset, (held, coins) in _open_interest(checked).items():
        days = held / (volume[asset] if isinstance(volume, dict) else volume)
        if held > 0.0 and not DAYS[0] <= days <= DAYS[1]:
            unit = "is it, or the volume, in coins where dollars are asked, or the other way about?"
            if coins > 0.5 * held:
                unit = "is quantity in dollars where coins are asked, or the other way about?"
            yield f"open interest of {asset}: {held:.3g} USD a side is {days:,.6g} days of its volume; {unit}"


def _halts(checked: "Checked") -> Iterable[str]:
    run = checked.run
    step = float(run.horizon.seconds / run.count)
    for name, venue in checked.venues.items():
        if venue.halt_move is None or (venue.halts or "trading") != "trading":
            continue
        steps = float((venue.halt_length or HALT_LENGTH).seconds) / step
        if steps > 0.0 and abs(steps - round(steps)) > 1e-3:
            yield (
                f"venues.{name}.halt_length: {steps:.3g} steps; trading halts for whole ones, {math.ceil(steps) * step:g} seconds"
            )


def _open_interest(checked: "Checked") -> dict[str, tuple[float, float]]:
    """The larger side's open interest by asset, USD, and what of it is from tables of quantities in coins."""
    assets = list(checked.assets)
    held, coins = np.zeros((len(assets), 2)), np.zeros((len(assets), 2))
    for name, holders in checked.populations.items():
        if isinstance(holders, Lognormal | Histogram):
            sides = [holders.side != "short", holders.side != "long"]
            held[assets.index(holders.asset)] += holders.open_interest * np.array(sides, float)
        elif name in checked.maps:
            table = checked.maps[name]
            held[assets.index(getattr(holders, "asset", ""))] += np.bincount(table.side, table.open_interest, 2)
        else:
            table = checked.accounts.get(name) or checked.cross_accounts.get(name)
            if table is None:
                continue
            short = np.asarray(table.side) == (1 if name in checked.accounts else -1)
            price = np.array([1.0 if one is None else one.price for one in checked.assets.values()])[table.asset]
            np.add.at(coins, (np.asarray(table.asset), short.astype(int)), table.quantity * price)
    total = held + coins
    larger = total.argmax(axis=1)
    return {
        asset: (float(total[i, side]), float(coins[i, side])) for i, (asset, side) in enumerate(zip(assets, larger, strict=True))
    }


__all__ = ["doubts"]
