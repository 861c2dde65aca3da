"""Score the engine on recorded unwinds, each with numbers fitted on the others; and its daily forecast on ordinary days.

    python scripts/backtest.py --data FOLDER                 # fit, forecast, score: about a quarter of an hour
    python scripts/backtest.py --data FOLDER --write out     # also out/unwinds.toml, scores.csv and a picture an event
    python scripts/backtest.py --data FOLDER --only events   # or days, replay

No fitted number has seen the event it is scored on: each event has its own fit, which is printed with the events that it saw and
checked not to overlap with it; what comes from history ends at the event's start. What was chosen rather than fitted is printed
too, and was chosen by people who knew the events. docs/reality.md explains the table.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from jaxrisk import load
from jaxrisk.backtest.events.event import read_event, shipped_events
from jaxrisk.backtest.events.fitting import SLOPE, Fitting, ordinary_flow_sd
from jaxrisk.backtest.events.forecast import course, forecast
from jaxrisk.backtest.events.parameters import NUMBERS, to_toml
from jaxrisk.backtest.events.picture import event_picture
from jaxrisk.backtest.events.run import KINDS, backtest
from jaxrisk.backtest.events.setting import FLOW, FLOW_SD
from jaxrisk.backtest.events.table import OURS, averages, comparisons
from jaxrisk.batch import use_compilation_cache
from jaxrisk.calibration.laws.daily_pit import daily_pits
from jaxrisk.calibration.laws.volatility import fit_daily_law
from jaxrisk.data.open_interest import read_daily
from jaxrisk.data.price_file import read_price_file

PARTS = ("events", "days", "replay")
HOURLY = "prices/btc_perp_1h_2019_2026.csv.gz"
DAILY = "open_interest/btc_oi_funding_1d_2019_2024.csv.gz"
LONG_SHARE = (0.60, 0.95)
CHOSEN = (
    f"slope {SLOPE} of the log variance after a beginning on that before; Student-t with 4 degrees of freedom about it; a drift",
    "what closes besides forced orders, with its priors; priors of impact and of closing the other side",
    f"a day's ordinary change of open interest, {FLOW_SD:.0%}, from 2020 to 2024 away from the events",
    f"turnover: {FLOW['flow.closing_half_life']}; shorts with their longs' leverage; leverage of February 2026; venue shares",
    "kappa up to 17 (from 2024-08-05), 6.3 (from 2025-02-03), and up to 2.9 and 12 in 2021, above which more would be liquidated",
    "than there was; shares of Bitcoin in what all assets lost: these set the score of reported sizes, not a forecast",
)


def split(events, fits, data):
    """Print what each event's numbers have seen, and stop where one has seen the event itself."""
    print("The split: what the numbers of each event were fitted on, and where its history ends")
    for event in events:
        fitted, found = fits[event.name]
        last = event.history.closes()[0][-1]
        if fitted.has_seen(event) or last > event.start:
            sys.exit(f"{event.name}: its numbers have seen it")
        if not found.converged:
            print(f"  {event.name}: the fit did not converge: {found.message}")
        numbers = ", ".join(f"{name} {value:.3g} ({error:.2g})" for name, value, error, _ in found.table())
        print(f"  {event.name}: history to {last}Z, before its start {event.start}Z; fitted on {', '.join(fitted.events)}")
        print(f"              {numbers}; impact adds {found.without_impact:.1f} to twice the log-likelihood")
        for name, why in found.identified.items():
            if why:
                print(f"              {name} is not identified: {why}")

    measured = ", ".join(f"{_ordinary(data, year, events):.1%} from {year}" for year in ("2020", "2021", "2022"))
    print(f"Chosen, not fitted, with the events known (a day's ordinary change of open interest was {measured}):")
    for choice in CHOSEN:
        print(f"  {choice}")


def _ordinary(data, year, events):
    days, coins = read_daily(data / DAILY)
    since = days >= np.datetime64(year)
    return ordinary_flow_sd(days[since], coins[since], [event.start for event in events])


def acceptance(found, events):
    """Print what has to hold, with the figures."""
    rows = [row for row in found.scores if row.forecast == OURS and row.kind == "conditional"]
    print("\nWhat has to hold, conditional on the first half hour")
    for quantity, least in (("drawdown", 7), ("open_interest_loss", 6), ("rebound", 7)):
        mine = [row for row in rows if row.quantity == quantity]
        inside = sum(row.in_90 for row in mine)
        missed = ", ".join(f"{row.event} at {row.pit:.3f}" for row in mine if not row.in_90)
        held = f"{inside} of {len(mine)} (at least {least})"
        print(f"  90% interval holds the observed {quantity}: {held}; missed: {missed or 'none'}")
    for event in events:
        samples = found.samples[event.name, "conditional", OURS]
        total = samples.liquidations
        share = float(np.nansum(samples.long_share * total) / total.sum())
        seen = event.observed().long_share
        said = "not reported" if seen is None else f"reported {seen:.2f}"
        fine = "inside" if LONG_SHARE[0] <= share <= LONG_SHARE[1] else "OUTSIDE"
        print(f"  {event.name}: long share of what is liquidated {share:.2f}, {fine} {LONG_SHARE[0]} to {LONG_SHARE[1]}; {said}")
    found_by = {}
    for one in comparisons(found.scores):
        found_by.setdefault((one.quantity, one.other), []).append(one)
        if one.quantity in ("drawdown", "open_interest_loss"):
            verdict = "beaten" if one.beaten else "NOT BEATEN"
            print(
                f"  CRPS of {one.quantity}, {one.kind}: {one.ours:.4f}, {one.other} {one.theirs:.4f}: {verdict} "
                f"(difference {one.difference:+.4f}, standard error {one.error:.4f}, {one.events} events)"
            )
    for one in averages(found.scores):
        if one.quantity in ("drawdown", "open_interest_loss"):
            print(f"  log score of {one.quantity}, {one.kind}, {one.forecast}: {one.log_score:.3f}")

    for (quantity, other), both in found_by.items():
        if quantity in ("drawdown", "open_interest_loss") and len(both) == len(KINDS):
            ours, theirs = (float(np.mean([getattr(one, side) for one in both])) for side in ("ours", "theirs"))
            verdict = "beaten" if ours < theirs else "NOT BEATEN"
            print(f"  CRPS of {quantity}, both forecasts: {ours:.4f}, {other} {theirs:.4f}: {verdict}")


def score_events(data, paths, seed, write):
    """Fit leaving one out, forecast, score, print; write if asked."""
    events = [read_event(name, data) for name in shipped_events()]
    begun = time.time()
    fitting = Fitting(events)
    fits = fitting.leave_one_out()
    print(f"fitted in {time.time() - begun:.0f} s\n")
    split(events, fits, data)
    engine = lambda event, kind, feedback, refitted: forecast(
        event, fits[event.name][0], kind=kind, paths=paths, seed=seed, feedback=feedback, refitted=refitted
    )
    begun = time.time()
    found = backtest(events, engine, paths=paths, seed=seed)
    print(f"\n{found.summary()}\n\n{len(events) * len(KINDS)} forecasts with and without feedback in {time.time() - begun:.0f} s")
    acceptance(found, events)
    if write is not None:
        write.mkdir(parents=True, exist_ok=True)
        everything, all_of_it = fitting.fit()
        header = f"Numbers fitted on unwinds by scripts/backtest.py: {', '.join(NUMBERS)}; on all, and leaving each out in turn."
        (write / "unwinds.toml").write_text(to_toml([everything, *(one for one, _ in fits.values())], header))
        found.summary().to_dataframe().to_csv(write / "scores.csv", index=False)
        for event in events:
            drawn = course(event, fits[event.name][0], kind="conditional", paths=paths, seed=seed)
            event_picture(event, drawn).savefig(write / f"{event.name}.png", dpi=80)
        print(f"\non all events: {all_of_it.table()}\nwritten to {write}")


def score_days(data):
    """PIT of the drawdown of every ordinary day after the law was fitted."""
    prices = read_price_file(data / HOURLY)
    law = fit_daily_law(prices, "2023-01-01", start="2020-01-01")
    found = daily_pits(prices, law, "2023-01-01", "2026-06-01")
    distance, p = found.ks()
    print(f"\nDrawdown of ordinary days: law fitted to {law.sample}")
    test = f"Kolmogorov-Smirnov {distance:.4f}, p = {p:.3f} (> 0.01)"
    print(f"  {len(found.pit)} days from {found.begins[0]} on, back to back: {test}")
    counts = np.histogram(found.pit, 10, (0.0, 1.0))[0]
    print(f"  days by tenth of the forecast, {len(found.pit) / 10:.0f} expected: {' '.join(map(str, counts))}")
    for quarter in range(4):
        few = found.pit[quarter::4]
        print(f"  every fourth day from the {quarter + 1}th: {len(few)} days, p = {_ks(few):.3f}")

    distance, p = daily_pits(prices, law, "2023-01-01", "2026-06-01", load("btc_24h")).ks()
    print(f"  through the engine, with the feedback of btc_24h on top: {distance:.4f}, p = {p:.3f} (> 0.01)")


def _ks(values):
    from scipy.stats import kstest

    return kstest(values, "uniform").pvalue


def score_replay(data, write):
    """The book along the real price of August 2024, against what was liquidated."""
    from jaxrisk.backtest.replay.check import replay_check

    found = replay_check(data)
    print(f"\n{found.summary()}")
    if write is not None:
        write.mkdir(parents=True, exist_ok=True)
        found.plot().savefig(write / "replay.png", dpi=80)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data files")
    parser.add_argument("--only", choices=PARTS, help="one part instead of all")
    parser.add_argument("--paths", type=int, default=4096, help="of each forecast")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, help="folder for the fitted numbers, the scores and the pictures")
    arguments = parser.parse_args()
    if not (arguments.data / HOURLY).exists():
        print(f"no price files in {arguments.data}: nothing to score", file=sys.stderr)
        sys.exit(2)
    use_compilation_cache()
    parts = PARTS if arguments.only is None else (arguments.only,)
    if "events" in parts:
        score_events(arguments.data, arguments.paths, arguments.seed, arguments.write)
    if "days" in parts:
        score_days(arguments.data)
    if "replay" in parts:
        score_replay(arguments.data, arguments.write)


if __name__ == "__main__":
    main()
