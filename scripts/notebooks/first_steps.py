# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # First steps
#
# Five minutes: a leveraged market is hit by news, some holders cannot meet their margin, the exchange sells for them,
# and the price falls further. How much further, and how sure is that?
#
# You need no JAX for it: a scenario is a text file, a result is a table.

# %% tags=["parameters"]
PATHS, STEPS = 20_000, 1440  # errors fall with the root of the number of paths; steps are the scenario's own, of 15 s

# %%
# %matplotlib inline
import jaxrisk as jr

scenario = jr.load("btc_shock_10pct")
print(scenario.description.title)
print(scenario.description.question)

# %% [markdown]
# The scenario ships with the package: Bitcoin on two venues, an outside fall of 10% within a quarter of an hour, and
# holders whose leverage was read from snapshots of accounts. `jaxrisk init btc_shock_10pct` makes a copy of it to
# edit, with a source beside each number.
#
# ## Run it

# %%
with jr.progress_bar() as bar:
    result = jr.simulate(scenario, paths=PATHS, steps=STEPS, seed=1, progress=bar)
result.summary()

# %% [markdown]
# Every line has a standard error and an interval. They say how much of a figure is the luck of the random numbers,
# and nothing else: that the scenario's own numbers may be wrong is a question of its own (the last section).
#
# *ES 99%* is the expected shortfall: the mean over the worst hundredth of the paths. *No feedback* is the same fall
# without what forced orders did to the price. *Amplification* is the difference of the two on each path.
#
# ## What did forced orders add?
#
# The same random numbers again, with the price impact of forced orders switched off. A difference on the same paths
# has an error of its own, far smaller than that of either figure.

# %%
calm = jr.simulate(scenario, paths=PATHS, steps=STEPS, seed=1, feedback=False)
for statistic, level in (("mean", None), ("expected_shortfall", 0.99)):
    added = calm.difference(result, "max_drawdown_index", statistic, level)
    print(f"{statistic}: {100 * added.value:.3f} points more ({100 * added.low:.3f} to {100 * added.high:.3f})")

# %% [markdown]
# At the size written here forced orders add 0.541 percentage points (0.538 to 0.544), which makes a mean fall of
# 11.55%, and 0.56 (0.53 to 0.61) to the mean of the worst hundredth. Both intervals are far from zero: the addition is
# told apart from none. It is hardly larger in the tail than on average here: the shock is the same on all paths.
#
# An interval knows nothing of the step. With 288 steps, of 75 s, forced orders would add 0.913 points (0.909 to
# 0.918): keep the scenario's own step for a figure that is to be quoted.
#
# ## How likely is a fall of 15%?

# %%
result.exceedance_probability("max_drawdown_index", 0.15)

# %% [markdown]
# 0.31% of the paths, with an interval of 0.24% to 0.40%: 62 paths of 20,000. A probability that rests on a handful of
# paths has a wide interval, and one that no path shows is not zero: ask for a fall of 30%, and the interval says
# below which it stays.

# %%
result.exceedance_probability("max_drawdown_index", 0.30)

# %% [markdown]
# ## Look at it
#
# Upper left: some paths. Upper right: how many further dollars a forced dollar sets off when the price has got so
# far. Below: the probability that a loss exceeds a level, with a band.

# %%
result.plot()

# %% [markdown]
# ## And what nobody knows
#
# How far a sold dollar moves the price is the least certain number: the scenario says 1, and 0.5 to 3 can be argued.

# %%
for coefficient in (0.5, 3.0):
    other = jr.simulate(jr.load("btc_shock_10pct", {"impact.coefficient": coefficient}), paths=PATHS, steps=STEPS, seed=1)
    worst = other.expected_shortfall("max_drawdown_index", 0.99)
    change = result.difference(other, "max_drawdown_index", "expected_shortfall", 0.99)
    said = f"{100 * change.value:+.2f} points ({100 * change.low:+.2f} to {100 * change.high:+.2f})"
    print(f"coefficient {coefficient}: {100 * worst.value:.2f}% ({100 * worst.low:.2f} to {100 * worst.high:.2f}), {said}")

# %% [markdown]
# From 14.6% to 16.8%: what this one number may do is several times the luck of the random numbers, whose intervals
# are half a point wide. The intervals of 0.5 and 1 overlap, and yet the two are told apart: on the same paths the
# change has an interval of its own. More paths would not help here; say the range beside the figure.
#
# Where to go on: `your_own_data.py` makes a scenario of your files, `leverage_limits.py` asks what a cap would
# change.
