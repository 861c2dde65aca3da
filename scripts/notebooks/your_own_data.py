# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own data, to a scenario
#
# From a file of prices to a scenario in which every number says where it is from, and to a first run. Here the prices
# are made up on the spot, so that it works anywhere; put the name of your own file in its place.

# %% tags=["parameters"]
PATHS, STEPS = 4_000, 96

# %%
# %matplotlib inline
from pathlib import Path

import numpy as np

import jaxrisk as jr
from jaxrisk.cli import main

# %% [markdown]
# ## A file
#
# Hourly bars: time, open, high, low, close, volume in coins. Files as exchanges publish them are read as they are
# (klines, archives in folders, Parquet, JSON), and what a file was taken for is said in a line.

# %%
random = np.random.default_rng(3)
hours = 24 * 60
jumps = 0.03 * random.standard_normal(hours) * (random.random(hours) < 0.02)
close = 50_000.0 * np.exp(np.cumsum(0.006 * random.standard_normal(hours) + jumps))
times = np.datetime64("2025-01-01T00:00:00") + np.arange(hours) * np.timedelta64(1, "h")
rows = [
    f"{time}Z,{price:.2f},{price * 1.001:.2f},{price * 0.999:.2f},{price:.2f},{5e8 / price:.3f}"
    for time, price in zip(times, close, strict=True)
]
prices = Path("my_prices.csv")
prices.write_text("\n".join(["time,open,high,low,close,volume", *rows]) + "\n")
main(["check", str(prices)])

# %% [markdown]
# ## Calibrate
#
# The same as the command `jaxrisk calibrate --prices my_prices.csv --process merton --open-interest 50000 --out
# mine.toml`. The law is Merton's, a diffusion with jumps. Open interest is given in coins. Exit code 0: everything
# that was asked for is told by these data; 5 would say that some number is not, and stays that of the scenario which
# it builds on, as the file then says.

# %%
words = ["calibrate", "--prices", str(prices), "--process", "merton", "--open-interest", "50000", "--replications", "8"]
code = main([*words, "--out", "mine.toml", "--report", "mine.html", "--force"])
print("exit code", code)

# %% [markdown]
# What it found of the price, each number with its origin. Errors are in brackets in the comments.

# %%
for line in Path("mine.toml").read_text().splitlines():
    if line.startswith(("variance", "volatility", "jump_", "daily_volume", "daily_volatility")):
        print(line)

# %% [markdown]
# The prices were made up with a volatility of 0.56 a year without jumps, and 175 jumps a year of a standard deviation
# of 0.03. Found are 0.562 (standard error 0.014), 231 (67) and 0.027 (0.003): each within a standard error of the
# truth. The number of jumps is known only roughly, because two months had about 29 of them.
#
# `mine.html` says what each number rests on, and what could not be told. With account snapshots (`--accounts`)
# leverage would come from data too; without them it is that of `btc_24h`, and belongs to another market than yours.
#
# ## Check, and run

# %%
main(["check", "mine.toml"])
scenario = jr.load("mine.toml")
with jr.progress_bar() as bar:
    result = jr.simulate(scenario, paths=PATHS, steps=STEPS, seed=1, progress=bar)
result.summary()

# %%
result.plot()

# %% [markdown]
# Before you use a figure of it: ask what the numbers that nobody knows do (`jaxrisk study mine.toml --over ranges`),
# and how such a forecast fares on days that have been (`jaxrisk backtest --days`, with a longer history than this
# one).
