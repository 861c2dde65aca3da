"""Files that users write, or that are given to them, for `scripts/validate_readers.py`: read as commands read them."""

import contextlib
import copy
import functools
import io
import random
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ODD: list[Any] = [
    None, True, -1, 0, 1, 2**31, 2**40, 2**63, 10**30, -(10**30), 0.5, -0.5, 1e-300, 1e300, float("inf"), float("nan"),
    "", "x", "a" * 5000, "../../../etc/passwd", "/etc", "/dev/zero", "/dev/stdin", "é", "BTC", "1h", "0s", "99999999999d", "1e9",
    [], [1], [[1]], [-1.0, 0.5], {}, {"a": 1}, {"BTC": 1.0}, {"BTC": {"BTC": 0.1}},
]  # fmt: skip
SCENARIO = """
name = "small"
[run]
horizon = "2h"
step = "1min"
paths = 100
[assets.BTC]
price = 78000.0
[market]
process = "gbm"
volatility = 0.6
[impact]
law = "power"
coefficient = 1.0
daily_volatility = 0.03
daily_volume = 3e10
resilience_half_life = "30min"
[venues.binance]
tiers = "tiers.toml"
insurance_fund = 1e9
[populations.retail]
venue = "binance"
asset = "BTC"
side = "both"
class = "retail"
kind = "lognormal"
open_interest = 1e9
median = 20.0
log_sd = 0.8
[[limits.caps]]
class = "retail"
cap = 20.0
share_downsize = 0.5
"""
TIERS = """
name = "small"
tier_rule = "marginal"
[[tiers.BTC]]
floor_usd = 0
max_leverage = 100
maintenance_rate = 0.004
maintenance_amount_usd = 0
[[tiers.BTC]]
floor_usd = 1000000
max_leverage = 50
maintenance_rate = 0.01
maintenance_amount_usd = 6000
[rules]
liquidation_fee = 0.005
policy = "partial"
first_share = 0.2
"""
ACCOUNTS = "venue,asset,class,side,quantity,entry_price,leverage,collateral\n" + "".join(
    f"binance,BTC,retail,{side},{0.1 * (k + 1):g},{78000 + 10 * k},{5 + k % 20},{500 + 50 * k}\n"
    for k in range(12) for side in ("long", "short")
)  # fmt: skip
STUDY = """
name = "caps"
scenario = "scenario.toml"
measures = ["mean(open_interest_loss_usd)", "expected_shortfall(max_drawdown_index, 0.99)"]
reference = "limits.cap = 10"
[run]
paths = 100
seed = 1
[set]
"venues.binance.liquidation_fee" = 0.004
[[grid]]
key = "limits.cap"
values = [10, 20, 50]
[[branches]]
name = "deep"
weight = 0.5
set = { "impact.coefficient" = 0.5 }
[[branches]]
name = "shallow"
weight = 0.5
set = { "impact.coefficient" = 2.0 }
"""


def scenario_with(folder: Path, **files: str) -> Path:
    """The scenario, in which some words are others, beside the files that it names."""
    text = SCENARIO
    if "prices.csv" in files.get("names", ""):
        text = text.replace(
            'process = "gbm"\nvolatility = 0.6', 'process = "bootstrap"\nfile = "prices.csv"\nmean_block = "10min"'
        )
    if "accounts.csv" in files.get("names", ""):
        holders = text.index("[populations.retail]"), text.index("[[limits.caps]]")
        text = text[: holders[0]] + '[populations.retail]\nkind = "accounts"\nfile = "accounts.csv"\n' + text[holders[1] :]
    (folder / "scenario.toml").write_text(text)
    (folder / "tiers.toml").write_text(TIERS)
    return folder / "scenario.toml"


def make_scenario(folder: Path) -> Path:
    return scenario_with(folder)


def make_tiers(folder: Path) -> Path:
    scenario_with(folder)
    return folder / "tiers.toml"


def make_prices(folder: Path) -> Path:
    scenario_with(folder, names="prices.csv")
    walk = 78000.0 * np.exp(np.cumsum(np.random.default_rng(1).normal(0.0, 1e-3, 200)))
    rows = [f"{1722816000 + 60 * k},{price:.2f}" for k, price in enumerate(walk)]
    (folder / "prices.csv").write_text("time,BTC\n" + "\n".join(rows) + "\n")
    return folder / "prices.csv"


def make_accounts(folder: Path) -> Path:
    scenario_with(folder, names="accounts.csv")
    (folder / "accounts.csv").write_text(ACCOUNTS)
    return folder / "accounts.csv"


def make_study(folder: Path) -> Path:
    scenario_with(folder)
    (folder / "study.toml").write_text(STUDY)
    return folder / "study.toml"


def make_result(folder: Path) -> Path:
    """A netCDF file as a run writes it."""
    from jaxrisk.storage.writer import ResultWriter

    dims, chosen = {"shortfall": ("venues",)}, np.random.default_rng(1)
    writer = ResultWriter(folder / "r.nc", dims, {"venues": ["a", "b"]}, 40, {"name": "made", "seed": "1"})
    writer.append(0, {"max_drawdown_index": chosen.random(40, np.float32), "shortfall": chosen.random((40, 2))})
    writer.close({"price": np.ones((2, 3, 1))}, {"level": np.arange(4.0)}, {"wall_seconds": 1.5})
    return folder / "r.nc"


def command(*words: str) -> tuple[int, str]:
    """A command's exit code, and what it says. Its words, always the same few, are parsed once: that is half the time."""
    from jaxrisk.cli import arguments, main

    if not hasattr(arguments.parse, "cache_clear"):
        whole = arguments.parse
        once = functools.lru_cache(maxsize=8)(lambda words: whole(list(words)))
        arguments.parse = functools.update_wrapper(lambda words: once(tuple(words)), whole)
        arguments.parse.cache_clear = once.cache_clear
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main(list(words))
    if code not in (0, 2) or "Traceback" in said.getvalue():
        raise AssertionError(f"{' '.join(words)}: exit code {code}: {said.getvalue()[:2000]}")
    return code, said.getvalue()


def read_config(path: Path) -> None:
    """Checked by the command; what it lets pass is built, and has to fit together."""
    import warnings

    import jaxrisk as jr
    from jaxrisk.studies.study import planned

    main = path if path.name == "study.toml" else path.parent / "scenario.toml"
    code, said = command("check", *dict.fromkeys((str(path), str(main))))
    if code:
        raise ValueError(f"{path}: {said}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path == main and path.name == "study.toml":
            planned(path, {})
            return
        if problems := jr.load(main).problems():
            raise ValueError(f"{path}: {problems[0]}")


def read_prices(path: Path) -> None:
    """As the scenario's own, and as calibration reads them."""
    from jaxrisk.config import ConfigError
    from jaxrisk.data.price_file import read_price_file

    with contextlib.suppress(ConfigError):
        read_price_file(path)
    read_config(path)


def read_result(path: Path) -> None:
    """All that there is to read."""
    from jaxrisk.report import Result

    result = Result.load(path)
    for name in result.losses:
        assert len(result.losses[name]) == result.paths
        result.columns(name)
    repr(result)


def toml_changed(text: bytes, chosen: random.Random) -> bytes:
    """TOML with some of its values changed, missing, or under another name."""
    from jaxrisk.toml import to_toml

    tree = tomllib.loads(text.decode())
    for _ in range(chosen.choice([1, 1, 2, 4])):
        holder: Any = tree
        places: list[tuple[Any, Any]] = []
        while isinstance(holder, (dict, list)) and holder:
            place = chosen.choice(list(holder)) if isinstance(holder, dict) else chosen.randrange(len(holder))
            places.append((holder, place))
            holder = holder[place]
        if not places:
            break
        inside, place = chosen.choice(places)
        kind = chosen.randrange(5)
        if kind == 0:
            del inside[place]
        elif kind == 1 and isinstance(inside, dict):
            inside[chosen.choice(["x", "", "é", "a.b", "file", "tiers", "limits", "stops", "x" * 300])] = copy.deepcopy(
                inside[place]
            )
        elif kind == 2 and isinstance(inside, list):
            inside.append(copy.deepcopy(inside[place]))
        elif kind == 3 and isinstance(inside[place], (int, float)) and not isinstance(inside[place], bool):
            inside[place] = inside[place] * chosen.choice([-1.0, 0.0, 1e-9, 0.99, 1.01, 10.0, 1e9, 1e200])
        elif (value := copy.deepcopy(chosen.choice(ODD))) is not None:
            inside[place] = value
    return to_toml(tree).encode()


def csv_changed(text: bytes, chosen: random.Random) -> bytes:
    """A table with some of its cells changed, and rows missing, twice, or in another order."""
    rows = [line.split(",") for line in text.decode().splitlines()]
    for _ in range(chosen.choice([1, 1, 2, 5])):
        row = chosen.randrange(len(rows)) if chosen.random() < 0.8 else 0
        kind = chosen.randrange(5)
        if kind == 0 and len(rows) > 1:
            del rows[row]
        elif kind == 1:
            rows.insert(row, list(rows[chosen.randrange(len(rows))]))
        elif kind == 2:
            other = chosen.randrange(len(rows))
            rows[row], rows[other] = rows[other], rows[row]
        elif rows[row]:
            words = [
                "",
                "nan",
                "inf",
                "-1",
                "0",
                "1e400",
                "1e30",
                "x",
                '"',
                "'",
                "=1+1",
                "\x00",
                "é",
                "2024-08-05",
                "9" * 400,
                "0x1",
            ]
            rows[row][chosen.randrange(len(rows[row]))] = chosen.choice(words)
        if not rows:
            break
    return "\n".join(",".join(row) for row in rows).encode() + b"\n"


Change = Callable[[bytes, random.Random], bytes]


def kinds(bytes_changed: Change) -> dict[str, tuple[Callable[[Path], Path], str, list[Change], Callable[[Path], None]]]:
    """Each kind of file: how one is made, its name in there, how it is changed, and how it is read."""
    toml, table = [bytes_changed, toml_changed, toml_changed], [bytes_changed, csv_changed, csv_changed]
    return {
        "scenario file": (make_scenario, "", toml, read_config),
        "tier file": (make_tiers, "", toml, read_config),
        "price file": (make_prices, "", table, read_prices),
        "account file": (make_accounts, "", table, read_config),
        "study file": (make_study, "", toml, read_config),
    }


__all__ = ["kinds"]
