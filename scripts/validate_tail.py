"""Whether the price law, with forced orders on top, has the tail that history has. Exit 1 where a line falls short.

    python scripts/validate_tail.py --data FOLDER            all fits and every day, about an hour on two cores
    python scripts/validate_tail.py --data FOLDER --quick    few simulated records: to see that it runs

FOLDER holds prices/btc_perp_1h_2019_2026.csv.gz, hourly bars of a Bitcoin perpetual, which is not part of the project.

Fits the law of `btc_any_day` and the strength of impact to every day of the file by indirect inference
(`calibration/indirect/estimate.py`), with the positions and mechanics of `btc_24h` in every simulated day, and prints

1. days with a fall or rise beyond 3 to 19.5%, all and ordinary ones, beside history's. In sample: of records as long, simulated.
   Out of sample, from a fit to 2019 to 2022, for 2023 to 2026: each day from the state filtered to its first hour. The 95%
   interval is of counting and of what is not known of the parameters, which are drawn from their estimate. Beyond 15% its upper
   end counts half as high again, since the file leaves out stretches with grave falls;
2. the regulators' table of close-outs, with history's distance in standard deviations of a record;
3. the law of `btc_24h` as it was (Bates, from its mean variance) beside it;
4. the same fit without feedback, and how much of falls was forced orders;
5. every day from 2021 on, refitted yearly (`jaxrisk backtest --days`): value at risk at 99 and 99.9%, scores beyond 5 and 10%
   against each competitor, and the 90% interval; the law of `btc_24h`, from each day's forecast of its variance, beside it.
   `--fits FILE.json` keeps the yearly fits.
"""

import argparse
import dataclasses
import sys
import time
from pathlib import Path

import numpy as np

import jaxrisk
from jaxrisk.backtest.days.engine import ENGINE, Fit, Fits, engine
from jaxrisk.backtest.days.periods import path_quantities, periods
from jaxrisk.backtest.days.rivals import daily_variance
from jaxrisk.backtest.days.run import REGRESSION, backtest_days
from jaxrisk.backtest.days.scores import LEVELS as AT_RISK, collected, score_one
from jaxrisk.backtest.days.table import compared, tested
from jaxrisk.calibration.indirect.bars import HOURS, DayBars, day_bars
from jaxrisk.calibration.indirect.histories import histories
from jaxrisk.calibration.indirect.log_variance import TailFit, TailModel, fit_tail, forced_points, in_words, simulated
from jaxrisk.calibration.indirect.moments import HORIZONS, LEVELS, LEVERAGE, kinds, moments
from jaxrisk.data.price_file import read_price_file

PRICES = "prices/btc_perp_1h_2019_2026.csv.gz"
SINCE, SPLIT, EVERY_DAY = "2019-10-01", "2023-01-01", "2021-01-01"


def main() -> int:
    options = _options()
    path = Path(options.data) / PRICES
    if not path.is_file():
        print(f"{path}: no such file; --data has to name the folder with the price files", file=sys.stderr)
        return 2
    bars = day_bars(read_price_file(path)).between(SINCE)
    scenario = jaxrisk.load("btc_24h")
    sizes = {"records": 8, "days": 1024} if options.quick else {"records": options.records, "days": 4096}
    rounds, draws = (1, 2) if options.quick else (options.rounds, options.draws)
    short: list[str] = []

    print(f"{len(bars.close)} days since {SINCE}, {bars.complete.sum()} of them complete")
    whole = _fit("all days, with feedback", TailModel(bars, scenario, **sizes), rounds)
    _counts("in sample", whole, TailModel(bars, scenario, **sizes), draws, short)
    early = TailModel(bars.between(None, SPLIT), scenario, **sizes)
    half = _fit(f"days before {SPLIT}, with feedback", early, rounds, whole.estimate.values)
    _forecast_counts(half, bars, scenario, draws // 2, options.paths // 4, short)
    _close_outs(whole, TailModel(bars, scenario, **sizes), draws, short)
    _former(bars, scenario, sizes["records"])
    without = _fit("all days, without feedback", TailModel(bars, None, **sizes), rounds, whole.estimate.values[:-2])
    near, far = whole.estimate.distance, without.estimate.distance
    print(f"distance to the record: {near:.1f} with feedback, {far:.1f} without")
    _leverage(whole, TailModel(bars, scenario, **sizes), draws)
    last = bars.dates[-1] if not options.quick else np.datetime64(EVERY_DAY) + 20
    _every_day(bars, scenario, last, options.paths, Fits(options.fits, f"validate_tail, {len(bars.close)} days"), short)
    print("\n" + (f"FALLS SHORT: {'; '.join(short)}" if short else "all lines hold"))
    return 1 if short else 0


def _options():
    parser = argparse.ArgumentParser(description="Whether the law has the tail that history has; exit 1 where it does not.")
    parser.add_argument("--data", required=True, help="folder that holds prices/")
    parser.add_argument("--records", type=int, default=32, help="simulated records a step of the fit (32)")
    parser.add_argument("--rounds", type=int, default=6, help="most steps for each of two weights (6)")
    parser.add_argument("--draws", type=int, default=12, help="parameters drawn from their estimate for intervals (12)")
    parser.add_argument("--paths", type=int, default=5000, help="paths of each day's forecast (5000)")
    parser.add_argument("--fits", type=Path, help="keep the yearly fits in this JSON file, and take them from it")
    parser.add_argument("--quick", action="store_true", help="few of everything: to see that it runs")
    return parser.parse_args()


def _fit(what: str, model: TailModel, rounds: int, start=None) -> TailFit:
    began = time.perf_counter()
    print(f"\n== {what}", flush=True)
    told = lambda step, value, _: print(f"   step {step}: distance {value:.1f}, {time.perf_counter() - began:.0f} s", flush=True)
    fit = fit_tail(model, rounds=rounds, start=start, report=told)
    found = fit.estimate
    values = in_words(fit.names, found.values)
    for name, error in zip(fit.names, found.errors, strict=True):
        print(f"   {name:32s}{values[name]:10.4g}   standard error on the fit's scale {error:.2g}")
    print(f"   distance {found.distance:.1f}; {found.beyond:.0%} of simulated records lie further from theirs")
    names = np.array(fit.recorded.names)[fit.used]
    pull = (fit.recorded.values[fit.used] - found.mean) / np.maximum(found.deviation, 1e-12)
    worst = np.argsort(-np.abs(pull))[:6]
    print("   furthest: " + ", ".join(f"{names[i]} {pull[i]:+.1f}" for i in worst))
    return fit


def _predicted(fit: TailFit, model: TailModel, draws: int) -> np.ndarray:
    """Moments of records at parameters drawn from their estimate, `(draws * records, moments)`."""
    rng = np.random.default_rng(7)
    values, covariance = fit.estimate.values, fit.estimate.covariance
    # what the record hardly tells is drawn no further than one unit of the fit's scale, where slopes still hold
    root = np.linalg.cholesky(covariance + 1e-12 * np.eye(len(values)))
    found = []
    for i in range(draws):
        step = np.clip(root @ rng.standard_normal(len(values)), -1.0, 1.0)
        found.append(dataclasses.replace(model, seed=100 + i).simulate(values + step))
    return np.concatenate(found)


def _counts(what: str, fit: TailFit, model: TailModel, draws: int, short: list[str]) -> None:
    history, drawn = moments(model.bars), _predicted(fit, model, draws)
    place = {name: i for i, name in enumerate(history.names)}
    print(f"\n-- days with a move beyond, {what} ({history.days} days): history, model, 95% interval")
    print("   " + " " * 16 + "".join(f"{level:>18.1%}" for level in LEVELS))
    for move in ("fall", "rise"):
        for kind in ("", " ordinary"):
            cells = []
            for level in LEVELS:
                i = place[f"{move} {level:.3g}{kind}"]
                cells.append(_cell(history.values[i], drawn[:, i], level, f"{move} beyond {level:.1%}{kind}, {what}", short))
            print(f"   {move + (kind or ' all'):16s}" + "".join(cells))


def _forecast_counts(fit: TailFit, bars: DayBars, scenario, draws: int, paths: int, short: list[str]) -> None:
    """Days from `SPLIT` on, each forecast from its own state by a law fitted before; parameters drawn from their estimate."""
    rng, late = np.random.default_rng(7), bars.between(SPLIT)
    begin, values = int((late.first - bars.first).astype(int)), fit.estimate.values
    usable, ordinary = kinds(late)
    days = np.flatnonzero(usable)
    root = np.linalg.cholesky(fit.estimate.covariance + 1e-12 * np.eye(len(values)))
    counts = {}
    for i in range(max(draws, 1)):
        step = np.clip(root @ rng.standard_normal(len(values)), -1.0, 1.0)
        made = engine(bars, scenario, Fit(late.first, True, values + step, 0.0), begin, len(bars.close), 1, seed=100 + i)
        drawn = [made.samples(HOURS * (begin + int(day)), paths, 100 + i) for day in days]
        for move in ("fall", "rise"):
            chance = np.array([[np.mean(x[move] > level) for level in LEVELS] for x in drawn])
            hits = rng.random((200, *chance.shape)) < chance
            for kind, used in (("", np.ones(len(days), bool)), (" ordinary", ordinary[days])):
                counts.setdefault(move + kind, []).append(hits[:, used].sum(axis=1))
    history = moments(late)
    place = {name: i for i, name in enumerate(history.names)}
    print(f"\n-- days with a move beyond, from {SPLIT} on, fitted before ({history.days} days): history, forecast, 95% interval")
    print("   " + " " * 16 + "".join(f"{level:>18.1%}" for level in LEVELS))
    for name, found in counts.items():
        drawn, cells = np.concatenate(found), []
        for k, level in enumerate(LEVELS):
            move, _, kind = name.partition(" ")
            seen = history.values[place[f"{move} {level:.3g}{' ' * bool(kind)}{kind}"]]
            cells.append(_cell(seen, drawn[:, k], level, f"{name} beyond {level:.1%}, from {SPLIT} on", short))
        print(f"   {name if ' ' in name else name + ' all':16s}" + "".join(cells))


def _cell(seen: float, drawn: np.ndarray, level: float, what: str, short: list[str]) -> str:
    """History, mean and 95% interval of a count; a mark, and a line in `short`, where it lies outside."""
    low, high = np.quantile(drawn, (0.025, 0.975))
    high = 1.5 * high if level >= 0.15 else high
    holds = low <= seen <= high
    if not holds:
        short.append(f"{what}: {seen:.0f} not in {low:.1f} to {high:.1f}")
    return f"{seen:5.0f} {drawn.mean():5.1f} {low:.0f}-{high:.0f}{' ' if holds else '!'}".rjust(18)


def _close_outs(fit: TailFit, model: TailModel, draws: int, short: list[str]) -> None:
    history, drawn = moments(model.bars), _predicted(fit, model, draws)
    place = {name: i for i, name in enumerate(history.names)}
    print("\n-- close-outs, per cent of openings: history, model, distance in standard deviations of a record")
    beyond = {2.0: [], 3.0: []}
    for leverage in LEVERAGE:
        cells = []
        for horizon in HORIZONS:
            for side in ("long", "short"):
                name = f"{side} {leverage:g}x {horizon}d"
                seen, column = history.values[place[name]], drawn[:, place[name]]
                far = (seen - column.mean()) / max(column.std(), 1e-9)
                cells.append(f"{seen:7.2f} {column.mean():6.2f} {far:+4.1f}".rjust(21))
                for bound, names in beyond.items():
                    if abs(far) > bound:
                        names.append(name)
        print(f"   {leverage:4g}x" + "".join(cells))
    print(f"   beyond 2: {len(beyond[2.0])} of 36 (3 allowed), beyond 3: {len(beyond[3.0])} (none allowed)")
    if len(beyond[2.0]) > 3 or beyond[3.0]:
        short.append(f"close-outs beyond 2 standard deviations: {', '.join(beyond[2.0])}")


def _former(bars: DayBars, scenario, records: int) -> None:
    """The law that btc_24h had, from its mean variance: what is to be beaten."""
    drawn, _, _ = simulated(scenario.market, bars, records, 11)
    history = moments(bars)
    print("\n-- Bates, the law of btc_24h, without feedback: history, model, 95% interval")
    for move in ("fall", "rise"):
        for kind in ("", " ordinary"):
            cells = []
            for level in LEVELS:
                i = history.names.index(f"{move} {level:.3g}{kind}")
                low, high = np.quantile(drawn[:, i], (0.025, 0.975))
                cells.append(f"{history.values[i]:5.0f} {drawn[:, i].mean():5.1f} {low:.0f}-{high:.0f}".rjust(18))
            print(f"   {move + (kind or ' all'):16s}" + "".join(cells))


class _Former:
    """The law of `btc_24h`, from each day's forecast of its variance: what is to be rejected."""

    def __init__(self, scenario, bars: DayBars, until: int):
        self.market, self.variance = scenario.market, daily_variance(bars, until)

    def samples(self, start: int, paths: int, seed: int) -> dict[str, np.ndarray]:
        """Of the day that begins with hour `start`."""
        # the forecast is of the mean log of realised variance; the law starts from the mean
        daily = np.exp(self.variance.at(start) + 0.5 * self.variance.residual**2)
        law = dataclasses.replace(self.market, variance=np.array([365.0 * daily]))
        bars = histories(law, 1, paths, seed + start).bars[:, :, 0]
        return path_quantities(bars[0], bars[1], bars[2])


def _every_day(bars: DayBars, scenario, last, paths: int, fits: Fits, short: list[str]) -> None:
    told = lambda text: None if "step" in text else print(f"   {text}", flush=True)
    print(f"\n== every day from {EVERY_DAY} to {last}", flush=True)
    found = backtest_days(bars, scenario, EVERY_DAY, last, paths=paths, fits=fits, told=told)
    print(found.summary())
    scores = found.horizons[0].scores
    for move in ("fall", "rise"):
        ours = scores[ENGINE][move]
        for k, level in enumerate(AT_RISK):
            test = tested(ours, k, level)
            if min(test.kupiec, test.conditional) < 0.05:
                text = f"{test.exceeded} of {test.expected:.1f}, Kupiec {test.kupiec:.3f}, Christoffersen {test.conditional:.3f}"
                short.append(f"{level:.1%} value at risk of the {move} rejected: {text}")
        used = np.isfinite(ours.crps)
        inside = np.mean((ours.observed >= ours.low) & (ours.observed <= ours.high), where=used)
        print(f"   90% interval of the {move} holds {inside:.1%} of {used.sum()} days (88 to 92% wanted)")
        if not 0.88 <= inside <= 0.92:
            short.append(f"90% interval of the {move} holds {inside:.1%}")
        rivals = {name: compared(by[move], ours) for name, by in scores.items() if name not in (ENGINE, REGRESSION)}
        for k, edge in ((1, "5%"), (2, "10%")):
            behind = [name for name, one in rivals.items() if one[k].difference <= 0.0]
            clear = [name for name, one in rivals.items() if one[k].ratio > 2.0]
            ahead = f"ahead by 2 errors of {', '.join(clear) or 'none'}"
            print(f"   {move} beyond {edge}: behind {', '.join(behind) or 'none'}; {ahead}")
            if behind:
                short.append(f"score of the {move} beyond {edge} behind {', '.join(behind)}")
            if 2 * len(clear) < len(rivals):
                short.append(f"score of the {move} beyond {edge} ahead by 2 errors of {len(clear)} of {len(rivals)}")
    _former_day_by_day(bars, periods(bars, EVERY_DAY, last), paths)


def _former_day_by_day(bars: DayBars, test, paths: int) -> None:
    made = _Former(jaxrisk.load("btc_24h"), bars, int(test.start[0]) // HOURS)
    drawn = [(place, made.samples(int(start), paths, 1)) for place, start in enumerate(test.start)]
    for move in ("fall", "rise"):
        scores = collected([score_one(x[move], float(test.seen[move][place])) for place, x in drawn])
        tests = [tested(scores, k, level) for k, level in enumerate(AT_RISK)]
        said = "; ".join(f"{t.level:.1%} exceeded {t.exceeded} times for {t.expected:.1f}, Kupiec {t.kupiec:.2g}" for t in tests)
        print(f"   btc_24h's law from each day's forecast, {move}: {said}")


def _leverage(fit: TailFit, model: TailModel, draws: int) -> None:
    """Of falls of a size, how many points were forced orders; the interval is over parameters drawn from their estimate."""
    levels = (0.10, 0.15, 0.20)
    mean, ends = forced_points(fit, model, levels, draws=draws)
    print("\n-- of a day's fall of about, points that were the market's own forced orders: mean, 95% interval")
    for level, middle, low, high in zip(levels, mean, *ends, strict=True):
        print(f"   {level:.0%}: {100 * middle:.2f} points, {100 * low:.2f} to {100 * high:.2f}")


if __name__ == "__main__":
    raise SystemExit(main())
