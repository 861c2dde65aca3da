"""Does the level that must not break warn? How often the line fired before falls beyond 10%, and how often for nothing.

    python scripts/validate_warning.py --data FOLDER

For every day with open interest and prices the fragility map of `btc_24h` is scaled to the day's open interest over volume and
to its volatility, known at the day's end (a square-root law of impact: the branching number at a price grows with the
volatility and with the root of open interest over volume; leverage is that of February 2026 on all days). The line fires where
the number reaches 1 within a fall of `--threshold`. A fall is one of more than 10% from the day's close within the
24 hours after it, to hourly lows. Since no day of this history comes near 1, the number is also taken low enough to fire on a
fifth, a tenth and a twentieth of days. Intervals are Clopper and Pearson's; days within a storm are alike, so that they are too
narrow rather than too wide. A warning that knew nothing would fire before falls as often as on other days.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from jaxrisk import load
from jaxrisk.cascade import fragility, prepare
from jaxrisk.data.open_interest import read_daily
from jaxrisk.data.price_file import read_price_file
from jaxrisk.risk.estimate import clopper_pearson

HOURLY = "prices/btc_perp_1h_2019_2026.csv.gz"
DAILY = "open_interest/btc_oi_funding_1d_2019_2024.csv.gz"
SHARE, FALL, MONTH, HOUR = 0.45, 0.10, 30, np.timedelta64(1, "h")


def history(data: Path) -> tuple[np.ndarray, ...]:
    """Days, open interest over volume, daily volatility, and the largest fall within the day after, of days that have all."""
    bars, (days, coins) = read_price_file(data / HOURLY), read_daily(data / DAILY)
    closed, log_price = bars.closes()
    opened, volume = closed - np.timedelta64(bars.step, "s"), np.asarray(bars.volume)
    rows = []
    for day, held in zip(days, coins, strict=True):
        end = np.datetime64(day, "s") + np.timedelta64(1, "D")
        low, now, high = np.searchsorted(closed, [end - np.timedelta64(MONTH, "D"), end, end + np.timedelta64(1, "D")], "right")
        if now - low < MONTH * 24 * 0.9 or high - now < 24 or closed[now - 1] != end:
            continue
        month = slice(low, now)
        variance = 24.0 * float(np.mean(np.diff(log_price[month]) ** 2))
        traded = 24.0 * float(np.mean(volume[month])) / SHARE
        lowest = float(np.min(np.asarray(bars.low)[now:high]))
        rows.append((opened[now - 1].astype(float), held / traded, np.sqrt(variance), 1.0 - lowest / np.exp(log_price[now - 1])))
    table = np.array(rows)
    return table[:, 0], table[:, 1], table[:, 2], table[:, 3]


def main() -> None:
    """Print how often the line fires, and before what."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data files")
    parser.add_argument("--threshold", type=float, default=0.15)
    arguments = parser.parse_args()
    if not (arguments.data / HOURLY).exists():
        print(f"no price files in {arguments.data}: nothing to score", file=sys.stderr)
        sys.exit(2)
    scenario = load("btc_24h")
    found = fragility(prepare(scenario))
    below, number = -np.asarray(found.log_price[0], float), np.asarray(found.number[0, 0], float)
    near = float(number[below <= -np.log1p(-arguments.threshold)].max())
    law = scenario.impact.law
    held = 0.5 * sum(float(one.open_interest) for one in scenario.populations.values())
    base = float(law.daily_volatility[0]) * np.sqrt(held / float(law.daily_volume[0]))
    _, ratio, volatility, fell = history(arguments.data)
    at = near * volatility * np.sqrt(ratio) / base
    deep = fell > FALL
    print(f"{len(at):,} days, {int(deep.sum())} of them followed by a fall of more than {FALL:.0%} within 24 hours")
    print(f"largest branching number within a fall of {arguments.threshold:.0%}: median {np.median(at):.2f}, "
          f"95% {np.quantile(at, 0.95):.2f}, largest {at.max():.2f}")  # fmt: skip
    rules = [("the number reaches 1", at >= 1.0)]
    rules += [(f"it reaches {level:.2f}, on {share:.0%} of days", at >= level)
              for share in (0.2, 0.1, 0.05) for level in [float(np.quantile(at, 1.0 - share))]]  # fmt: skip
    rules += [("volatility alone, on 10% of days", volatility >= np.quantile(volatility, 0.9)),
              ("open interest over volume alone, on 10% of days", ratio >= np.quantile(ratio, 0.9))]  # fmt: skip
    print(f"{'fires where':52s}{'before falls':>26s}{'on other days':>26s}{'of its warnings, true':>26s}")
    for name, fires in rules:
        parts = [(fires & deep, deep), (fires & ~deep, ~deep), (fires & deep, fires)]
        print(f"{name:52s}" + "".join(f"{_share(int(a.sum()), int(b.sum())):>26s}" for a, b in parts))
    order = np.argsort(np.argsort(at))
    count = int(deep.sum())
    area = (order[deep].sum() - count * (count - 1) / 2) / (count * (len(at) - count))
    error = np.sqrt(area * (1.0 - area) / min(count, len(at) - count))
    print(
        f"chance that a day before a fall has the larger number than another: {area:.2f} "
        f"(0.5 knows nothing; error about {error:.2f})"
    )


def _share(some: int, of: int) -> str:
    if of == 0:
        return "-"
    low, high = clopper_pearson(some, of, 0.95)
    return f"{some}/{of} {some / of:.0%} [{low:.0%}, {high:.0%}]"


if __name__ == "__main__":
    main()
