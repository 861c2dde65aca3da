"""A path in words: what the price does, of which how much before liquidations, in how many jumps, with what volatility."""

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

HOURS_PER_YEAR = 8760.0
_NUMBERS = ("no", "one", "two", "three", "four")


class Jump(NamedTuple):
    """A jump of the exogenous price: `hours` after the start, which `asset` (`"all"` for a common one), `move`: fraction of the
    price (of each asset's, for a common one, that of the first)."""

    hours: float
    asset: str
    move: float


def percent(fraction: float) -> str:
    """A fraction for people.

    >>> percent(0.1234), percent(0.00123)
    ('12.3%', '0.12%')
    """
    size = abs(100.0 * fraction)
    return f"{size:.1f}%" if size >= 0.95 else f"{size:.2g}%"


def clock(hours: float, horizon_hours: float) -> str:
    """A time for people: the hour, or for long horizons the day.

    >>> clock(7.25, 24.0), clock(60.0, 168.0)
    ('hour 7.2', 'day 2.5')
    """
    return f"day {hours / 24.0:.1f}" if horizon_hours > 96.0 else f"hour {hours:.1f}"


def deepest(log_price: Float[np.ndarray, " times"]) -> tuple[int, int, float]:
    """From where to where the log price falls furthest, and how far (positive)."""
    highest = np.maximum.accumulate(log_price)
    trough = int(np.argmax(highest - log_price))
    return int(np.argmax(log_price[: trough + 1])), trough, float(highest[trough] - log_price[trough])


def in_words(path: Any, assets: tuple[str, ...], horizon_years: float) -> str:
    """The path of a `StressPath`, in a few sentences."""
    hours = np.linspace(0.0, horizon_years * HOURS_PER_YEAR, len(path.price))
    sentences = [_move(path, a, name, hours) for a, name in enumerate(assets)]
    sentences = [text for text in sentences if text] or ["The price hardly moves"]
    sentences += _jumps(path, assets, hours[-1])
    if path.volatility is not None:
        for a, name in enumerate(assets):
            begin, most = float(path.volatility[0, a]), float(path.volatility[:, a].max())
            of = f" of {name}" if len(assets) > 1 else ""
            if most > 1.1 * begin:
                when = clock(hours[int(np.argmax(path.volatility[:, a]))], hours[-1])
                sentences.append(f"Volatility{of} rises from {begin:.0%} to {most:.0%} (at {when})")
            else:
                sentences.append(f"Volatility{of} stays about {begin:.0%}")
    total = float(path.liquidated[-1])
    if total > 0.0:
        half = clock(hours[int(np.searchsorted(path.liquidated, 0.5 * total))], hours[-1])
        sentences.append(f"{_usd(total)} liquidated, half of it by {half}")
    else:
        sentences.append("Nothing is liquidated")
    return ". ".join(sentences) + "."


def _move(path: Any, a: int, name: str, hours) -> str:
    price, exogenous = path.price[:, a], path.log_price[:, a]
    begin, end, fall = deepest(price)
    low, high, rise = deepest(-price)
    rising = rise > fall
    if rising:
        begin, end = low, high
    size = float(np.expm1(rise) if rising else -np.expm1(-fall))
    if size < 0.005:
        return ""
    _, _, alone = deepest(-exogenous if rising else exogenous)
    before = float(np.expm1(alone) if rising else -np.expm1(-alone))
    verb = "rises" if rising else "falls"
    share = "" if abs(size - before) < 5e-4 else f", of which {percent(before)} before liquidations"
    return f"{name} {verb} {percent(size)}{share}, from {clock(hours[begin], hours[-1])} to {clock(hours[end], hours[-1])}"


def _jumps(path: Any, assets: tuple[str, ...], horizon_hours: float) -> list[str]:
    if not path.jumps:
        return ["It comes without a jump"] if path.can_jump else []
    who = lambda jump: "" if len(assets) == 1 else "all assets " if jump.asset == "all" else f"{jump.asset} "
    each = [f"{who(jump)}{100.0 * jump.move:+.1f}% at {clock(jump.hours, horizon_hours)}" for jump in path.jumps]
    listed = each[0] if len(each) == 1 else f"{', '.join(each[:-1])} and {each[-1]}"
    number = _NUMBERS[len(path.jumps)] if len(path.jumps) < len(_NUMBERS) else str(len(path.jumps))
    jumped = {name: sum(math.log1p(jump.move) for jump in path.jumps if jump.asset in (name, "all")) for name in assets}
    moved = {name: max(deepest(sign * path.log_price[:, a])[2] for sign in (1.0, -1.0)) for a, name in enumerate(assets)}
    most = any(abs(jumped[name]) > 0.5 * moved[name] for name in assets)
    share = "Most of it" if most else "Some of it"
    return [f"{share} in {number} jump{'s' if len(each) > 1 else ''}: {listed}"]


def _usd(amount: float) -> str:
    for factor, unit in ((1e9, "USD B"), (1e6, "USD M"), (1e3, "USD k")):
        if amount >= factor:
            return f"{amount / factor:,.1f} {unit}"
    return f"{amount:,.0f} USD"


__all__ = ["HOURS_PER_YEAR", "Jump", "clock", "deepest", "in_words", "percent"]
