# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Trusting a tail, and a gradient
#
# When is a tail figure to be believed, and when its derivative? Two short experiments, each of which goes wrong where
# it is done carelessly.

# %% tags=["parameters"]
PATHS, STEPS = 16_000, 288

# %%
# %matplotlib inline
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import jaxrisk as jr
from jaxrisk.positions import Limits
from jaxrisk.risk import expected_shortfall

# %% [markdown]
# ## A tail
#
# A day drawn at random, and the mean of its worst hundredth, from more and more paths. How far do the first thousand
# lie off? (In steps of five minutes for the file's one: a bias of its own, which no number of paths mends.)

# %%
day = jr.load("btc_any_day")
with jr.progress_bar() as bar:
    result = jr.simulate(day, paths=PATHS, steps=STEPS, seed=1, sample_paths=0, progress=bar)
falls = result["max_drawdown_index"]
for paths in sorted({1_000, 4_000, PATHS}):
    if paths <= PATHS:
        worst = expected_shortfall(falls[:paths], 0.99)
        print(f"{paths:>6} paths: ES 99% {100 * worst.value:.2f}%, standard error {100 * worst.standard_error:.2f}")

# %% [markdown]
# Each line has its own error, and they agree within them. From a thousand paths the figure rests on ten of them.
#
# Beyond the data there is a law of large losses (generalised Pareto), fitted to the largest. It is an extrapolation,
# and its interval says so: compare the quantile that one path in a hundred exceeds with that of one in ten thousand.

# %%
tail = result.pareto_tail("max_drawdown_index")
for level in (0.99, 0.999, 0.9999):
    seen, fitted = np.quantile(falls, level), tail.quantile(level)
    ends = f"{100 * fitted.low:.1f} to {100 * fitted.high:.1f}"
    print(f"{level:.2%}: Pareto {100 * fitted.value:.1f}% ({ends}), seen {100 * seen:.1f}%")

# %% [markdown]
# The interval widens outward. And it is of *this law*: history is another matter (`docs/limitations.md`).

# %%
result.plot_return_levels()

# %% [markdown]
# ## A gradient
#
# What does one unit of leverage more or less do, at a cap of 9 for everybody, when the price falls by 10% from
# outside? The engine is a function that JAX differentiates, so one can simply ask each path and average. Steps are of
# 75 s here for the file's 15 s, at which forced orders would do less (`first_steps.py`): the figures show a method.


# %%
def capped(cap):
    return jr.load("btc_shock_10pct", {"run.step": f"{6 * 3600 // STEPS}s"}).replace(
        limits=Limits.single(cap, share_downsize=0.5)
    )


FEW = min(PATHS, 2_000)


@eqx.filter_jit
def slopes_of_paths(cap):
    paths = jnp.arange(FEW, dtype=jnp.uint32)
    losses = lambda value: jr.path_losses(jr.prepare(capped(value)), jr.seed_key(1), paths)["open_interest_loss_usd"]
    return jax.jvp(losses, (cap,), (jnp.ones_like(cap),))[1]


slopes = np.asarray(slopes_of_paths(jnp.float32(9.0)), np.float64) / 1e6
print(f"average of the paths' slopes: {slopes.mean():.0f} million USD, standard error {slopes.std() / np.sqrt(FEW):.0f}")
print(f"the largest tenth of a hundredth of the paths has {np.sort(slopes)[-FEW // 1000 :].sum() / slopes.sum():.0%} of the sum")

# %% [markdown]
# Is that so? Run the caps beside it, on the same random numbers.

# %%
middle, low, high = (jr.simulate(capped(cap), paths=FEW, seed=1, sample_paths=0) for cap in (9.0, 8.75, 9.25))
change = low.difference(high, "open_interest_loss_usd")
print(f"from 8.75 to 9.25: {2 * change.value / 1e6:.0f} million a unit, standard error {2 * change.standard_error / 1e6:.0f}")

# %% [markdown]
# It is not. The paths' slopes miss what happens: at a cap of 9 many holders have one liquidation price, just where
# the price gets to, and a small move of the cap takes paths from hardly any liquidation to a great many. A path's
# derivative does not see a jump, and a few paths carry most of the average, whose stated error is then worth nothing.
#
# `sensitivity` looks before it believes: at the tail index of what paths contribute (below 2.5: no variance to speak
# of), and at a difference. It says what it did.

# %%
found = jr.sensitivity(capped(9.0), "mean(open_interest_loss_usd)", "limits.cap", paths=FEW, change={"limits.cap": 8.0})
found.summary()

# %% [markdown]
# *bump* is the slope of the measure as a curve, with an interval that includes its bias. And even a right slope is no
# guide to a finite change: the line on a cap of 8 gives the change itself beside what the slope would make of it.
