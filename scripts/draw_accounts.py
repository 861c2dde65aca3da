"""Draw synthetic accounts under cross margin that are like those measured: the files of configs/accounts.

    python scripts/draw_accounts.py --data FOLDER                          # print what is measured and what is drawn
    python scripts/draw_accounts.py --data FOLDER --write configs/accounts # and write the two files

No account is copied. Measured from snapshots of accounts (`positions/perp_accounts_20260208_20260222`), those that hold one of
the coins, all snapshots together, by class:

- account value and effective leverage (notional in the coins over account value): twenty quantiles each, between which values
  are interpolated in logs, so that the ends of the sample are not reached; their rank correlation, by a normal copula;
- which of the coins an account holds, and with which sides: the frequencies of all combinations;
- how the notional is split among the coins: normal in log shares, with their means and standard deviations;
- entry prices over marks: normal in logs, by side. What a position has gained is cut off at `MOST_PROFIT` of what backs it.

Values and leverages are drawn at evenly spaced probabilities in random order, so that a few hundred accounts already have the
measured distribution; and of `--tries` draws the one is kept whose notional is split among coins and sides most nearly as the
measured one is, since a few large accounts decide that. What collateral is in is not in the snapshots: `--coin-holders` of the
accounts hold `--coin-share` of their value in coins, of one coin each, as `COIN_MIX` says (assumptions).

The first file has a row a position, and beside it what backs the position if the account's value is split by notional
(`alone`, `alone_collateral`), so that the same positions can be run with and without common collateral. The second has the
collateral, in dollars and coins (`amount`), and the same value in dollars alone (`dollars`).
"""

import argparse
import csv
import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from calibrate_positions import load_positions

PRICES = {"BTC": 78137.2, "ETH": 2185.19, "SOL": 85.94}
"""USD, those of the shipped scenarios: last closes of the hourly price files."""
COIN_MIX = {"BTC": 0.6, "ETH": 0.3, "SOL": 0.1}
"""Share of the holders of coin collateral that hold each coin. An assumption."""
LEVELS = (np.arange(20) + 0.5) / 20
MOST_PROFIT = 0.8
CLASSES = ("professional", "retail")


def measure(folder, coins=tuple(PRICES)):
    """What is drawn from, by class, and of all classes together; a dict."""
    table = load_positions(folder)
    table = table[table["coin"].isin(coins)]
    wide = table.assign(signed=np.where(table["side"] == "Long", 1.0, -1.0) * table["notional_usd"]).pivot_table(
        index=["snapshot", "account"], columns="coin", values="signed", aggfunc="sum"
    )
    size = wide.abs().sum(axis=1)
    accounts = table.groupby(["snapshot", "account"]).agg(value=("account_value_usd", "first"), kind=("kind", "first"))
    accounts["leverage"] = size / accounts["value"]
    accounts = accounts[(accounts["value"] > 0.0) & (size > 0.0)]
    wide = wide.loc[accounts.index]
    found = {"accounts": len(accounts), "holders": len(set(accounts.index.get_level_values("account")))}
    for name in CLASSES:
        one, held = accounts[accounts["kind"] == name], wide.loc[accounts["kind"] == name, list(coins)]
        sides = np.sign(held.fillna(0.0)).astype(int)
        combinations = sides.value_counts(normalize=True).sort_index()
        found[name] = {
            "share": len(one) / len(accounts),
            "value": np.quantile(one["value"], LEVELS),
            "leverage": np.quantile(one["leverage"], LEVELS),
            "rank_correlation": float(one["value"].corr(one["leverage"], method="spearman")),
            "combinations": {tuple(map(int, key)): float(share) for key, share in combinations.items()},
        }
    several = wide[wide.notna().sum(axis=1) > 1].abs()
    logs = np.log(several.div(several.sum(axis=1), axis=0))
    found["split"] = {coin: (float(logs[coin].mean()), float(logs[coin].std())) for coin in coins}
    found["entry"] = {}
    for side, group in table.groupby("side"):
        mean = np.average(group["entry"], weights=group["notional_usd"])
        found["entry"][side] = mean, math.sqrt(np.average((group["entry"] - mean) ** 2, weights=group["notional_usd"]))
    usd = table.assign(side=table["side"].str.lower()).groupby(["coin", "side"])["notional_usd"].sum().unstack()
    found["shares"] = usd / usd.to_numpy().sum()
    both = {pair: np.sign(wide[list(pair)].dropna()) for pair in itertools.combinations(coins, 2)}
    found["same_side"] = {pair: (float((s.iloc[:, 0] == s.iloc[:, 1]).mean()), len(s)) for pair, s in both.items()}
    found["several"] = float((wide.notna().sum(axis=1) > 1).mean())
    return found


def between(levels, probability):
    """Quantiles at other probabilities, interpolated in logs, the ends kept."""
    return np.exp(np.interp(probability, LEVELS, np.log(levels)))


def ranks(random, count, correlation):
    """Two evenly spaced sets of probabilities, in random order, with a rank correlation."""
    first = random.standard_normal(count)
    pearson = 2.0 * math.sin(math.pi * correlation / 6.0)  # of normals with this rank correlation
    second = pearson * first + math.sqrt(1.0 - pearson**2) * random.standard_normal(count)
    return [(np.argsort(np.argsort(z)) + 0.5) / count for z in (first, second)]


def draw(found, count, coin_holders, coin_share, seed, coins=tuple(PRICES)):
    """Rows of positions and of collateral, as lists of dicts."""
    random = np.random.default_rng(seed)
    professionals = round(count * found["professional"]["share"])
    positions, collateral, number = [], [], 0
    for name, many in zip(CLASSES, (professionals, count - professionals), strict=True):
        one = found[name]
        at_value, at_leverage = ranks(random, many, one["rank_correlation"])
        values, leverages = between(one["value"], at_value), between(one["leverage"], at_leverage)
        keys = list(one["combinations"])
        chances = np.array([one["combinations"][key] for key in keys])
        # combinations in their shares, in random order
        chosen = random.permutation(np.searchsorted(np.cumsum(chances / chances.sum()), (np.arange(many) + 0.5) / many))
        for i in range(many):
            number += 1
            held = [(coin, sign) for coin, sign in zip(coins, keys[chosen[i]], strict=True) if sign]
            weights = np.exp([random.normal(*found["split"][coin]) for coin, _ in held])
            profit = 0.0
            for (coin, sign), share in zip(held, weights / weights.sum(), strict=True):
                notional, backing = values[i] * leverages[i] * share, values[i] * share
                entry = math.exp(random.normal(*found["entry"]["Long" if sign > 0 else "Short"]))
                gain = min(sign * notional * (1.0 - entry), MOST_PROFIT * backing)
                entry = 1.0 - sign * gain / notional
                profit += gain
                positions.append({
                    "account": f"a{number:03d}", "class": name, "asset": coin, "side": "long" if sign > 0 else "short",
                    "quantity": f"{notional / PRICES[coin]:.6g}", "entry_price": f"{PRICES[coin] * entry:.6g}",
                    "alone": "isolated", "alone_collateral": f"{backing - gain:.6g}",
                })  # fmt: skip
            coin = random.choice(list(COIN_MIX), p=list(COIN_MIX.values())) if random.random() < coin_holders else None
            in_coin = coin_share * values[i] if coin else 0.0
            cash = values[i] - profit
            account = {"account": f"a{number:03d}", "asset": "USD"}
            collateral.append({**account, "amount": f"{cash - in_coin:.6g}", "dollars": f"{cash:.6g}"})
            if coin:
                collateral.append({**account, "asset": coin, "amount": f"{in_coin / PRICES[coin]:.6g}", "dollars": "0"})
    return positions, collateral


def totals(positions):
    """Notional at the prices of the scenarios by coin and side, USD."""
    frame = pd.DataFrame(positions)
    frame["usd"] = frame["quantity"].astype(float) * frame["asset"].map(PRICES)
    return frame.pivot_table(index="asset", columns="side", values="usd", aggfunc="sum", fill_value=0.0)


def nearest_draw(found, count, coin_holders, coin_share, seed, tries):
    """Of several draws the one whose shares of notional by coin and side differ least, in sum, from the measured ones."""

    def distance(drawn):
        usd = totals(drawn[0])
        return float((usd / usd.to_numpy().sum() - found["shares"]).abs().to_numpy().sum())

    return min((draw(found, count, coin_holders, coin_share, seed + i) for i in range(tries)), key=distance)


def report(found, positions, collateral):
    """Print what is measured, and the same of what is drawn."""
    print(f"measured: {found['accounts']} accounts in all snapshots, {found['holders']} holders", end="")
    print(f"; {found['several']:.0%} hold several")
    for name in CLASSES:
        one = found[name]
        text = "/".join(f"{x:,.3g}" for x in one["value"][[2, 10, 17]])
        lever = "/".join(f"{x:.2f}" for x in one["leverage"][[2, 10, 17, 19]])
        print(f"  {name}: {one['share']:.0%}; value 12/52/88% {text} USD; leverage 12/52/88/98% {lever}; ", end="")
        print(f"rank correlation of the two {one['rank_correlation']:.2f}")
    print("  same side: " + ", ".join(f"{'/'.join(k)} {s:.2f} ({n})" for k, (s, n) in found["same_side"].items()))
    print("  log(entry / mark), mean and sd: " + ", ".join(f"{k} {m:.3f} {s:.3f}" for k, (m, s) in found["entry"].items()))
    frame = pd.DataFrame(positions)
    several = frame.groupby("account")["asset"].nunique() > 1
    print(f"drawn: {frame['account'].nunique()} accounts, {len(frame)} positions; {several.mean():.0%} hold several")
    print("  notional, USD, at the scenarios' prices")
    usd = totals(positions)
    print(usd.map(lambda x: f"{x:.4g}").to_string())
    print("  shares of it, drawn and measured")
    print(pd.concat([usd / usd.to_numpy().sum(), found["shares"]], axis=1).map(lambda x: f"{x:.3f}").to_string())
    coin = sum(float(row["amount"]) * PRICES[row["asset"]] for row in collateral if row["asset"] != "USD")
    whole = sum(float(row["dollars"]) for row in collateral)
    print(f"  collateral {whole:.4g} USD without profits, {coin / whole:.0%} of it in coins")


def write(path, rows):
    """A CSV file."""
    with open(path, "w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data files")
    parser.add_argument("--accounts", type=int, default=400, help="how many")
    parser.add_argument("--coin-holders", type=float, default=0.5, help="share of the accounts with collateral in coin")
    parser.add_argument("--coin-share", type=float, default=0.5, help="of their value that is in coin")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tries", type=int, default=300, help="draws of which the nearest is kept")
    parser.add_argument("--write", type=Path, help="folder for the two files")
    a = parser.parse_args()
    if not (a.data / "positions").is_dir():
        print(f"no position files in {a.data}: nothing to draw from", file=sys.stderr)
        sys.exit(2)
    found = measure(a.data)
    positions, collateral = nearest_draw(found, a.accounts, a.coin_holders, a.coin_share, a.seed, a.tries)
    report(found, positions, collateral)
    if a.write:
        a.write.mkdir(parents=True, exist_ok=True)
        write(a.write / "cross_400_positions.csv", positions)
        write(a.write / "cross_400_collateral.csv", collateral)


if __name__ == "__main__":
    main()
