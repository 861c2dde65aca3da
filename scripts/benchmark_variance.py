"""What variance reduction is worth: time x variance of plain paths over that of each method, measured on a shipped scenario.

Part "variance" of benchmark.py. Each method runs many independent replicates of so many paths; the variance of their estimates is
compared with that of plain replicates, and times are those of all cores together. Measured on two cores: variance, plain over the
method's, and in brackets time x variance; 128 and 64 replicates of 4,096 paths, so that ratios are known to a fifth or so.

    btc_24h, 144 steps                 antithetic  control      Sobol
    mean drawdown                       1.3 (1.3)    (1.6)  18   (13)
    ES 99% of drawdown                  0.7 (0.7)    (1.5)  5.8 (4.4)
    P(drawdown > VaR 99%)               0.7 (0.6)    (1.0)  3.1 (2.3)
    P(drawdown > VaR 99.9%)             0.9 (0.9)    (1.0)  1.5 (1.1)
    mean open-interest loss             0.6 (0.6)    (0.6)  25   (19)
    ES 99% of open-interest loss        0.8 (0.8)    (0.6)  4.0 (3.0)
    P(open-interest loss > VaR 99%)     0.8 (0.8)    (0.6)  2.8 (2.1)
    P(open-interest loss > VaR 99.9%)   1.0 (0.9)    (0.7)  2.3 (1.7)

    btc_eth_sol_7d, 84 steps           antithetic  control      Sobol
    mean drawdown                       1.6 (2.2)    (1.6)  11   (13)
    ES 99% of drawdown                  1.1 (1.5)    (1.5)  3.1 (3.7)
    P(drawdown > VaR 99%)               0.6 (0.9)    (1.2)  1.9 (2.3)
    P(drawdown > VaR 99.9%)             1.1 (1.5)    (1.2)  1.4 (1.7)
    mean open-interest loss             0.6 (0.8)    (0.6)  4.4 (5.3)
    ES 99% of open-interest loss        1.4 (1.9)    (0.6)  1.8 (2.2)
    P(open-interest loss > VaR 99%)     1.3 (1.8)    (0.6)  1.8 (2.1)
    P(open-interest loss > VaR 99.9%)   1.1 (1.5)    (0.6)  1.2 (1.4)

In the second the plain program takes a third more time than it need (the others' took 0.73 and 0.84 of it): compare variances.

Sobol points won and are `jaxrisk.simulate(..., sampling="sobol")`. What lost lives here only: mirrored paths (antithetic), and
the run without feedback as a control variate whose mean comes from a longer run of the market alone, at its best split of time
(that mean is known in closed form for no law that a shipped scenario uses).
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxrisk import load
from jaxrisk.cascade import prepare, seed_key
from jaxrisk.cascade.blocks import losses_of
from jaxrisk.cascade.engine import COUNTERS
from jaxrisk.cascade.observe import Drawdown
from jaxrisk.cascade.source import AbstractSource, draw, first_uniforms
from jaxrisk.risk.sobol import sobol
from jaxrisk.risk.tail import expected_shortfall
from jaxrisk.scenario import Settings

DRAWDOWN, LOSS, CONTROL = "max_drawdown_index", "open_interest_loss_usd", "max_drawdown_no_feedback_index"
LEVEL = 0.99


class Mirrored(AbstractSource):
    """Paths in pairs: the second of each has the first's normals with the other sign and its uniforms from the other end."""

    def start(self, prepared, key, path):
        return self._mirrored(first_uniforms(prepared, key, path >> 1), path), ()

    def step(self, prepared, key, path, memory, index):
        noise = draw(prepared, key, path >> 1, index)
        normals = jnp.where(path & 1, -noise.normals, noise.normals)
        bridge = None if noise.bridge is None else self._mirrored(noise.bridge, path)
        return noise._replace(normals=normals, uniforms=self._mirrored(noise.uniforms, path), bridge=bridge), ()

    def losses(self, memory):
        return {}

    @staticmethod
    def _mirrored(uniforms, path):
        return jnp.where(path & 1, jnp.clip(1.0 - uniforms, 2.0**-33, 1.0 - 2.0**-24), uniforms)


@eqx.filter_jit
def market_alone(prepared, key, paths):
    """Drawdown of the first asset's exogenous price: what a run without feedback costs at least."""

    market = prepared.scenario.market

    def advance(carry, path, index):
        price, state, drawdown = carry
        noise = draw(prepared, key, path, index)
        state, move = market.step(prepared.market, state, noise.normals, noise.uniforms, index)
        price = price + move.diffusion + move.jump
        return price, state, drawdown.observe(price, price, index)

    def begin(path):
        price = jnp.zeros_like(prepared.decay)
        return price, market.init(prepared.market), Drawdown.start(price.shape, price.dtype)

    body = lambda carry, index: (jax.vmap(advance, in_axes=(0, 0, None))(carry, paths, index), None)
    steps = jnp.arange(prepared.scenario.settings.steps, dtype=jnp.int32)
    return jax.lax.scan(body, jax.vmap(begin)(paths), steps)[0][2].fraction()


def statistics(losses: dict[str, np.ndarray]) -> dict[str, Callable]:
    """What users ask for; the levels of the probabilities come from a plain sample."""
    measures = {}
    for name, label in ((DRAWDOWN, "drawdown"), (LOSS, "open-interest loss")):
        high, higher = np.quantile(losses[name], [LEVEL, 1.0 - 0.1 * (1.0 - LEVEL)])
        measures[f"mean {label}"] = lambda x, name=name: x[name].mean(dtype=np.float64)
        measures[f"ES 99% of {label}"] = lambda x, name=name: expected_shortfall(x[name], LEVEL).value
        measures[f"P({label} > VaR 99%)"] = lambda x, name=name, level=high: (x[name] > level).mean()
        measures[f"P({label} > VaR 99.9%)"] = lambda x, name=name, level=higher: (x[name] > level).mean()
    return measures


def correlation(losses: dict[str, np.ndarray], measure: str) -> float:
    """Between what each path adds to an estimate and what it adds to the same estimate of the drawdown without feedback."""
    pair = []
    for name in (LOSS if "loss" in measure else DRAWDOWN, CONTROL):
        x = np.asarray(losses[name], np.float64)
        beyond = np.quantile(x, 1.0 - 0.1 * (1.0 - LEVEL) if "99.9" in measure else LEVEL)
        if not measure.startswith("mean"):
            x = np.maximum(x - beyond, 0.0) if measure.startswith("ES") else x > beyond
        pair.append(x)
    return float(np.corrcoef(*pair)[0, 1])


def table(name: str, steps: int, replicates: int, paths: int, timed: Callable, repeats: int, seed: int = 1) -> None:
    """Print variance and time x variance, plain over each method, for each measure."""
    scenario = load(name)
    held = scenario.settings
    settings = Settings(held.horizon, steps, held.rounds, held.bridge, held.index_weight, held.support)
    prepared = prepare(scenario.replace(settings=settings))
    sources = {"plain": COUNTERS, "antithetic": Mirrored(), "sobol": sobol(prepared, replicates)}
    every = np.arange(replicates * paths, dtype=np.uint32)
    run = lambda source, first: losses_of(prepared, seed, every + np.uint32(first), source)
    # plain paths that are none of the mirrored
    losses = {method: run(source, 2**31 if method == "plain" else 0) for method, source in sources.items()}
    few, alone = jnp.arange(4096, dtype=jnp.uint32), "market alone"
    some = every[: 8 * len(few)]
    calls: dict[str, Callable] = {
        method: (lambda source=source: losses_of(prepared, seed, some, source)) for method, source in sources.items()
    }
    calls[alone] = lambda: [jax.block_until_ready(market_alone(prepared, seed_key(seed), few + 4096 * k)) for k in range(8)]
    calls[alone]()
    turns = [{method: timed(call).cores for method, call in calls.items()} for _ in range(2 * repeats + 1)]
    times = {method: min(turn[method] for turn in turns) for method in calls}
    relative = ", ".join(f"{method} {times[method] / times['plain']:.2f}" for method in calls if method != "plain")
    print(f"{name}, {steps} steps, {replicates} replicates of {paths} paths; times over plain: {relative}")
    print(f"  {'variance, plain over (time x variance)':<40}{'antithetic':>16}{'control':>16}{'sobol':>16}{'estimates, z':>14}")
    for label, measure in statistics(losses["plain"]).items():
        spread, means = {}, {}
        for method, found in losses.items():
            group = every % replicates if method == "sobol" else every // paths
            each = [measure({n: found[n][group == r] for n in (DRAWDOWN, LOSS)}) for r in range(replicates)]
            spread[method], means[method] = np.var(each, ddof=1), np.mean(each)
        columns = []
        for method in ("antithetic", "sobol"):
            gain = spread["plain"] / spread[method]
            columns.append(f"{gain:.1f} ({gain * times['plain'] / times[method]:.1f})")
        squared, ratio = correlation(losses["plain"], label) ** 2, times[alone] / times["plain"]
        best = 1.0 / (np.sqrt(1.0 - squared) + np.sqrt(squared * ratio)) ** 2
        z = (means["sobol"] - means["plain"]) / np.sqrt((spread["sobol"] + spread["plain"]) / replicates)
        print(f"  {label:<40}{columns[0]:>16}{f'({best:.1f})':>16}{columns[1]:>16}{z:>14.1f}", flush=True)


def variance(timed: Callable, repeats: int, steps: int) -> None:
    """The table for a market that mostly diffuses and jumps now and then, and for several assets."""
    table("btc_24h", min(steps, 144), 128, 4096, timed, repeats)
    table("btc_eth_sol_7d", min(steps, 84), 64, 4096, timed, repeats)
