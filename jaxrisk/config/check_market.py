"""Checks of `[market]` and `[shock]` against the run and the price files."""

import math
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..data.named import Reader
from ..data.names import Context
from ..data.price_grid import Prices, iso, milliseconds, read_prices
from ..data.price_history import History, read_returns
from ..problems import Report
from ..units import SECONDS_PER_YEAR, Span, readable
from .tables import PROCESSES, Bootstrap, FromPrices, LogVariance, Replay, Shock, Table, read_table, read_variant

MOST_JUMPS_A_STEP = 2.0
HALF_LIVES = 8.0
"""Of the slowest factor, before the start, that the file is used for where the scenario does not say: a two-hundredth is left."""
LEAST_DAYS = 30.0


def check_market(
    raw: Any, reader: Reader, context: Context, run: SimpleNamespace, step: Fraction | None
) -> tuple[Table | None, Prices | None, Any]:
    """The process and, where it has one, its price file, and what is sound of the process; `step` in seconds, None if it is not
    known."""
    report, prices = reader.report, None
    market, v = read_variant(PROCESSES, "process", raw, "market", report, context)
    for key in ("jump_rate", "variance_jump_rate"):
        rate = getattr(v, key, None)
        if rate is not None and step is not None:
            _few_jumps(f"market.{key}", rate, step, report)
    block = getattr(v, "mean_block", None)
    if isinstance(market, Bootstrap | Replay) and context.assets:
        prices = read_prices(reader, "market.file", market.file, context.assets, market.column, market.columns, market.day_first)
        if prices is not None and step is not None:
            _on_grid(market, prices, run, step, report)
    if block is not None and step is not None and block.seconds < step:
        report.add("market.mean_block", block, f"has to be at least a step, {readable(step)}")
    return market, prices, v


def _few_jumps(key: str, rate: Any, step: Fraction, report: Report) -> None:
    for name, number in rate.items() if isinstance(rate, dict) else [("", rate)]:
        expected = number * float(step) / SECONDS_PER_YEAR
        if expected > MOST_JUMPS_A_STEP:
            most = f"at most {MOST_JUMPS_A_STEP:g} can be simulated, so shorten the step"
            text = f"makes {expected:.3g} jumps a step of {readable(step)}; {most}"
            report.add(key + (f".{name}" if name else ""), number, text)


def _on_grid(market: Bootstrap | Replay, prices: Prices, run, step, report: Report) -> None:
    """The file's interval and span against the run's."""
    if isinstance(market, Bootstrap):
        if prices.interval != step:
            text = f"has an interval of {readable(prices.interval)}; a bootstrap needs that of the run's step, {readable(step)}"
            report.add("market.file", market.file, text)
        return
    if (step / prices.interval).denominator != 1:
        text = (
            f"has an interval of {readable(prices.interval)}; the run's step, {readable(step)}, has to be a whole multiple of it"
        )
        report.add("market.file", market.file, text)
        return
    if run.horizon is None:
        return
    start = milliseconds(market.start) if market.start is not None else prices.start
    interval = int(prices.interval * 1000)
    last = prices.start + (len(prices.price) - 1) * interval
    needed = start + int(run.horizon.seconds * 1000)
    covers = f"the file covers {iso(prices.start)} to {iso(last)}"
    if start < prices.start or (start - prices.start) % interval or start > last:
        report.add("market.start", market.start, f"has to be one of the file's times; {covers}")
    elif needed > last:
        key, value = ("run.horizon", run.horizon) if market.start is None else ("market.start", market.start)
        report.add(key, value, f"the run goes to {iso(needed)}, but {covers}")


def check_start(market: Any, reader: Reader, context: Context) -> History | None:
    """What a start from price files needs; None where there is no such start, or with problems noted.

    **Arguments:** `market`: the process, or what is sound of it.
    """
    if not isinstance(market, LogVariance) or not isinstance(market.start, FromPrices) or not context.assets:
        return None
    start, key = market.start, "market.start.prices"
    names = start.prices if isinstance(start.prices, dict) else {asset: start.prices for asset in context.assets}
    if len(set(names.values())) < len(context.assets):
        reader.report.add(key, start.prices, 'has to name a file of each asset\'s own prices, such as {BTC = "btc.csv"}')
        return None
    span = start.history.years if start.history is not None else _span(market)
    returns = lambda name: read_returns(reader, "market.start", name, start.until, span, start.columns, start.day_first)
    read = {asset: returns(names[asset]) for asset in context.assets}
    if any(one is None for one in read.values()):
        return None
    found = [one for one in read.values() if one is not None]
    if len({seconds for _, seconds in found}) > 1:
        text = ", ".join(f"{names[a]} has {seconds} s" for a, (_, seconds) in zip(read, found, strict=True))
        reader.report.add(key, start.prices, f"the files have to have bars of the same length; {text}")
        return None
    length = max(len(returns) for returns, _ in found)
    padded = [np.concatenate([np.full(length - len(returns), np.nan), returns]) for returns, _ in found]
    where = ", ".join(dict.fromkeys(names.values()))
    return History(np.stack(padded, axis=1), found[0][1], f"{where} up to {start.until}")


def _span(market: LogVariance) -> float:
    """Years of history that are used; all where half-lives are wrong themselves."""
    if market.half_life is None:
        return math.inf
    rows = market.half_life.values() if isinstance(market.half_life, dict) else [market.half_life]
    slowest = max(span.years for row in rows for span in row if isinstance(span, Span))
    return max(HALF_LIVES * slowest, LEAST_DAYS / 365.0)


def check_shock(raw: Any, reader: Reader, context: Context, run: SimpleNamespace) -> Shock | None:
    """The shock, which has to fit into the horizon."""
    report = reader.report
    shock, v = read_table(Shock, raw, "shock", report, context)
    if v.window is None or run.horizon is None:
        return shock
    start = v.at.seconds if v.at is not None and v.at != "random" else 0
    if start + v.window.seconds > run.horizon.seconds:
        key = "at" if start and v.window.seconds <= run.horizon.seconds else "window"
        report.add(f"shock.{key}", getattr(v, key), f"the shock has to end within the horizon, {run.horizon}")
    return shock
