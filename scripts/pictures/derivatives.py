"""A mean loss against a cap at which holders gather: the slope with its interval, and the average of paths' slopes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import jaxrisk as jr
from jaxrisk.positions import Limits

AT, PATHS, LOSS = 9.0, 2_000, "open_interest_loss_usd"


def capped(cap):
    return jr.load("btc_shock_10pct", {"run.step": "75s"}).replace(limits=Limits.single(cap, share_downsize=0.5))


def draw():
    caps = np.array([8.0, 8.4, 8.7, 8.85, 9.0, 9.15, 9.3, 9.6, 10.0])
    runs = [jr.simulate(capped(cap), paths=PATHS, seed=1, sample_paths=0) for cap in caps]
    middle = runs[list(caps).index(AT)]
    change = [middle.difference(run, LOSS) for run in runs]
    found = jr.sensitivity(capped(AT), f"mean({LOSS})", "limits.cap", paths=PATHS, seed=1)
    mean, error = slope_of_paths()
    figure = Figure(figsize=(7.6, 3.8), layout="constrained")
    axes, base = figure.subplots(), middle.mean(LOSS).value
    axes.errorbar(caps, [(base + one.value) / 1e6 for one in change], yerr=[1.96 * one.standard_error / 1e6 for one in change],
                  fmt="ko", markersize=4, capsize=3, label="runs on the same random numbers")  # fmt: skip
    span = np.array([-0.55, 0.55])
    for slope, half, colour, name in ((found.gradient[0], 1.96 * found.standard_error[0], "C0", "slope of the curve"),
                                      (mean, 1.96 * error, "C1", "average of the paths' slopes")):  # fmt: skip
        line = (base + slope * span) / 1e6
        axes.plot(AT + span, line, color=colour, label=f"{name}: {slope / 1e6:.0f} ± {half / 1e6:.0f} a unit")
        axes.fill_between(AT + span, (base + (slope - half) * span) / 1e6, (base + (slope + half) * span) / 1e6, color=colour,
                          alpha=0.2, linewidth=0)  # fmt: skip
    axes.set(xlabel="cap on leverage", ylabel="mean open interest lost, USD million", title="Where holders gather at their cap")
    axes.legend(loc="upper left")
    return figure


@eqx.filter_jit
def _slopes(cap):
    paths = jnp.arange(PATHS, dtype=jnp.uint32)
    losses = lambda value: jr.path_losses(jr.prepare(capped(value)), jr.seed_key(1), paths)[LOSS]
    return jax.jvp(losses, (cap,), (jnp.ones_like(cap),))[1]


def slope_of_paths():
    """Mean and standard error of the derivatives of single paths."""
    slopes = np.asarray(_slopes(jnp.float32(AT)), np.float64)
    return slopes.mean(), slopes.std() / np.sqrt(PATHS)
