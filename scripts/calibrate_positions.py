"""Open interest, price impact, leverage and account size, measured from files: the second half of `calibrate_market.py`."""

import math

import numpy as np
import pandas as pd

from jaxrisk.calibration.accounts.leverage import PROFESSIONAL_USD
from jaxrisk.calibration.accounts.weighted import log_moments, lognormal_fit, weighted_quantile
from jaxrisk.calibration.market_facts import turnover, volume_elasticity

UNWIND = "open_interest/{}_perp_oi_liquidations_1h_202408.csv.gz"


def _load(path):
    return pd.read_csv(path, parse_dates=["time"]).set_index("time")


def load_positions(folder):
    """Positions with the account's effective leverage (notional over value), the mark, and its class.

    An account's own positions are seen against its whole value, as under cross margin.
    """
    table = pd.read_csv(folder / "positions/perp_accounts_20260208_20260222.csv.gz")
    table["total"] = table.groupby(["snapshot", "account"])["notional_usd"].transform("sum")
    table["effective"] = table["total"] / table["account_value_usd"]
    table["mark"] = table["notional_usd"] / table["size"]
    table["entry"] = np.log(table["entry_price"] / table["mark"])
    table["kind"] = np.where(table["account_value_usd"] >= PROFESSIONAL_USD, "professional", "retail")
    return table


def leverage_errors(group, replications, seed=3):
    """Standard errors of the lognormal's median and log standard deviation, accounts drawn with replacement."""
    random = np.random.default_rng(seed)
    accounts = [rows for _, rows in group.groupby("account")[["effective", "notional_usd"]]]
    draws = []
    for _ in range(replications):
        rows = pd.concat([accounts[i] for i in random.integers(0, len(accounts), len(accounts))])
        draws.append(lognormal_fit(rows["effective"], rows["notional_usd"]))
    return np.std(draws, axis=0, ddof=1) if draws else np.full(2, math.nan)


def leverage_table(table):
    """Lognormal fits of leverage and sizes: (asset, class, side) to median, log_sd, size_median, size_log_sd."""
    fits = {}
    for key, group in table.groupby(["coin", "kind", "side"]):
        weights = group["notional_usd"]
        median, log_sd = lognormal_fit(group["effective"], weights)
        size_median, size_log_sd = log_moments(weights, weights)
        fits[key] = {"median": median, "log_sd": log_sd, "size_median": size_median, "size_log_sd": size_log_sd}
    return fits


def positions_report(folder, replications, coins=("BTC", "ETH", "SOL")):
    """Print leverage, entries, sizes and distances to liquidation; return TOML comments with the fits."""
    everything = load_positions(folder)
    table = everything[everything["coin"].isin(coins)]
    fits = leverage_table(table)
    print("\neffective leverage (account notional over account value), weighted by notional, all snapshots")
    print(" " * 28 + "    10%    50%    90%    99%    max   median (se)   log_sd (se)   size median, log_sd   accounts")
    for key, fit in fits.items():
        group = table[(table["coin"] == key[0]) & (table["kind"] == key[1]) & (table["side"] == key[2])]
        deciles = weighted_quantile(group["effective"], group["notional_usd"], [0.1, 0.5, 0.9, 0.99, 1.0])
        error = leverage_errors(group, replications)
        print(f"  {' '.join(key):<26}" + "".join(f"{x:>7.2f}" for x in deciles), end="")
        print(f"{fit['median']:>7.2f} ({error[0]:.2f}){fit['log_sd']:>7.2f} ({error[1]:.2f})", end="")
        print(f"{fit['size_median']:>13,.0f} {fit['size_log_sd']:.2f}{group['account'].nunique():>9}")
    print("\nshare of all notional; set leverage 10/50/90%; log(entry / mark), mean and standard deviation, weighted by notional")
    total = everything["notional_usd"].sum()
    for (coin, side), group in table.groupby(["coin", "side"]):
        weight = group["notional_usd"]
        mean = np.average(group["entry"], weights=weight)
        sd = math.sqrt(np.average((group["entry"] - mean) ** 2, weights=weight))
        levels = weighted_quantile(group["leverage"], weight, [0.1, 0.5, 0.9])
        text = f"{levels[0]:.0f}/{levels[1]:.0f}/{levels[2]:.0f}"
        print(f"  {coin} {side:<8}{weight.sum() / total:>7.3f}   {text:<10}{mean:>7.3f}{sd:>7.3f}")
    print("\nshare of notional whose published liquidation price lies within a move of the mark")
    for (coin, side), group in table.groupby(["coin", "side"]):
        move = (group["liquidation_price"] / group["mark"] - 1.0).abs()
        shares = {m: group["notional_usd"][move <= m].sum() / group["notional_usd"].sum() for m in (0.05, 0.1, 0.2, 0.3)}
        print(f"  {coin} {side:<8}" + "".join(f"{m:>7.0%}: {share:.3f}" for m, share in shares.items()))
    text = [
        f"# {' '.join(key)}: " + ", ".join(f"{name} = {value:.3g}" for name, value in fit.items()) for key, fit in fits.items()
    ]
    return "\n".join(text) + "\n"


def flow_impact(table):
    """Coefficient Y of return = Y sigma_d sqrt(|flow| / V_d) sign(flow), with net taker buying an hour; and its standard error.

    Least squares through the origin with errors clustered by day. Flow also answers to news, so this is an upper bound.
    """
    hourly = np.log(table["close"] / table["open"])
    flow = (2.0 * table["buy_volume"] - table["volume"]) * table["close"]
    week = {"window": 24 * 7, "min_periods": 24}
    volume = (table["volume"] * table["close"]).rolling(**week).mean() * 24.0
    volatility = hourly.rolling(**week).std() * math.sqrt(24.0)
    x = volatility * np.sign(flow) * np.sqrt(flow.abs() / volume)
    kept = x.notna() & hourly.notna()
    x, y = x[kept], hourly[kept]
    coefficient = (x * y).sum() / (x**2).sum()
    scores = (x * (y - coefficient * x)).resample("1D").sum()
    return coefficient, math.sqrt((scores**2).sum()) / (x**2).sum()


def unwind_facts(folder, name):
    """From the hourly open-interest file of an asset: median open interest, its ratio to a day's volume, accounts long, and Y."""
    table = _load(folder / UNWIND.format(name.lower()))
    usd = (table["oi_close"] * table["close"]).median()
    coefficient, error = flow_impact(table)
    return {
        "open_interest_coins": float(table["oi_close"].median()),
        "open_interest_usd": float(usd),
        "days_of_volume": float(usd / (table["volume"] * table["close"]).resample("1D").sum().median()),
        "accounts_long": float(table["long_pct"].median()) / 100.0,
        "flow_coefficient": coefficient,
        "flow_coefficient_error": error,
    }


def market_facts(folder, prices):
    """Print prices, volumes, volatilities, open interest and impact; return TOML comments with them."""
    lines = []
    for name, table in prices.items():
        now, then, (elasticity, error) = turnover(table), unwind_facts(folder, name), volume_elasticity(table)
        lines.append(
            f"# {name}: price = {now['price']:.6g} ({now['date']}), daily_volume = {now['daily_volume']:.3g}, "
            f"daily_volatility = {now['daily_volatility']:.4f}, elasticity of volume to volatility {elasticity:.2f} ({error:.2f})"
        )
        lines.append(
            f"# {name}, one venue, 2024-06 to 08: open interest {then['open_interest_coins']:,.0f} coins, "
            f"{then['open_interest_usd']:.3g} USD, {then['days_of_volume']:.2f} of a day's volume; "
            f"accounts long {then['accounts_long']:.0%}; Y of net taker flow {then['flow_coefficient']:.2f} "
            f"({then['flow_coefficient_error']:.2f})"
        )
    daily = _load(folder / "open_interest/btc_oi_funding_1d_2019_2024.csv.gz")
    coins = (daily["oi_usd"] / daily["btc_close"]).dropna()
    lines.append(f"# BTC, all venues, 30 days to {coins.index[-1]:%Y-%m-%d}: open interest {coins.tail(30).median():,.0f} coins")
    print("\nmarket (daily volume: median, and daily volatility, of the last 365 days of each hourly file)")
    print("\n".join("  " + line[2:] for line in lines))
    return "\n".join(lines) + "\n"


def triggered_share(fits, fall, retail_share, maintenance):
    """Share of the BTC longs whose liquidation price lies within a fall, by the lognormal fits of the two classes."""
    needed = 1.0 / (1.0 - (1.0 - fall) * (1.0 - maintenance))
    share = 0.0
    for kind, weight in (("retail", retail_share), ("professional", 1.0 - retail_share)):
        fit = fits["BTC", kind, "Long"]
        share += weight * normal_cdf((math.log(fit["median"]) - math.log(needed)) / fit["log_sd"])
    return share


def normal_cdf(z):
    """Standard normal distribution function."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def event_check(folder, retail_shares=(0.05, 0.1, 0.2, 0.4), maintenance=0.0065):
    """Print, for the recorded unwinds, the open interest lost beside what the leverage fits put within reach of the fall.

    The ratio of the two, through the origin, is what `closes_opposite` has to make up for: forced volume that new holders take
    over does not end open interest, holders top up, and positions are opened meanwhile. Returns it by share of retail holders
    among the longs. `maintenance` is the rate of the venue's middle tiers.
    """
    events = pd.read_csv(folder / "events.csv")
    falls = events[events["quantity"] == "peak_to_low"].set_index("event")["value"].astype(float)
    losses = -events[events["quantity"] == "open_interest_change"].set_index("event")["value"].astype(float)
    fits = leverage_table(load_positions(folder))
    print("\nBTC open interest lost in unwinds, and share of longs within reach of the fall for shares of retail holders of")
    print("  event         fall   lost" + "".join(f"{share:>8.0%}" for share in retail_shares))
    reached = {
        share: falls[losses.index].map(lambda x, s=share: triggered_share(fits, x, s, maintenance)) for share in retail_shares
    }
    for event in losses.index:
        print(
            f"  {event}{falls[event]:>8.3f}{losses[event]:>7.3f}" + "".join(f"{reached[s][event]:>8.3f}" for s in retail_shares)
        )
    daily = _load(folder / "open_interest/btc_oi_funding_1d_2019_2024.csv.gz").loc["2022":]
    kept = (daily["oi_usd"] / daily["btc_close"]).dropna().resample("1D").last()
    lost = (1.0 - kept / kept.shift(1)).dropna().quantile([0.9, 0.95, 0.99])
    print("  open interest (coins, all venues) lost in a day since 2022, 90/95/99%: " + "/".join(f"{x:.3f}" for x in lost))
    ratio = {share: float((reached[share] * losses).sum() / (reached[share] ** 2).sum()) for share in retail_shares}
    print("  lost over reached" + " " * 7 + "".join(f"{ratio[share]:>8.2f}" for share in retail_shares))
    return ratio
