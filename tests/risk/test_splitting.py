"""Adaptive multilevel splitting: closed forms, brute force, weights, the stated error, and what is refused.

Seeds are fixed; limits are 4 standard errors, with the dozen of them a false failure at a fresh seed of about one in a thousand
(replicates are few and their estimates skewed, so that the normal tail is only a guide). Each check knows its figure to a third
or better, so that a weight that is wrong by a factor at every level, (n - k) / n for (n - k + 1) / n say, fails it.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxrisk import simulate
from jaxrisk.cascade import Channels, Impact, LinearImpact, Venues, prepare, run_block, seed_key
from jaxrisk.market import GBM, Garch, Merton
from jaxrisk.positions import Lognormal, Tiers
from jaxrisk.risk.rare import particles as particles_module, splitting as module
from jaxrisk.risk.rare.particles import MOST_LEVELS, Spliced, scored
from jaxrisk.risk.rare.splitting import splitting
from jaxrisk.risk.sample import Column
from jaxrisk.scenario import Scenario, Settings

ONE, WEEK, STEPS, VOLATILITY = np.ones(1), 7 / 365, 40, 0.6
DRIFTLESS = GBM(0.5 * VOLATILITY**2 * ONE, VOLATILITY * ONE, np.eye(1))


def market(law, bridge=True, feedback=0.0, steps=STEPS):
    """One asset, one venue; without feedback unless asked for."""
    return Scenario(
        market=law,
        impact=Impact(LinearImpact(5e9 * ONE), 0.0 * ONE, 0.0 * ONE, np.eye(1)),
        venues=Venues.single(Tiers.flat(0.005)),
        populations={"crowd": Lognormal(1e9, side=1, median=5.0, log_sd=0.5, entry_sd=0.0)},
        price=[100.0],
        settings=Settings(WEEK, steps, 1, bridge),
        channels=Channels(feedback=feedback),
    )


def drawdown(probability):
    """Exceeded with this (small) probability: P(D > x) = 4 (1 - N(x)) in units of sigma sqrt(T), less what is below 1e-12."""
    return -np.expm1(-stats.norm.isf(probability / 4.0) * VOLATILITY * np.sqrt(WEEK))


@pytest.mark.slow
@pytest.mark.parametrize("probability", [1e-2, 1e-4, 1e-6])
def test_drawdown_of_brownian_motion(probability):
    found = splitting(
        market(DRIFTLESS), "max_drawdown_index", drawdown(probability), particles=1024, replicates=24, precision="float64", seed=2
    )
    estimate = found.estimate
    assert abs(estimate.value - probability) < 4 * estimate.standard_error
    assert estimate.standard_error < 0.15 * probability
    assert estimate.low < probability < estimate.high
    assert found.paths_run == len(found.log_weights) < 24 * 1024 * (1.5 + 0.55 * np.log2(1 / probability))
    assert found.families > 50


LAWS = {
    "jumps": (Merton(0 * ONE, VOLATILITY * ONE, np.eye(1), [20.0], [-0.1], [0.1], 0.0, max_jumps=3), True, 0.45),
    "clustered variance": (Garch([0.0], [0.36], [0.36], [0.1], [0.85], [12.0], [[1.0]], WEEK / STEPS), False, 0.30),
    "feedback": (DRIFTLESS, True, 0.40),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LAWS)
def test_agrees_with_brute_force(name):
    """At probabilities of 3e-4 to 1e-3, under jumps, a GARCH law, and feedback of the liquidations on the price."""
    law, bridge, level = LAWS[name]
    scenario = market(law, bridge, feedback=float(name == "feedback"))
    plain = simulate(scenario, 400_000, seed=11, sample_paths=0).losses["max_drawdown_index"] > level
    assert 1e-4 < plain.mean() < 2e-3, plain.mean()
    found = splitting(scenario, "max_drawdown_index", level, particles=1024, replicates=24, seed=3).estimate
    error = np.hypot(found.standard_error, plain.std() / np.sqrt(len(plain)))
    assert abs(found.value - plain.mean()) < 4 * error
    assert error < 0.2 * plain.mean()


@pytest.mark.slow
def test_every_observable_is_unbiased_and_the_stated_error_holds():
    """With as few as 32 particles: estimates of 40 runs of 8 replicates, each of another seed, against plain paths."""
    scenario = market(DRIFTLESS, feedback=1.0)
    level = 0.2
    plain = simulate(scenario, 200_000, seed=9, sample_paths=0).losses
    of = {
        "the probability asked for": lambda losses: losses["max_drawdown_index"] > level,
        "a less rare one": lambda losses: losses["max_drawdown_index"] > 0.15,
        "drawdown": lambda losses: losses["max_drawdown_index"],
        "return": lambda losses: losses["log_return"][:, 0],
        "open interest lost": lambda losses: losses["open_interest_loss_usd"],
        "return on the bad paths": lambda losses: losses["log_return"][:, 0] * (losses["max_drawdown_index"] > 0.15),
    }
    runs = [splitting(scenario, "max_drawdown_index", level, particles=32, replicates=8, seed=100 + k) for k in range(40)]
    for run in runs:
        sums = np.bincount(run.replicate, np.exp(run.log_weights)) * 8 / run.paths_run
        np.testing.assert_allclose(sums, 1.0, rtol=1e-12)
    for name, function in of.items():
        truth = np.asarray(function(plain), np.float64)
        estimates = [run.mean(function(run.losses)) for run in runs]
        values, errors = (np.array([getattr(e, f) for e in estimates]) for f in ("value", "standard_error"))
        error = np.hypot(values.std(ddof=1) / np.sqrt(len(values)), truth.std() / np.sqrt(len(truth)))
        assert abs(values.mean() - truth.mean()) < 4 * error, name
        # both sides of the ratio are known to 11% and 4%
        assert 0.7 < np.sqrt((errors**2).mean()) / values.std(ddof=1) < 1.4, name
        covered = np.mean([e.low <= truth.mean() <= e.high for e in estimates])
        assert covered > 0.8, (name, covered)
    assert runs[0].estimate == runs[0].mean(runs[0].losses["max_drawdown_index"] > level, level=level)


@pytest.mark.slow
def test_a_loss_that_can_shrink_again():
    """Ended above, not been above: a rise of the log price by 4.2 standard deviations at the end, 1.3e-5."""
    deviation = VOLATILITY * np.sqrt(WEEK)
    found = splitting(market(DRIFTLESS), "log_return[asset]", 4.2 * deviation, particles=1024, replicates=24, seed=4).estimate
    truth = stats.norm.sf(4.2)
    assert abs(found.value - truth) < 4 * found.standard_error
    assert found.standard_error < 0.2 * truth


@pytest.mark.slow
def test_tail_measures_have_the_replicates_error():
    scenario = market(DRIFTLESS)
    runs = [splitting(scenario, "max_drawdown_index", drawdown(1e-4), particles=256, replicates=8, seed=s) for s in range(24)]
    estimates = [run.measure("expected_shortfall(max_drawdown_index, 0.999)", run.losses["max_drawdown_index"]) for run in runs]
    values, errors = (np.array([getattr(e, f) for e in estimates]) for f in ("value", "standard_error"))
    sample = simulate(scenario, 400_000, seed=8, sample_paths=0).losses["max_drawdown_index"]
    worst = np.sort(sample)[-400:]
    error = np.hypot(values.std(ddof=1) / np.sqrt(len(values)), 1.5 * worst.std() / np.sqrt(len(worst)))
    assert abs(values.mean() - worst.mean()) < 4 * error
    assert 0.65 < np.sqrt((errors**2).mean()) / values.std(ddof=1) < 1.5
    naive = values[0] / runs[0].measure("mean(max_drawdown_index)", runs[0].losses["max_drawdown_index"]).value
    assert naive > 2.0


@pytest.mark.slow
def test_spliced_paths_are_their_parents_up_to_the_branch():
    """One index all along is the plain path, to the bit; changed after a segment, the path is the same until there."""
    prepared = prepare(market(DRIFTLESS))
    key, count, every = seed_key(5), 64, 3
    segments = -(-STEPS // every)
    ids = np.arange(count, dtype=np.uint32)
    plain = run_block(prepared, key, jnp.asarray(ids))
    constant = np.repeat(ids[:, None], segments, axis=1)
    spliced = run_block(prepared, key, jnp.asarray(constant), Spliced(every))
    for name, values in plain.items():
        np.testing.assert_array_equal(np.asarray(spliced[name]), np.asarray(values), err_msg=name)

    score = Column.of(market(DRIFTLESS), "max_drawdown_index")
    changed = constant.copy()
    changed[:, 5:] += 1000
    _, before = scored(prepared, key, jnp.asarray(constant), Spliced(every), score)
    _, after = scored(prepared, key, jnp.asarray(changed), Spliced(every), score)
    before, after = np.asarray(before), np.asarray(after)
    np.testing.assert_array_equal(before[:, :5], after[:, :5])
    assert np.mean(before[:, -1] != after[:, -1]) > 0.8
    np.testing.assert_array_equal(before[:, -1], np.asarray(plain["max_drawdown_index"]))


@pytest.mark.slow
def test_same_numbers_whatever_runs_side_by_side(monkeypatch):
    run = lambda **more: splitting(market(DRIFTLESS), "max_drawdown_index", 0.2, particles=128, replicates=3, seed=7, **more)
    first = run()
    seen = []
    monkeypatch.setattr(module, "MEMORY", 1)
    monkeypatch.setattr(module, "workers", lambda: 1)
    second = run(progress=lambda done, total: seen.append((done, total)))
    np.testing.assert_array_equal(first.log_weights, second.log_weights)
    for name, values in first.losses.items():
        np.testing.assert_array_equal(values, second.losses[name], err_msg=name)
    assert seen[-1] == (1000, 1000)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert first.paths_run != run(share=0.3).paths_run


@pytest.mark.slow
def test_coarser_branching_is_as_right(monkeypatch):
    """Paths longer than `SEGMENTS` branch at the ends of segments only."""
    monkeypatch.setattr(particles_module, "SEGMENTS", 8)
    found = splitting(market(DRIFTLESS), "max_drawdown_index", drawdown(1e-3), particles=512, replicates=24, seed=6).estimate
    assert abs(found.value - 1e-3) < 4 * found.standard_error
    assert found.standard_error < 2e-4


@pytest.mark.slow
def test_what_cannot_happen_comes_to_an_end():
    """A drawdown beyond one: until all paths are at the same level, or the levels are used up."""
    found = splitting(market(DRIFTLESS, steps=4), "max_drawdown_index", 1.0, particles=16, replicates=2, seed=1)
    assert (found.estimate.value, found.estimate.low) == (0.0, 0.0)
    assert np.isnan([found.estimate.standard_error, found.estimate.high]).all()  # nothing is known, least of all without error
    assert found.families == 0.0
    assert all(len(levels) <= MOST_LEVELS for levels in found.levels)


@pytest.mark.slow
def test_a_loss_with_an_atom():
    """Nobody is liquidated on most paths: those fall at once."""
    scenario = market(DRIFTLESS).replace(populations={"crowd": Lognormal(1e9, side=1, median=3.0, log_sd=0.1, entry_sd=0.0)})
    plain = simulate(scenario, 400_000, seed=12, sample_paths=0).losses["open_interest_loss_usd"]
    assert (plain == 0.0).mean() > 0.5
    level = float(np.quantile(plain, 0.999))
    found = splitting(scenario, "open_interest_loss_usd", level, particles=512, replicates=24, seed=5).estimate
    truth = (plain > level).mean()
    assert abs(found.value - truth) < 4 * np.hypot(found.standard_error, np.sqrt(truth / len(plain)))
    assert found.standard_error < 0.25 * truth


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"level": np.nan}, "level = nan"),
        ({"particles": 4}, "particles = 4"),
        ({"replicates": 1}, "replicates = 1"),
        ({"share": 1.0}, "share = 1.0"),
        ({"seed": -1}, "seed = -1"),
        ({"precision": "half"}, 'precision = "half"'),
        ({"observable": "max_drawdwn_index"}, "did you mean 'max_drawdown_index'"),
        ({"observable": "max_drawdown[DOGE]"}, "DOGE"),
    ],
)
def test_refuses(arguments, message):
    given = {"observable": "max_drawdown_index", "level": 0.2} | arguments
    with pytest.raises(ValueError, match="(?s)" + message.replace("[", "\\[")):
        splitting(market(DRIFTLESS), **given)
    assert not jax.config.jax_enable_x64
