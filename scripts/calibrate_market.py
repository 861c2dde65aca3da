"""Measure the numbers of the shipped scenarios from price, open-interest and position files.

    python scripts/calibrate_market.py --data FOLDER             # print every figure with its standard error
    python scripts/calibrate_market.py --data FOLDER --write out # and write out/market.toml, out/positions.toml

The price law is Bates' (stochastic variance with normal jumps), by the moments of `jaxrisk.calibration.laws.bates`, whose head
says how; a jump is an hour beyond `--threshold` local standard deviations, and autocovariances of 1 to `--lags` days are fitted.
The mean variance of the last 30 days is printed beside the start level. The law is then checked against what it was not fitted
to: quantiles of the drawdown of a day and of a week. `jaxrisk calibrate` does the same for one file and writes a scenario.

Returns are never taken across a gap in a file. Observed prices already contain the cascades of their time, so that a law fitted
to them and then run with feedback counts part of them twice: the simulated tail errs on the severe side.
"""

import argparse
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from calibrate_positions import event_check, market_facts, positions_report

from jaxrisk.calibration.laws.bates import DAY, HOURS, PARAMETERS, bates_parameters, bootstrap, daily_table, local_volatility

FILES = {
    "BTC": "prices/btc_perp_1h_2019_2026.csv.gz",
    "ETH": "prices/eth_perp_1h_2019_2026.csv.gz",
    "SOL": "prices/sol_perp_1h_2025_2026.csv.gz",
}
MINUTE_FILES = (
    "btc_spot_1m_202104", "btc_spot_1m_202105", "eth_spot_1m_202105", "btc_spot_1m_202408", "eth_spot_1m_202408",
)  # fmt: skip


def load(path):
    """A price file with its times as index."""
    return pd.read_csv(path, parse_dates=["time"]).set_index("time")


def log_returns(prices, step):
    """Log returns over consecutive bars only: missing where the bar before is missing."""
    consecutive = prices.index.to_series().diff() == pd.Timedelta(step)
    return np.log(prices["close"]).diff().where(consecutive)


def joint(returns, threshold):
    """By pair of assets: correlation of the hours in which neither jumps, and the share of common jumps.

    The share is of the jumps of the asset that jumps less often, as the package defines it. With one leverage correlation for all
    assets, `pooled`, the package's correlation matrix is that of the prices.
    """
    scaled = {name: r / local_volatility(r) for name, r in returns.items()}
    pairs, names = {}, list(returns)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            both = pd.concat([scaled[first], scaled[second]], axis=1, keys=["a", "b"]).dropna()
            jump = both.abs() > threshold
            calm = both[~jump.any(axis=1)]
            value = calm["a"].corr(calm["b"])
            shared, fewest = jump.all(axis=1).sum(), jump.sum().min()
            pairs[f"{first}/{second}"] = {
                "correlation": value, "error": (1.0 - value**2) / math.sqrt(len(calm)), "hours": len(calm),
                "common": shared / fewest, "shared": int(shared), "fewest": int(fewest),
            }  # fmt: skip
    return pairs


def simulate(parameters, days, paths, variance=None, seed=2, steps=288):
    """Hourly log prices of the law, shape (paths, 24 days + 1); variance from its stationary law where none is given.

    Full-truncation Euler in five-minute steps, independent of the package, so that it is a check of it too.
    """
    random, p = np.random.default_rng(seed), parameters
    theta, kappa, xi, rho = (p[name] for name in PARAMETERS[:4])
    shape = 2.0 * kappa * theta / xi**2
    v = random.gamma(shape, theta / shape, paths) if variance is None else np.full(paths, variance)
    compensator = p["jump_rate"] * math.expm1(p["jump_mean"] + 0.5 * p["jump_sd"] ** 2)
    dt, price, kept = DAY / steps, np.zeros(paths), [np.zeros(paths)]
    for step in range(steps * days):
        z, w = random.standard_normal((2, paths))
        positive = np.maximum(v, 0.0)
        root = np.sqrt(positive * dt)
        price = price - (0.5 * positive + compensator) * dt + root * z
        v = v + kappa * (theta - positive) * dt + xi * root * (rho * z + math.sqrt(1.0 - rho**2) * w)
        jumps = random.poisson(p["jump_rate"] * dt, paths)
        hit = jumps > 0
        price[hit] += p["jump_mean"] * jumps[hit] + p["jump_sd"] * np.sqrt(jumps[hit]) * random.standard_normal(hit.sum())
        if (step + 1) % (steps // 24) == 0:
            kept.append(price.copy())
    return np.stack(kept, axis=1)


def drawdown(log_price):
    """Largest fall from the running maximum, along the last axis."""
    return np.max(-np.expm1(log_price - np.maximum.accumulate(log_price, axis=-1)), axis=-1)


def observed_drawdowns(prices, days):
    """Drawdowns of hourly closes in back-to-back windows of whole days without a gap."""
    hourly = np.log(prices["close"]).resample("1h").last().to_numpy()
    width = 24 * days
    windows = [hourly[start : start + width + 1] for start in range(0, len(hourly) - width, width)]
    return drawdown(np.array([w for w in windows if np.isfinite(w).all()]))


def drawdown_check(prices, parameters, start_variance, paths):
    """Quantiles of the drawdown in a day and in seven, of the data and of the law."""
    levels = (0.5, 0.9, 0.95, 0.99)
    print("  drawdown, hourly closes        " + "".join(f"{q:>9.0%}" for q in levels))
    for days in (1, 7):
        rows = {
            "data": observed_drawdowns(prices, days),
            "law, stationary variance": drawdown(simulate(parameters, days, paths // days)),
            "law, from the start variance": drawdown(simulate(parameters, days, paths // days, start_variance)),
        }
        for name, values in rows.items():
            print(f"  {days}d {name:<28}" + "".join(f"{np.quantile(values, q):>9.4f}" for q in levels) + f"   n = {len(values)}")


def start_check(prices, table, variance, factor=2.0):
    """What followed days whose variance was within a factor of a start's, and what such days were: falls within the day.

    A fall is from the highest hourly close so far to an hour's low, between the closes of midnight. `table`: of `daily_table`.
    """
    hourly = pd.DataFrame({"close": prices["close"], "low": prices["low"]}).resample("1h").last().apply(np.log)
    fall = {}
    for begin, day in hourly.groupby(hourly.index.floor("1D")):
        before = hourly["close"].get(begin - pd.Timedelta("1h"), math.nan)
        closes, lows = np.append(before, day["close"]), day["low"].to_numpy()
        if len(day) == 24 and np.isfinite(closes).all():
            fall[begin] = float(np.max(-np.expm1(lows - np.maximum.accumulate(closes)[:-1])))
    fall = pd.Series(fall)
    like = table.index[(table["v"] >= variance / factor) & (table["v"] <= variance * factor)]
    print(f"  days of a variance within a factor {factor:g} of the start's, {variance:.3f}, and their falls within the day")
    for name, days in (("the day after", like + pd.Timedelta("1D")), ("the day itself", like)):
        found = fall.reindex(days).dropna()
        beyond = ", ".join(f"{np.count_nonzero(found > level)} beyond {level:.1%}" for level in (0.1, 0.15, 0.195))
        print(f"    {name:<16}{len(found):>6} days: {beyond}; the largest {found.max():.1%}, {found.idxmax():%Y-%m-%d}")


def minute_check(folder):
    """Ratio of the variance of one-minute to that of hourly returns, in files of one-minute prices around unwinds."""
    print("\nvariance of 1-minute over variance of 60-minute returns (1: the hourly variance can be used at one minute)")
    for name in MINUTE_FILES:
        prices = load(folder / "prices" / f"{name}.csv.gz")
        minute = log_returns(prices, "1min")
        hour = log_returns(prices[prices.index.minute == 59], "1h")
        ratio, volatility = 60.0 * (minute**2).mean() / (hour**2).mean(), math.sqrt((minute**2).mean() * HOURS * 60)
        print(f"  {name:<20}{ratio:>6.2f}   annualised volatility {volatility:.2f}")


def calibrate(folder, threshold, lags, block, replications, since):
    """Prices; parameters, standard errors, start and recent variance of every asset; and what joins the assets."""
    prices = {name: load(folder / path).loc[since:] for name, path in FILES.items()}
    returns = {name: log_returns(table, "1h") for name, table in prices.items()}
    result = {}
    for name, hourly in returns.items():
        table = daily_table(hourly, threshold, lags)
        values = bates_parameters(table.mean(), lags)
        errors = bootstrap(table, lambda mean, n=lags: bates_parameters(mean, n), block, replications) if replications else {}
        variance = {"variance": float(table["v"].median()), "recent": float(table["v"].dropna().tail(30).mean())}
        result[name] = {**values, **variance, "errors": errors, "days": int(table["v"].notna().sum())}
    return prices, result, joint(returns, threshold)


def pooled(result):
    """Leverage correlation of several assets taken as one: the mean weighted by days, as short files are loose."""
    days = [values["days"] for values in result.values()]
    return float(np.average([values["leverage_correlation"] for values in result.values()], weights=days))


def fragment(result, pairs):
    """The `[market]` table of a scenario file, for all assets of `result`; with one asset its own leverage correlation."""
    lines = ["[market]", 'process = "bates"', "drift = 0.0"]
    together = {name: {**values, "leverage_correlation": pooled(result)} for name, values in result.items()}
    for key in ("variance", *PARAMETERS):
        lines.append(f"{key} = {{ " + ", ".join(f"{asset} = {values[key]:.3g}" for asset, values in together.items()) + " }")
    if pairs:
        lines.append(f"common_jump_probability = {np.mean([pair['common'] for pair in pairs.values()]):.2f}")
        lines.append(
            "correlation = { " + ", ".join(f'"{name}" = {pair["correlation"]:.3f}' for name, pair in pairs.items()) + " }"
        )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data files")
    parser.add_argument("--since", default="2019", help="first date used of the hourly files")
    parser.add_argument("--threshold", type=float, default=5.0, help="local standard deviations that make an hour a jump")
    parser.add_argument("--lags", type=int, default=10, help="days of autocovariance fitted")
    parser.add_argument("--block", type=float, default=20.0, help="mean block of the bootstrap, days")
    parser.add_argument("--replications", type=int, default=200, help="of the bootstrap")
    parser.add_argument("--paths", type=int, default=20000, help="simulated days of the check")
    parser.add_argument("--write", type=Path, help="folder for the TOML fragments")
    arguments = parser.parse_args()
    if not (arguments.data / FILES["BTC"]).exists():
        print(f"no price files in {arguments.data}: nothing to calibrate", file=sys.stderr)
        sys.exit(2)
    a = arguments
    prices, result, pairs = calibrate(a.data, a.threshold, a.lags, a.block, a.replications, a.since)
    for name, values in result.items():
        print(f"\n{name}: {FILES[name]}, {values['days']} whole days from {a.since}; standard errors in brackets")
        for key in PARAMETERS:
            print(f"  {key:<22}{values[key]:>10.4f} ({values['errors'].get(key, math.nan):.4f})")
        print(
            f"  median daily variance {values['variance']:.4f} (the start level); mean of the last 30 days {values['recent']:.4f}"
        )
        drawdown_check(prices[name], values, values["variance"], a.paths)
        start_check(prices[name], daily_table(log_returns(prices[name], "1h"), a.threshold, a.lags), values["variance"])
    print("\ncorrelation of hours without jumps (standard error, hours); share of jumps in common (both, fewest)")
    for name, pair in pairs.items():
        print(f"  {name}  {pair['correlation']:.3f} ({pair['error']:.3f}, {pair['hours']})", end="   ")
        print(f"{pair['common']:.2f} ({pair['shared']}, {pair['fewest']})")
    minute_check(a.data)
    alone = fragment({"BTC": result["BTC"]}, {})
    together = fragment(result, pairs)
    facts = market_facts(a.data, prices)
    positions = positions_report(a.data, a.replications)
    event_check(a.data)
    if a.write:
        a.write.mkdir(parents=True, exist_ok=True)
        (a.write / "market.toml").write_text(alone + "\n" + together)
        (a.write / "positions.toml").write_text(positions + facts)
    print(f"\n{alone}\n{together}\n{facts}\n{positions}")


if __name__ == "__main__":
    main()
