"""Measure how open interest closes and reopens, what leverage follows, funding, and how calm a quarter is.

    python scripts/calibrate_flow.py --data FOLDER             # print every figure with its standard error
    python scripts/calibrate_flow.py --data FOLDER --write out # and write out/flow.toml

For the `[flow]` and `[funding]` of a scenario with `book = "flow"`. Realised volatility and trend are those of the package:
exponentially weighted with `--half-life`. All standard errors are of a stationary block bootstrap over days.

- Open interest in coins, all venues (`btc_oi_funding_1d`). In the package d(open interest) = opening rate x (reference volatility
  / volatility)^volume_elasticity x exp(volume_trend x trend) - closing rate x open interest. In logs, about the level that each
  calendar year had, the change over k days is a regression on the level itself, log volatility and trend. Its first coefficient
  gives the closing rate; noise in the daily figures makes that too fast for k = 1, and openings that follow open interest make it
  too slow, so that the two lags bracket it from both sides.
- Leverage is not observed over time. What liquidates is: of two days with the same fall, the one with more leverage liquidates a
  larger share of open interest. Reported liquidations over open interest (`perps66_*_1d`) are regressed on the day's largest fall
  or rise, from hourly prices, and on the volatility and trend of the day before, all but the trend in logs. If leverage goes as
  volatility^-e and liquidations depend on fall x leverage, the coefficient of volatility is -e times that of the fall. Trend is
  not leverage: after a rise longs have gained and shorts have lost, with the opposite effect on the two.
- Funding a year, and its rise with the trend at the time (`btc_funding_8h`).
- Variance and jumps of the calmest quarters: `calibrate_market.py`'s daily variance and jumps in windows of 90 days.
"""

import argparse
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from calibrate_market import FILES, bootstrap, daily_table, load, log_returns

OPEN_INTEREST = "open_interest/btc_oi_funding_1d_2019_2024.csv.gz"
PERPS = "open_interest/perps66_{}_1d_2022_2023.csv.gz"
FUNDING = "prices/btc_funding_8h_2019_2026.csv.gz"
SNAPSHOTS = "2026-02-22"
"""Last day of the snapshots in which leverage was measured."""
LEAST_MOVE = 0.02
QUARTER = 90


def realised(returns, steps_a_year, half_life_days):
    """Volatility a square-root year and trend (log price a year), exponentially weighted as in the package."""
    weight = -math.expm1(-math.log(2.0) * 365.0 / (half_life_days * steps_a_year))
    weighted = lambda x: x.ewm(alpha=weight, adjust=False).mean()
    return np.sqrt(weighted(returns**2 * steps_a_year)), weighted(returns * steps_a_year)


def products(y, regressors):
    """Products of all columns, whose averages determine a least-squares fit."""
    table = pd.DataFrame({**regressors, "y": y}).replace([np.inf, -np.inf], np.nan).dropna()
    columns = list(table)
    pairs = {f"{a}*{b}": table[a] * table[b] for i, a in enumerate(columns) for b in columns[i:]}
    return pd.DataFrame(pairs), list(regressors)


def fit(mean, names):
    """Least-squares coefficients from averages of products, as a dict."""
    at = lambda a, b: mean[f"{a}*{b}"] if f"{a}*{b}" in mean else mean[f"{b}*{a}"]
    matrix = np.array([[at(a, b) for b in names] for a in names])
    return dict(zip(names, np.linalg.solve(matrix, np.array([at(a, "y") for a in names])), strict=True))


def measured(y, regressors, statistic, block, replications):
    """A statistic of the coefficients, a dict, and its standard errors."""
    table, names = products(y, regressors)
    value = statistic(fit(table.mean(), names))
    error = bootstrap(table, lambda mean: statistic(fit(mean, names)), block, replications) if replications else {}
    return value, {name: error.get(name, math.nan) for name in value}, len(table)


def open_interest(folder, lag, half_life, block=60.0, replications=200):
    """Half-life (days) of open interest in coins, its elasticity to volatility and days of trend, with errors and days used."""
    daily = load(folder / OPEN_INTEREST)
    returns = np.log(daily["btc_close"]).diff().where(daily.index.to_series().diff() == pd.Timedelta("1D"))
    volatility, trend = realised(returns, 365.0, half_life)
    coins = np.log(daily["oi_usd"] / daily["btc_close"])
    consecutive = daily.index.to_series().shift(-lag) - daily.index.to_series() == pd.Timedelta(days=lag)
    within = lambda x: x - x.groupby(x.index.year).transform("mean")
    table = pd.DataFrame({"y": (coins.shift(-lag) - coins).where(consecutive), "x": coins, "v": np.log(volatility), "t": trend})
    table = table.dropna().apply(within)

    def statistic(b):
        decay = min(max(1.0 + b["x"], 1e-3), 1.0 - 1e-6)
        return {
            "half_life": -lag * math.log(2.0) / math.log(decay),
            "volume_elasticity": b["v"] / b["x"],
            "volume_trend_days": -365.0 * b["t"] / b["x"],
        }

    return measured(table["y"], {name: table[name] for name in "xvt"}, statistic, block, replications)


def leverage(folder, asset, side, half_life, block=20.0, replications=200):
    """Elasticity of leverage to volatility from liquidations of a side ("long", "short"), with its error and days used."""
    opened = load(folder / PERPS.format("open_interest"))[f"{asset}USDT_PERP.A_oi"].shift(1)
    closed = load(folder / PERPS.format("liquidations"))[f"{asset}USDT_PERP.A_{side}liq"]
    prices = load(folder / FILES[asset]).loc[str(closed.index[0] - pd.Timedelta("90D")) : str(closed.index[-1])]
    volatility, trend = realised(log_returns(prices, "1h"), 8760.0, half_life)
    yesterday = lambda x: x.resample("1D").last().shift(1)
    days = prices.groupby(prices.index.floor("1D"))
    # within a day the high of an earlier hour, or the open, against the low of this one
    earlier = lambda x, extreme: x.groupby(x.index.floor("1D")).transform(lambda one: getattr(one, extreme)().shift(1))
    top = earlier(prices["high"], "cummax").fillna(prices["open"])
    bottom = earlier(prices["low"], "cummin").fillna(prices["open"])
    moves = np.log(top / prices["low"]) if side == "long" else np.log(prices["high"] / bottom)
    move = moves.groupby(moves.index.floor("1D")).max().where(days["close"].count() == 24)
    before_it = {"v": np.log(yesterday(volatility)), "t": yesterday(trend)}
    table = pd.DataFrame({"y": np.log(closed / opened), "m": np.log(move), **before_it})
    table = table.replace([np.inf, -np.inf], np.nan).dropna()
    table = table[table["m"] > math.log(LEAST_MOVE)]
    table = table - table.mean()
    statistic = lambda b: {"elasticity": -b["v"] / b["m"], "trend_days": 365.0 * b["t"] / b["m"], "move": b["m"]}
    return measured(table["y"], {name: table[name] for name in "mvt"}, statistic, block, replications)


def funding(folder, since, half_life, block=180.0, replications=200):
    """Mean rate a year and its rise with the trend, with errors and payments used. `block`: payments, three a day."""
    rate = load(folder / FUNDING)["open"] * 3.0 * 365.0
    _, trend = realised(log_returns(load(folder / FILES["BTC"]), "1h"), 8760.0, half_life)
    trend.index = trend.index + pd.Timedelta("1h")  # a bar's close is known at its end
    table = pd.DataFrame({"y": rate, "t": trend.reindex(rate.index)}).dropna().loc[since:]
    statistic = lambda b: {"rate_without_trend": b["one"], "trend_sensitivity": b["t"]}
    regressors = {"one": pd.Series(1.0, table.index), "t": table["t"]}
    value, error, count = measured(table["y"], regressors, statistic, block, replications)
    mean, mean_error, _ = measured(table["y"], {"one": regressors["one"]}, lambda b: {"mean_rate": b["one"]}, block, replications)
    return {**mean, **value}, {**mean_error, **error}, count


def quarters(folder, threshold=5.0, calmest=0.1):
    """Variance a year without jumps, jumps a year and their sizes, in the calmest tenth of rolling quarters."""
    table = daily_table(log_returns(load(folder / FILES["BTC"]), "1h"), threshold, 1)
    rolling = table[["v", "count", "jump", "jump2"]].rolling(QUARTER, min_periods=QUARTER - 5).mean().dropna()
    calm = rolling[rolling["v"] <= rolling["v"].quantile(calmest)].mean()
    size = calm["jump"] / calm["count"]
    return {
        "variance": calm["v"], "jump_rate": 365.0 * calm["count"], "jump_mean": size,
        "jump_sd": math.sqrt(calm["jump2"] / calm["count"] - size**2), "quarters": len(rolling),
        "median_variance": rolling["v"].median(),
    }  # fmt: skip


def reference_volatility(folder, half_life):
    """Realised volatility when leverage was measured: the mean over the two weeks to `SNAPSHOTS`."""
    volatility, _ = realised(log_returns(load(folder / FILES["BTC"]), "1h"), 8760.0, half_life)
    return float(volatility.loc[:SNAPSHOTS].tail(14 * 24).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data files")
    parser.add_argument("--half-life", type=float, default=7.0, help="of the weights in realised volatility and trend, days")
    parser.add_argument("--since", default="2022", help="first date of the funding figures")
    parser.add_argument("--replications", type=int, default=200, help="of the bootstrap")
    parser.add_argument("--write", type=Path, help="folder for the TOML comments")
    a = parser.parse_args()
    if not (a.data / OPEN_INTEREST).exists():
        print(f"no open-interest files in {a.data}: nothing to calibrate", file=sys.stderr)
        sys.exit(2)
    lines = []

    def note(what, result):
        value, error, count = result
        text = ", ".join(f"{name} = {value[name]:.3g} ({error[name]:.2g})" for name in value)
        lines.append(f"# {what}, n = {count}: {text}")
        print(lines[-1][2:])

    for lag in (1, 5):
        note(f"open interest over {lag} days", open_interest(a.data, lag, a.half_life, replications=a.replications))
    for asset in ("BTC", "ETH"):
        for side in ("long", "short"):
            note(f"leverage of {asset} {side}s", leverage(a.data, asset, side, a.half_life, replications=a.replications))
    for since in dict.fromkeys(("2019", a.since)):
        note(f"funding since {since}", funding(a.data, since, a.half_life, replications=a.replications))
    calm = quarters(a.data)
    lines.append("# calmest tenth of quarters: " + ", ".join(f"{name} = {value:.3g}" for name, value in calm.items()))
    lines.append(f"# volatility in the two weeks to {SNAPSHOTS}: {reference_volatility(a.data, a.half_life):.3f}")
    print("\n".join(line[2:] for line in lines[-2:]))
    if a.write:
        a.write.mkdir(parents=True, exist_ok=True)
        (a.write / "flow.toml").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
