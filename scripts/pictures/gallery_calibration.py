"""Leverage measured from accounts, and what of the open interest a move then liquidates; prices and accounts are made up."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from jaxrisk.calibration.run import calibrate
from jaxrisk.data.price_file import read_price_file
from jaxrisk.holdings.account_file import read_accounts


def draw():
    random = np.random.default_rng(3)
    hours = np.datetime64("2025-01-01T00:00:00") + np.arange(24 * 60) * np.timedelta64(1, "h")
    close = 50_000.0 * np.exp(np.cumsum(0.006 * random.standard_normal(len(hours))))
    value, leverage = np.exp(12.0 + 1.5 * random.standard_normal(400)), np.exp(1.2 + 0.7 * random.standard_normal(400))
    gain = value * (0.05 + 0.1 * random.standard_normal(400))
    with TemporaryDirectory() as folder:
        prices, accounts = Path(folder, "prices.csv"), Path(folder, "accounts.csv")
        bars = [f"{time}Z,{price:.2f}" for time, price in zip(hours, close, strict=True)]
        rows = [f"a{i},BTC,{('long', 'short')[i % 2]},{v:.0f},{v * leverage[i]:.0f},{gain[i]:.0f}" for i, v in enumerate(value)]
        prices.write_text("\n".join(["time,close", *bars]) + "\n")
        accounts.write_text("\n".join(["account,asset,side,account_value,notional,unrealised", *rows]) + "\n")
        read = {"prices": read_price_file(prices), "accounts": read_accounts(accounts)}
        return calibrate(**read, process="merton", out=Path(folder, "made_up.toml"), replications=50).plot()
