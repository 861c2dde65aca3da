"""A valid scenario to break, and a way to say how."""

import copy
import tomllib
from pathlib import Path

import pytest

from jaxrisk.config import check
from jaxrisk.toml import to_toml

VALID = """
name = "valid"
title = "two assets on two venues"
question = "does it load?"
sources = ["made up"]

[run]
horizon = "24h"
steps = 1440
paths = 1000
support = {BTC = 70000.0}

[assets.BTC]
price = 78000.0
index_weight = 0.7

[assets.ETH]
price = 3000.0
index_weight = 0.3

[market]
process = "bates"
variance = 0.36
mean_variance = {BTC = 0.36, ETH = 0.5}
reversion = 5.0
vol_of_variance = 1.0
leverage_correlation = -0.3
jump_rate = 50
jump_mean = -0.02
jump_sd = 0.03
common_jump_probability = 0.5
correlation = {"BTC/ETH" = 0.85}

[shock]
size = {BTC = -0.10}
window = "15min"
at = "1h"

[impact]
law = "power"
coefficient = 1.0
daily_volatility = 0.03
daily_volume = {BTC = 3e10, ETH = 1e10}
resilience_half_life = "30min"
permanent_share = 0.1
cross = {"BTC->ETH" = 0.3}

[depth]
exponent = 1.0
reference_volatility = 0.5
measurement_half_life = "30min"
recovery_half_life = "2h"
floor = 0.2

[channels]
feedback = 1.0
depth_withdrawal = 0.5

[venues.binance]
tiers = "binance"
engine_time = "10s"
tranches = [0.5, 0.5]
liquidation_fee = 0.003
local_depth = {BTC = 1e9}

[venues.coinm]
contract = "inverse"
maintenance_rate = 0.01

[populations.retail]
venue = "binance"
asset = "BTC"
side = "both"
class = "retail"
kind = "lognormal"
open_interest = 4e9
median = 10.0
log_sd = 0.9
entry_sd = 0.03

[populations.pro]
venue = "coinm"
asset = "ETH"
side = "long"
class = "professional"
kind = "histogram"
leverage = [2.0, 5.0, 10.0]
share = [0.5, 0.3, 0.2]
open_interest = 1e9

[[limits.caps]]
class = "retail"
venue = "binance"
asset = "*"
cap = 20.0
share_downsize = 0.5
leakage = 0.2
"""

EXCHANGE = """
name = "exchange"

[run]
horizon = "24h"
steps = 144
book = "account"

[assets.BTC]
price = 80000.0

[assets.ETH]
price = 3000.0

[assets.NDX]
price = 20000.0

[market]
process = "gbm"
volatility = 0.6

[shock]
size = -0.05
window = "15min"
at = "1h"
venue = "binance"

[impact]
law = "linear"
depth = 1e9
resilience_half_life = "30min"
common_holders = {"BTC->NDX" = 0.02}

[channels]
stops = 0.9
calls = 0.8
deleveraging = 0.7
common_holders = 0.6

[venues.binance]
preset = "binance"
insurance_fund = 1e9
haircut = {BTC = 0.05}
local_depth = 5e8
liquidity_leakage = 0.2

[venues.coinm]
contract = "inverse"
maintenance_rate = 0.01
policy = "partial"
first_share = 0.25
haircut = 0.1

[populations.book]
kind = "cross_accounts"
file = "positions.csv"
collateral = "collateral.csv"
class = "retail"

[populations.crowd]
kind = "lognormal"
venue = "binance"
asset = "BTC"
side = "both"
class = "professional"
open_interest = 1e9
median = 5.0
log_sd = 0.5

[calls.retail]
level = 1.5
top_up = 0.3
reduce = 0.2

[stops.support]
venue = "binance"
asset = "BTC"
side = "long"
quantity = 1e8
level = 75000.0
width = 0.02

[funding]
rate = {BTC = 0.1}
trend_sensitivity = 0.01
"""

POSITIONS = """account,venue,asset,side,quantity,entry_price
anna,binance,BTC,Long,2,70000
anna,coinm,ETH,short,10,3200
bert,binance,ETH,long,5,2800
bert,binance,BTC,short,0,90000
"""

COLLATERAL = """account,asset,amount
anna,USD,50000
anna,BTC,0.5
bert,ETH,1.5
"""

MISSING = object()


def put(document: dict, key: str, value) -> None:
    """Set, or with `MISSING` remove, a dotted key."""
    here = document
    *path, last = key.split(".")
    for part in path:
        here = here[int(part)] if isinstance(here, list) else here.setdefault(part, {})
    if value is MISSING:
        here.pop(last, None)
    elif isinstance(here, list):
        here[int(last)] = value
    else:
        here[last] = value


def changed(text: str = VALID, /, **changes) -> dict:
    """A valid document with some dotted keys changed; a whole section where the value is a dictionary."""
    document = copy.deepcopy(tomllib.loads(text))
    for key, value in changes.items():
        put(document, key, value)
    return document


class Folder:
    """A folder with a scenario and the files that it names."""

    MISSING = MISSING
    VALID = VALID
    EXCHANGE = EXCHANGE
    changed = staticmethod(changed)

    def __init__(self, path: Path):
        self.path = path

    def file(self, name: str, text: str | bytes) -> Path:
        path = self.path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def scenario(self, **changes) -> Path:
        return self.file("scenario.toml", to_toml(changed(**changes)))

    def problems(self, **changes) -> list:
        return check(self.scenario(**changes))

    def exchange(self, **changes) -> Path:
        """The scenario with everything that an exchange does, beside its files if they are not there yet."""
        for name, text in (("positions.csv", POSITIONS), ("collateral.csv", COLLATERAL)):
            if not (self.path / name).exists():
                self.file(name, text)
        return self.file("exchange.toml", to_toml(changed(EXCHANGE, **changes)))

    def exchange_problems(self, **changes) -> list:
        return check(self.exchange(**changes))

    def prices(self, name="prices.csv", rows=1500, columns=("BTC", "ETH"), interval=60, start=1722816000, edit=None) -> Path:
        """A price file of a minute's interval by default; `edit(lines)` spoils it."""
        lines = [",".join(("time", *columns))]
        lines += [
            ",".join([str(start + i * interval), *(f"{100 + i % 7 + k}" for k in range(len(columns)))]) for i in range(rows)
        ]
        if edit is not None:
            edit(lines)
        return self.file(name, "\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path)
