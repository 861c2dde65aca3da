"""Sobol points: they are Sobol points, the noise keeps its law, estimates are unbiased, and the replicates' error holds.

Statistical limits are 4.5 standard errors unless said otherwise (7e-6 each, some 60 of them: a false failure at a fresh seed once
in 2,000); seeds are fixed.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.stats import qmc

from jaxrisk import simulate
from jaxrisk.cascade import Channels, Impact, LinearImpact, Venues, prepare, seed_key
from jaxrisk.cascade.source import draw
from jaxrisk.market import GBM, Bates, Garch, Kou, Merton
from jaxrisk.positions import Lognormal, Tiers
from jaxrisk.risk import exceedance_probability, expected_shortfall, mean
from jaxrisk.risk.rare.drivers import NotSteerableError
from jaxrisk.risk.replicates import by_replicates
from jaxrisk.risk.sobol import BITS, REPLICATES, SIZES, _directions, sobol
from jaxrisk.scenario import Scenario, Settings

ONE, WEEK = np.ones(1), 7 / 365
LAWS = {
    "gbm": GBM(0.0 * ONE, 0.6 * ONE, np.eye(1)),
    "merton": Merton(0.0 * ONE, 0.5 * ONE, np.eye(1), [60.0], [-0.05], [0.08], 0.0, max_jumps=3),
    "kou": Kou(0.0 * ONE, 0.5 * ONE, np.eye(1), [60.0], [0.4], [20.0], [15.0], 0.0, max_jumps=2),
    "bates": Bates(*(x * ONE for x in (0.0, 0.36, 0.36, 8.0, 2.0, -0.4)), np.eye(1), [60.0], [-0.03], [0.05], 0.0, max_jumps=3),
}


def market(law, steps=40, feedback=1.0):
    """One asset, one venue, a week."""
    return Scenario(
        market=law,
        impact=Impact(LinearImpact(5e9 * ONE), 0.0 * ONE, 0.0 * ONE, np.eye(1)),
        venues=Venues.single(Tiers.flat(0.005)),
        populations={"crowd": Lognormal(1e9, side=1, median=5.0, log_sd=0.5, entry_sd=0.0)},
        price=[100.0],
        settings=Settings(WEEK, steps),
        channels=Channels(feedback=feedback),
    )


def noise_of(source, prepared, seed, paths):
    """First uniforms `(paths,)`, normals `(paths, steps, normals)` and uniforms `(paths, steps, uniforms)`."""
    key = seed_key(seed)

    def one(path):
        first, memory = source.start(prepared, key, path)

        def body(memory, index):
            noise, memory = source.step(prepared, key, path, memory, index)
            return memory, (noise.normals, noise.uniforms)

        steps = jnp.arange(prepared.scenario.settings.steps, dtype=jnp.int32)
        return first, *jax.lax.scan(body, memory, steps)[1]

    return [np.asarray(x, np.float64) for x in jax.jit(jax.vmap(one))(jnp.asarray(paths, jnp.uint32))]


@pytest.mark.slow
def test_points_are_sobol_points():
    """Without the shift, those of SciPy in its order, and each replicate's points stay a net after it."""
    dimensions, count = 19, 300
    directions = _directions(dimensions)
    assert directions.shape == (BITS, dimensions)
    number = np.arange(count)
    gray = number ^ (number >> 1)
    ours = np.zeros((count, dimensions), np.uint32)
    for bit in range(BITS):
        ours ^= np.where((gray >> bit)[:, None] & 1, directions[bit], 0).astype(np.uint32)
    theirs = qmc.Sobol(dimensions, scramble=False, bits=32).random(512)[:count]
    np.testing.assert_array_equal(ours / 2.0**32, theirs)

    # a digital shift keeps one point in each of 2^k equal intervals: here of the shock's time, the first dimension
    prepared = prepare(market(LAWS["gbm"], steps=8))
    first, _, _ = noise_of(sobol(prepared, 4), prepared, 7, np.arange(4 * 64))
    for replicate in range(4):
        assert np.unique(np.floor(first[replicate::4] * 64)).size == 64


@pytest.mark.slow
@pytest.mark.parametrize("name", LAWS)
def test_noise_keeps_its_law(name):
    """Each step's normals and uniforms by themselves, in pairs, and the number of jumps, over 40,960 paths.

    Sobol points only bring means nearer to what they should be, so that the limits for independent paths hold.
    """
    steps, paths = 24, 40_960
    prepared = prepare(market(LAWS[name], steps), jnp.float32)
    source = sobol(prepared)
    first, normals, uniforms = noise_of(source, prepared, 3, np.arange(paths))
    limit = 4.5 / np.sqrt(paths)
    assert abs(first.mean() - 0.5) < limit * 12**-0.5
    for values, uniform in ((normals, False), (uniforms, True)):
        for place in range(values.shape[2]):
            x = values[..., place]
            if uniform and place in source.driven.jump_uniforms:
                # only whether it is under the thresholds is kept
                own = float(source.own_probability[source.driven.jump_uniforms.index(place)])
                jumped = x < own
                assert np.all(np.abs(jumped.mean(axis=0) - own) < limit * np.sqrt(own * (1.0 - own)))
                inside = x[jumped] / own
                assert stats.kstest(inside, "uniform").statistic < 2.6 / np.sqrt(inside.size)
                counts = jumped.sum(axis=1)
                for k in range(3):
                    p = stats.binom.pmf(k, steps, own)
                    assert abs((counts == k).mean() - p) < limit * np.sqrt(p * (1.0 - p)) + 1e-9
                both = (jumped[:, 3] & jumped[:, 17]).mean()
                assert abs(both - own**2) < limit * own
                continue
            x = stats.norm.ppf(x) if uniform else x
            assert np.all(np.abs(x.mean(axis=0)) < limit)
            correlation = x.T @ x / paths
            assert np.all(np.abs(correlation - np.eye(steps)) < limit * np.where(np.eye(steps), np.sqrt(2.0), 1.0))
            assert np.all(np.abs((x**3).mean(axis=0)) < limit * np.sqrt(15.0))
            assert np.all(np.abs((x**4).mean(axis=0) - 3.0) < limit * np.sqrt(96.0))
    drawn = np.concatenate([normals, stats.norm.ppf(uniforms)], axis=2)
    across = np.einsum("pti,ptj->tij", drawn[:, :, : normals.shape[2]], drawn[:, :, : normals.shape[2]]) / paths
    off = ~np.eye(normals.shape[2], dtype=bool)
    assert np.all(np.abs(across[:, off]) < limit)


@pytest.mark.slow
def test_means_are_far_nearer_to_the_truth_than_plain_ones():
    """The price is a martingale, E[S_T] = S_0, under every law: and the standard error is less than half a plain one."""
    for name, law in LAWS.items():
        scenario = market(law, feedback=0.0)
        plain = np.exp(simulate(scenario, 16_384, seed=5, sample_paths=0, precision="float64").losses["log_return"][:, 0])
        found = simulate(scenario, 16_384, seed=5, sampling="sobol", sample_paths=0, precision="float64")
        values = np.exp(found.losses["log_return"][:, 0])
        estimate = by_replicates(mean, values, None, REPLICATES)
        assert abs(estimate.value - 1.0) < 4.5 * estimate.standard_error, name
        assert estimate.standard_error < 0.5 * plain.std() / np.sqrt(len(plain)), name
        assert estimate.low < estimate.value < estimate.high


MEASURES = {
    "mean": (mean, ()),
    "expected shortfall": (expected_shortfall, (0.95,)),
    "exceedance": (exceedance_probability, (0.2,)),
}


@pytest.mark.slow
def test_stated_errors_hold_by_replication():
    """48 runs of 16 x 256 paths, each of another seed: stated over observed error within 0.75 to 1.3 (11% from the runs)."""
    scenario = market(LAWS["bates"], steps=20)
    truth = simulate(scenario, 300_000, seed=1, sample_paths=0)
    runs = [simulate(scenario, 16 * 256, seed=100 + k, sampling="sobol", sample_paths=0) for k in range(48)]
    for observable in ("max_drawdown_index", "open_interest_loss_fraction"):
        for name, (function, arguments) in MEASURES.items():
            plain = truth.estimate(lambda x, w, f=function, a=arguments: f(x, *a, log_weights=w), truth.column(observable))
            found = [run.measure(observable, function.__name__, *arguments) for run in runs]
            values, errors, low, high = (
                np.array([getattr(e, f) for e in found]) for f in ("value", "standard_error", "low", "high")
            )
            ratio = np.sqrt((errors**2).mean()) / values.std(ddof=1)
            assert 0.75 < ratio < 1.3, (observable, name, ratio)
            error = np.hypot(values.std(ddof=1) / np.sqrt(len(values)), plain.standard_error)
            assert abs(values.mean() - plain.value) < 4.5 * error, (observable, name)
            covered = ((low - 2 * plain.standard_error <= plain.value) & (plain.value <= high + 2 * plain.standard_error)).mean()
            assert covered >= 0.85, (observable, name, covered)
            naive = function(runs[0].column(observable), *arguments).standard_error
            assert values.std(ddof=1) < (0.5 if name == "mean" else 0.9) * naive, (observable, name)


@pytest.mark.slow
def test_results_do_not_depend_on_chunks():
    scenario = market(LAWS["merton"], steps=16)
    whole = simulate(scenario, 9_000, seed=3, sampling="sobol", sample_paths=2)
    parts = simulate(scenario, 9_000, seed=3, sampling="sobol", sample_paths=2, chunk=1)
    later = simulate(scenario, 50, seed=3, sampling="sobol", first_path=5_000, sample_paths=1)
    for name, values in whole.losses.items():
        np.testing.assert_array_equal(values, parts.losses[name], err_msg=name)
        np.testing.assert_array_equal(values[5_000:5_050], later.losses[name], err_msg=name)
    # whole paths are of the same noise
    end = whole.samples["price"][:, -1, 0]
    np.testing.assert_allclose(end, whole.losses["log_return"][:2, 0], rtol=1e-6)
    assert whole.info["sampling"] == "sobol"
    assert whole.info["replicates"] == REPLICATES
    assert any("16 independent replicates" in note for note in whole.notes())
    plain = simulate(scenario, 64, seed=3, sample_paths=0)
    assert plain.info["replicates"] == 1
    assert not np.array_equal(plain.losses["log_return"], whole.losses["log_return"][:64])


def test_replicates_fall_back_to_independent_paths():
    """Where a replicate sees nothing, or has too few paths: the error of independent paths, and its interval."""
    rare = np.zeros(1_600)
    rare[[3, 700]] = 1.0
    beyond = lambda x, w: exceedance_probability(x, 0.5, w)
    assert by_replicates(beyond, rare, None, 16) == beyond(rare, None)
    none = by_replicates(beyond, np.zeros(1_600), None, 16)
    assert none.high > 0.001
    shortfall = lambda x, w: expected_shortfall(x, 0.99, w)
    values = np.random.default_rng(1).normal(size=3_200)
    assert by_replicates(shortfall, values, None, 16) == shortfall(values, None)
    several = by_replicates(lambda x, w: exceedance_probability(x, [-9.0, 0.0], w), values, None, 16)
    assert several.standard_error.shape == (2,)


@pytest.mark.slow
def test_refuses():
    garch = Garch([0.0], [0.36], [0.36], [0.1], [0.85], [12.0], [[1.0]], WEEK / 10)
    with pytest.raises(NotSteerableError, match="Garch"):
        simulate(market(garch, 10), 64, sampling="sobol")
    with pytest.raises(ValueError, match='sampling = "halton"'):
        simulate(market(LAWS["gbm"], 10), 64, sampling="halton")
    with pytest.raises(ValueError, match="Sobol points repeat"):
        simulate(market(LAWS["gbm"], 10), 64, sampling="sobol", first_path=REPLICATES << BITS)


@pytest.mark.slow
def test_few_steps_and_many_jumps():
    """Fewer steps than segments, and more jumps than have sizes of their own."""
    law = Merton(0.0 * ONE, 0.5 * ONE, np.eye(1), [400.0], [-0.02], [0.03], 0.0, max_jumps=12)
    for steps in (1, 3, 8):
        prepared = prepare(market(law, steps))
        source = sobol(prepared, 2)
        _, normals, uniforms = noise_of(source, prepared, 1, np.arange(4096))
        assert normals.shape == (4096, steps, 2)
        assert np.isfinite(normals).all()
        assert abs(normals[..., 0].mean()) < 4.5 / np.sqrt(4096 * steps)
        own = float(source.own_probability[0])
        assert 400.0 * WEEK > 3 * SIZES
        jumped = uniforms[..., 0] < own
        assert abs(jumped.mean() - own) < 4.5 * np.sqrt(own * (1 - own) / (4096 * steps)) + 1e-9
    noise = draw(prepared, seed_key(1), jnp.uint32(5), jnp.int32(0))
    assert noise.normals.shape == (2,)
