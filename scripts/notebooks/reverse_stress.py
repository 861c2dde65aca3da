# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Reverse stress: how would it come to that?
#
# A stress test asks what a shock does. A reverse stress test begins with the loss: which way to it is the most likely
# one, and how likely is it altogether?
#
# Steps are of a quarter of an hour here for the file's one minute, which keeps it short and biases what forced orders
# do, of which no interval knows: a look at the method. Take 1,440 steps for a figure that is to be quoted.

# %% tags=["parameters"]
STEPS, RESTARTS, MAX_PATHS = 96, 16, 200_000

# %%
# %matplotlib inline
import numpy as np

import jaxrisk as jr

scenario = jr.load("btc_24h", {"run.step": f"{24 * 60 // STEPS}min"})
LEVEL = 0.15

# %% [markdown]
# ## The most likely ways
#
# Among all outside paths on which the drawdown reaches 15%, the one whose random numbers are the least extraordinary,
# found by gradients through the whole cascade. There may be several, quite different ones.

# %%
with jr.progress_bar("starts") as bar:
    ways = jr.reverse_stress(scenario, "max_drawdown_index", LEVEL, restarts=RESTARTS, seed=1, progress=bar)
for place, way in enumerate(ways.answers, 1):
    print(f"{place}. {way.words}\n   about {way.probability:.1e}, to an order of magnitude")

# %%
ways.plot()

# %% [markdown]
# Read the picture from the top: the price as the outside alone would have had it, and as forced orders made it; then
# what was liquidated on the way. The probability of each way is a first-order estimate, an order of magnitude and not
# a figure with an error. For that:
#
# ## How likely is it?
#
# Importance sampling draws paths around the most likely ways and weights them back; splitting keeps the worst and
# branches them. `rare_event` chooses, and says which and why.

# %%
with jr.progress_bar() as bar:
    likely = jr.rare_event(scenario, "max_drawdown_index", LEVEL, max_paths=MAX_PATHS, seed=1, progress=bar)
print(likely.method, "-", likely.reason)
one = likely.estimate
print(f"probability {one.value:.2e} ({one.low:.2e} to {one.high:.2e}), from {likely.paths_run:,} path simulations")
print(f"plain simulation would need about {100 / one.value:,.0f} for an error of a tenth" if one.value > 0 else "none seen")

# %% [markdown]
# ## What it is a probability of
#
# Of the scenario's own law, from the start that it states: an ordinary day's variance. A day that begins wild is
# another question (`market.variance`), and so is "any day" (`btc_any_day`). History had falls of this size far more
# often than this law from this start, also from days of such variance; `docs/limitations.md` has the figures side by
# side.

# %%
wild = jr.load("btc_24h", {"run.step": f"{24 * 60 // STEPS}min", "market.variance": 0.6})
with jr.progress_bar() as bar:
    there = jr.rare_event(wild, "max_drawdown_index", LEVEL, max_paths=MAX_PATHS, seed=1, progress=bar).estimate
print(f"from a volatility of {np.sqrt(0.6):.0%} a year: {there.value:.2e} ({there.low:.2e} to {there.high:.2e})")
