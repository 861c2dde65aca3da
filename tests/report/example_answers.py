"""An answer of every kind, of the classes that users get, made of drawn numbers: nothing is simulated."""

import functools
from types import SimpleNamespace
from typing import Any

import numpy as np
from report import example_studies as example, example_sweeps as sweeps

from jaxrisk.backtest.attribution.attributed import Attributed, Attributions, Interval, WhatIf, Width
from jaxrisk.backtest.days.periods import Periods
from jaxrisk.backtest.days.run import ENGINE, FHS, DayTest, Horizon
from jaxrisk.backtest.days.scores import collected, score_one
from jaxrisk.backtest.events.run import Backtest
from jaxrisk.backtest.events.scored import Score
from jaxrisk.backtest.replay.check import ReplayCheck, Replayed, compare
from jaxrisk.backtest.scores import Samples, central, quantile
from jaxrisk.calibration.accounts.bias import Bias
from jaxrisk.calibration.accounts.ladder import Ladder
from jaxrisk.calibration.accounts.leverage import Leverage, LeverageFit
from jaxrisk.calibration.document import Entry
from jaxrisk.calibration.laws.fits import LawFit
from jaxrisk.calibration.market_facts import Fact
from jaxrisk.calibration.run import Calibration
from jaxrisk.report import Result
from jaxrisk.risk.measure import Measure
from jaxrisk.risk.shapley import Shapley, Share
from jaxrisk.studies.attribution import Amplified, Attribution, Contagion
from jaxrisk.studies.design import Design
from jaxrisk.studies.maturity import Maturity, Structure
from jaxrisk.studies.rare_event import RareEvent
from jaxrisk.studies.reverse_stress import ReverseStress
from jaxrisk.studies.sensitivity import Sensitivities
from jaxrisk.studies.warning import Level, Warned

MEASURES = [Measure.of("mean(max_drawdown_index)"), Measure.of("expected_shortfall(open_interest_loss_fraction, 0.99)")]


def real(kind: type, fields: Any) -> Any:
    """An answer of a class with the fields of an example."""
    made = object.__new__(kind)
    vars(made).update(vars(fields))
    return made


def run(paths: int = 60) -> Result:
    """A run from any day, with kept paths and their open interest."""
    made = example.run(start="stationary")
    random = np.random.default_rng(3)
    walk = np.cumsum(0.004 * random.standard_normal((paths, 97, 2)), axis=1)
    walk -= walk[:, :1]
    held = 1e9 * np.exp(2.0 * np.minimum.accumulate(np.minimum(walk, 0.0), axis=1))[:, :, None, :] * np.array([0.6, 0.4])[:, None]
    made.samples = {"price": walk, "open_interest": held}
    return made


def study() -> Any:
    """Three caps in four branches."""
    return sweeps.caps(branches=True)


def sensitivities() -> Sensitivities:
    """Five parameters."""
    return real(Sensitivities, example.sensitivities())


def design() -> Design:
    """Two limits."""
    return real(Design, example.design())


def rare_event() -> RareEvent:
    """Of weighted paths."""
    fields = example.rare_event()
    return real(RareEvent, fields)


def reverse_stress() -> ReverseStress:
    """Three ways; in the second prices jump three times within two hours, in the third at the very end."""
    time = np.linspace(0.0, 1.0, 49)[:, None]
    jumped = lambda *jumps: sum(np.where(time >= hour / 24.0, move, 0.0) for hour, move in jumps)
    many, late = ((9.0, -0.05), (9.5, -0.04), (10.5, -0.03)), ((23.5, -0.12),)
    jump = lambda jumps: tuple(SimpleNamespace(hours=hour, move=move) for hour, move in jumps)
    common = {"liquidated": 4e8 * time[:, 0], "drive_labels": (("price", "BTC"), ("variance", "BTC")), "losses": {}, "loss": 0.15}
    drive = -np.concatenate([0.4 + 0.0 * time[1:], 0.2 * time[1:]], axis=1)
    answers = [
        SimpleNamespace(distance=8.2, log_price=-0.1 * time, price=-0.16 * time, volatility=0.6 + 0.2 * time, probability=2.6e-5,
                        words="a steady fall", jumps=(), drive=drive, **common),
        SimpleNamespace(distance=9.4, log_price=jumped(*many), price=1.35 * jumped(*many), volatility=0.6 + 0.1 * time,
                        probability=8.1e-6, words="three jumps", jumps=jump(many), drive=0.3 * drive, **common),
        SimpleNamespace(distance=10.4, log_price=jumped(*late), price=1.35 * jumped(*late), volatility=0.6 + 0.0 * time,
                        probability=2.4e-6, words="one jump at the end", jumps=jump(late), drive=0.1 * drive, **common),
    ]  # fmt: skip
    made = real(ReverseStress, example.reverse_stress(answers=answers, horizon_years=1 / 365, initial_price=np.array([78_000.0])))
    del made.hours
    return made


def _share(value: float, error: float, whole: float) -> Share:
    return Share(value, error, value / whole, error / whole, np.zeros(3))


def _shapley(none: float, parts: list[tuple[float, float]]) -> Shapley:
    whole = none + sum(value for value, _ in parts)
    total = _share(whole - none, 0.02 * whole, whole)
    shares = tuple(_share(value, error, whole - none) for value, error in parts)
    return Shapley(shares, total, (none, 0.01 * whole), (whole, 0.015 * whole), ((whole - none) / whole, 0.02), 0)


def attribution() -> Attribution:
    """Three channels, one that helps and one that rests on too few paths, six sizes of the shock, three venues."""
    channels = [
        ("impact of forced orders", "orders move no price"),
        ("depth withdrawal", "depth stays"),
        ("margin calls", "none"),
    ]
    shares = [_shapley(0.052, [(0.021, 0.001), (0.012, 0.0009), (-0.004, 0.0006)]),
              _shapley(0.083, [(0.041, 0.004), (0.022, 0.003), (0.003, float("nan"))])]  # fmt: skip
    rows = [
        Amplified(x, 0.03 * x**1.4, 1e-3, 0.03 * x, 8e-4, x**0.4, 0.02, 0.05 * x**1.8, 2e-3) for x in (0.25, 0.5, 1.0, 1.5, 2.0)
    ]
    venues = ("binance", "bybit", "okx")
    value = np.array([[0.021, 0.009, 0.012], [0.004, 0.013, 0.003], [0.0, 0.001, 0.006]])
    matrix = Contagion("venues", venues, value, np.where(value > 0.0, 0.1 * value + 2e-4, 0.0), "log fall of a mark")
    info = {"name": "example", "title": "An example", "paths": 4000, "runs": 14, "seed": 1}
    return Attribution(channels, MEASURES, shares, rows, [matrix], info)


def maturity() -> Maturity:
    """Three changes between two structures."""
    values = {"leverage": 2.0, "depth": 1.0}
    since, to = (Structure(f"btc_{year}", f"Bitcoin, {year}", f"{year}-01-01", (), values) for year in (2021, 2026))
    changes = [("leverage of accounts", 2.0, 1.2), ("depth beside volume", 1.0, 0.7), ("open interest over volume", 0.3, 0.5)]
    shares = [_shapley(0.083, [(-0.031, 0.001), (0.012, 0.0009), (0.006, 0.0006)]),
              _shapley(0.21, [(-0.062, 0.006), (0.022, 0.003), (0.013, 0.002)])]  # fmt: skip
    info = {"name": "example", "title": "An example", "paths": 4000, "runs": 8, "seed": 1}
    return Maturity(since, to, changes, MEASURES, shares, info)


def attributions() -> Attributions:
    """One unwind, under three caps."""
    minutes = np.arange(0.0, 1440.0, 15.0)
    path = -0.16 * np.exp(-(((minutes - 800.0) / 260.0) ** 2))
    middle = 0.72 * path
    spread = lambda value, half: Interval(value, value - half, value + half)
    caps = tuple(WhatIf(f"cap {cap}", spread(0.148 * (1.0 - 0.3 / cap**0.5), 0.01), spread(0.2, 0.05), spread(0.1, 0.03),
                        spread(0.3, 0.1)) for cap in (20, 10, 2))  # fmt: skip
    widths = {"impact": Width(0.1, 0.02, 0.2), "book": Width(0.05, 0.02, 0.1)}
    one = Attributed(
        "2024-08-05", "The fifth of August 2024", 0.148, 0.21, spread(0.28, 0.09), spread(0.107, 0.013), spread(0.12, 0.05),
        spread(0.6, 0.2), spread(0.12, 0.05), spread(0.3, 0.1), 0.1, 0.05, widths, widths, caps, spread(0.4, 0.1), 0.001, 64.0,
        path, np.stack([middle - 0.02, middle, middle + 0.02]), minutes,
    )  # fmt: skip
    return Attributions([one], ["a note"], {"draws": 64})


def warned() -> Warned:
    """Two venues and one asset; the first has a level that must not break."""
    log_price = -np.linspace(0.0, 0.7, 71)
    hump = lambda top, at: top * np.exp(-(((log_price + at) / 0.1) ** 2))
    number = np.stack([hump(1.3, 0.15), hump(0.6, 0.25)])[:, None]
    near = Level("binance", "BTC", 0.0952, 0.086, 0.131, 70_574.0, 0.9, 1.3, 1.0, 1.6)
    far = Level("bybit", "BTC", float("inf"), float("inf"), float("inf"), float("nan"), 0.0, 0.6, 0.5, 0.8)
    info = {"name": "example", "title": "An example", "draws": 32}
    return Warned([near, far], 1.0, ("binance", "bybit"), ("BTC",), log_price, number, 0.8 * number, 1.2 * number, info)


def calibration() -> Calibration:
    """Of prices and accounts."""
    moves = (0.02, 0.05, 0.10, 0.20, 0.30)
    share = {("BTC", "long"): np.array([0.01, 0.05, 0.14, 0.3, 0.41]), ("BTC", "short"): np.array([0.01, 0.03, 0.09, 0.21, 0.3])}
    before = {key: 1.3 * value for key, value in share.items()}
    fit = lambda median: Leverage({"median": median, "log_sd": 1.1}, {"median": 0.3, "log_sd": 0.1},
                                  {"median": 1.4 * median, "log_sd": 1.2}, {"median": 0.8 * median, "log_sd": 1.0},
                                  {"median": 1.5 * median, "log_sd": 1.3}, 400, 90.0, ())  # fmt: skip
    fits = {("BTC", "retail", "long"): fit(4.2), ("BTC", "retail", "short"): fit(3.1)}
    leverage = LeverageFit(fits, Bias(), 0.0, 0.0, (), "accounts.csv")  # type: ignore[arg-type]
    law = LawFit("merton", {"volatility": 0.52}, {"volatility": 0.02}, True, (), {}, "prices.csv, 2024", "by likelihood")
    entries = {"market.volatility": Entry(0.52, "MEASURED: prices.csv <2024>, s.e. 0.02")}
    return Calibration("mine", "btc_24h", "BTC", {}, entries, {}, law, {"price": Fact(78_000.0, 10.0, "last close")}, leverage,
                       None, None, None, Ladder(moves, share, {"BTC": 1e9}), Ladder(moves, before, {"BTC": 1e9}),
                       problems=["`impact` is not identified"])  # fmt: skip


def backtest() -> Backtest:
    """Two events, three forecasts of two quantities."""
    random, samples, scores = np.random.default_rng(4), {}, []
    seen = {"2021-05-19": (0.31, 0.28), "2024-08-05": (0.16, 0.2)}
    for event, (fall, lost) in seen.items():
        for place, name in enumerate(("engine", "GARCH-t", "bootstrap")):
            draws = [value * random.lognormal(-0.2 * place, 0.5, 400) for value in (fall, lost)]
            samples[event, "conditional", name] = Samples(draws[0], draws[1] if place < 2 else None)
            for quantity, value, x in zip(("drawdown", "open_interest_loss"), (fall, lost), draws, strict=True):
                if quantity == "drawdown" or place < 2:
                    ends = central(x, 0.9)
                    scores.append(Score(event, name, "conditional", quantity, value, quantile(x, 0.5), *ends, 0.5, True, True,
                                        0.02 + 0.01 * place, -1.0 + 0.1 * place))  # fmt: skip
    of = lambda name: SimpleNamespace(drawdown=seen[name][0], open_interest_loss=seen[name][1], rebound=None, long_share=None)
    events = tuple(SimpleNamespace(name=name, observed=functools.partial(of, name)) for name in seen)
    return Backtest(events, samples, tuple(scores), ("a note",))  # type: ignore[arg-type]


def day_test(days: int = 300) -> DayTest:
    """Days whose falls and rises two forecasters tell, the second too narrow."""
    random = np.random.default_rng(5)
    observed = {name: 0.03 * random.lognormal(0.0, 0.6, days) for name in ("fall", "rise")}
    scores = {
        name: {key: collected([score_one(0.03 * random.lognormal(0.0, wide, 200), float(x)) for x in seen])
               for key, seen in observed.items()}
        for name, wide in ((ENGINE, 0.6), (FHS, 0.35))
    }  # fmt: skip
    bars = SimpleNamespace(dates=np.datetime64("2023-01-01") + np.arange(days), first=np.datetime64("2023-01-01"))
    periods = Periods(bars, 24 * np.arange(days), 1, observed)  # type: ignore[arg-type]
    return DayTest((Horizon(periods, scores),), (np.datetime64("2023-01-01"),), 200, 1, "drawn", ())


def replay() -> ReplayCheck:
    """Three days of one asset."""
    random, hours = np.random.default_rng(6), 72
    time = np.datetime64("2024-08-03T00", "h") + np.arange(hours)
    price = 60_000.0 * np.exp(np.cumsum(0.006 * random.standard_normal(hours)))
    implied = random.lognormal(3.0, 1.4, (hours, 2))
    held = 80_000.0 - np.concatenate([[0.0], np.cumsum(0.02 * implied.sum(1))])
    one = Replayed("BTC", time, price, random.random(hours), random.random(hours), implied,
                   implied * random.lognormal(0.0, 0.3, (hours, 2)) / 9.0, held, held * 1.01)  # fmt: skip
    return compare([one], "2024-08-03", "2024-08-06", ["a note"])


ANSWERS: dict[str, Any] = {
    "Result": run, "Study": study, "OverRanges": sweeps.over_ranges, "Sensitivities": sensitivities, "Design": design,
    "ReverseStress": reverse_stress, "RareEvent": rare_event, "Attribution": attribution, "Maturity": maturity,
    "Attributions": attributions, "Warned": warned, "Calibration": calibration, "Backtest": backtest, "DayTest": day_test,
    "ReplayCheck": replay,
}  # fmt: skip
"""Each kind of answer, by the name of its class."""
