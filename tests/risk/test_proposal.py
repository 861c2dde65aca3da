"""The tilted law of the noise: its weights against densities worked out here, step by step, and against plain paths.

Statistical tests use fixed seeds and 5 standard errors: each would fail at another seed once in 1.7 million.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import jaxrisk as jr
from jaxrisk.cascade.blocks import losses_of
from jaxrisk.cascade.engine import path_losses, prepare, seed_key
from jaxrisk.cascade.source import draw, first_uniforms
from jaxrisk.market import GBM, Bates, Garch, Kou, Merton
from jaxrisk.risk.rare.cross_entropy import Drawn, in_event, refitted
from jaxrisk.risk.rare.drivers import NotSteerableError, cosines, drivers
from jaxrisk.risk.rare.given import Course, Given, GivenNoise, steered
from jaxrisk.risk.rare.proposal import Proposal, tilted

pytestmark = pytest.mark.hurried

ONE = np.ones(1)
STEPS = 48
LAWS = {
    "gbm": GBM(0 * ONE, 0.6 * ONE, np.eye(1)),
    "merton": Merton(0 * ONE, 0.6 * ONE, np.eye(1), 300.0 * ONE, -0.01 * ONE, 0.03 * ONE, 0.0, max_jumps=3),
    "kou": Kou(0 * ONE, 0.6 * ONE, np.eye(1), 300.0 * ONE, 0.4 * ONE, 30.0 * ONE, 25.0 * ONE, 0.0, max_jumps=3),
    "bates": Bates(0 * ONE, 0.17 * ONE, 0.3 * ONE, 35.0 * ONE, 5.0 * ONE, -0.35 * ONE, np.eye(1), 300.0 * ONE, -0.01 * ONE,
                   0.03 * ONE, 0.0, max_jumps=3, scheme="full_truncation"),
}  # fmt: skip


def day(law=None, steps=STEPS, name="btc_24h"):
    """A shipped scenario in few steps, with another law for its price."""
    scenario = jr.load(name)
    settings = type(scenario.settings)(scenario.settings.horizon, steps)
    return scenario.replace(settings=settings) if law is None else scenario.replace(settings=settings, market=law)


def mixture(driven, profiles=3, pull=0.6, jumps=1.5):
    """The scenario's own law, one component that pulls all normals, and one that jumps oftener and further."""
    own = Proposal.own_law(driven, profiles)
    shift = np.repeat(own.shift, 3, axis=0)
    shift[1, :, :] = pull * np.array([-1.0, 0.5, 0.3])[:profiles, None]
    probability = np.repeat(own.jump_probability, 3, axis=0)
    probability[2] = jumps / STEPS
    size = np.zeros_like(probability)
    size[2] = -0.7
    return Proposal(np.array([0.2, 0.45, 0.35]), shift, probability, size)


def noise_drawn(prepared, source, seed, paths):
    """All the noise that the source gives to some paths, and their log weights."""
    key = seed_key(seed)

    def one(path):
        _, memory = source.start(prepared, key, path)

        def body(memory, index):
            noise, memory = source.step(prepared, key, path, memory, index)
            return memory, (noise.normals, noise.uniforms)

        memory, noise = jax.lax.scan(body, memory, jnp.arange(STEPS, dtype=jnp.int32))
        return *noise, source.losses(memory)["log_weight"]

    return [np.asarray(x, np.float64) for x in jax.jit(jax.vmap(one))(jnp.asarray(paths, jnp.uint32))]


@pytest.mark.slow
@pytest.mark.parametrize("name", LAWS)
def test_weights_are_the_ratio_of_the_densities(name):
    """log(dP/dQ) of the noise itself, by densities of normals and uniforms one after another."""
    prepared = prepare(day(LAWS[name]))
    driven = drivers(prepared)
    proposal = mixture(driven)
    source = tilted(prepared, driven, proposal)
    normals, uniforms, log_weight = noise_drawn(prepared, source, 3, np.arange(200))
    means = np.einsum("tb,kbd->ktd", cosines(STEPS, 3), proposal.shift)
    ratio = np.zeros((200, 3))
    for k in range(3):
        steered_normals = normals[:, :, list(driven.normals)]
        ratio[:, k] += np.sum(stats.norm.logpdf(steered_normals - means[k]) - stats.norm.logpdf(steered_normals), axis=(1, 2))
        for j, place in enumerate(driven.jump_uniforms):
            own, other = driven.survival[j, 0], proposal.jump_probability[k, j]
            jumped = uniforms[:, :, place] < own
            ratio[:, k] += np.sum(np.where(jumped, np.log(other / own), np.log((1 - other) / (1 - own))), axis=1)
            if driven.sizes_uniform:
                z = stats.norm.ppf(uniforms[:, :, driven.jump_sizes[j]])
            else:
                z = normals[:, :, driven.jump_sizes[j]]
            moved = stats.norm.logpdf(z - proposal.size_shift[k, j]) - stats.norm.logpdf(z)
            ratio[:, k] += np.sum(np.where(jumped, moved, 0.0), axis=1)
    expected = -np.log(np.exp(ratio) @ proposal.share)
    np.testing.assert_allclose(log_weight, expected, atol=2e-4)
    assert np.ptp(expected) > 1.0


@pytest.mark.slow
@pytest.mark.parametrize("name", LAWS)
def test_weighted_paths_have_the_scenario_s_law(name):
    """Weights of mean one, and the same mean drawdown, mean return and 2% exceedance as plain paths."""
    prepared = prepare(day(LAWS[name]))
    driven = drivers(prepared)
    weighted = losses_of(prepared, 1, np.arange(30_000, dtype=np.uint32), tilted(prepared, driven, mixture(driven)))
    plain = losses_of(prepared, 2, np.arange(60_000, dtype=np.uint32))
    weight = np.exp(weighted["log_weight"].astype(np.float64))
    assert weight.max() <= 1.0 / 0.2 * (1.0 + 1e-4)  # one over the share of the scenario's own law
    assert abs(weight.mean() - 1.0) < 5.0 * weight.std() / np.sqrt(len(weight))
    level = np.quantile(plain["max_drawdown_index"], 0.98)
    for of in (lambda x: x["max_drawdown_index"], lambda x: x["log_return"][:, 0], lambda x: x["max_drawdown_index"] > level):
        a, b = weight * of(weighted).astype(np.float64), of(plain).astype(np.float64)
        error = np.hypot(a.std() / np.sqrt(len(a)), b.std() / np.sqrt(len(b)))
        assert abs(a.mean() - b.mean()) < 5.0 * error


@pytest.mark.slow
def test_several_assets_with_common_jumps():
    """Weights of mean one where every asset has its own jumps and all share some."""
    prepared = prepare(day(name="btc_eth_sol_7d"))
    driven = drivers(prepared)
    assert driven.jump_labels[-1] == "all"
    losses = losses_of(prepared, 1, np.arange(20_000, dtype=np.uint32), tilted(prepared, driven, mixture(driven, 2, 0.3, 0.8)))
    weight = np.exp(losses["log_weight"].astype(np.float64))
    assert abs(weight.mean() - 1.0) < 5.0 * weight.std() / np.sqrt(len(weight))
    assert weight.std() > 0.3


@pytest.mark.slow
def test_the_own_law_alone_changes_nothing():
    """A mixture of the scenario's law with itself: the same paths as plain ones but for rounding, and weights of one."""
    prepared = prepare(day(LAWS["bates"]))
    driven = drivers(prepared)
    paths = np.arange(512, dtype=np.uint32)
    losses = losses_of(prepared, 5, paths, tilted(prepared, driven, Proposal.own_law(driven, 2)))
    np.testing.assert_allclose(losses["log_weight"], 0.0, atol=1e-6)
    np.testing.assert_allclose(losses["log_return"], losses_of(prepared, 5, paths)["log_return"], atol=2e-5)


@pytest.mark.slow
def test_given_noise_is_the_path_that_drew_it():
    """Up to float32 rounding, which differs from one compiled program to another."""
    prepared = prepare(day(LAWS["kou"]))
    key, paths, index = seed_key(9), jnp.arange(16, dtype=jnp.uint32), jnp.arange(STEPS, dtype=jnp.int32)
    compiled = eqx.filter_jit(path_losses)

    @jax.jit
    def drawn(paths):
        noise = jax.vmap(lambda path: jax.vmap(lambda i: draw(prepared, key, path, i))(index))(paths)
        return noise, jax.vmap(lambda path: first_uniforms(prepared, key, path))(paths)

    noise, first = drawn(paths)
    given = compiled(prepared, seed_key(0), GivenNoise(first, noise.normals, noise.uniforms, noise.bridge), Given())
    plain = compiled(prepared, key, paths)
    for name in ("max_drawdown_index", "log_return", "liquidated_notional"):
        np.testing.assert_allclose(given[name], plain[name], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", LAWS)
def test_a_course_is_differentiable(name):
    """Gradients through the whole cascade against central differences, in double precision."""
    with jax.enable_x64(True):
        prepared = prepare(day(LAWS[name]), jnp.float64)
        driven = drivers(prepared)
        source = steered(prepared, driven, 3)
        random = np.random.default_rng(4)
        jumps = bool(driven.jump_uniforms)
        coefficients = random.normal(-1.0, 0.5, (3, len(driven.normals)))
        steps = jnp.array([20, -1]) if jumps else jnp.array([-1, -1])

        def loss(coefficients, size):
            course = Course(coefficients, jnp.array([size, 0.0]), steps, jnp.array([0, 0]))
            course = jax.tree.map(lambda x: x[None], course)
            return path_losses(prepared, seed_key(0), course, source, checkpoint=True)["max_drawdown_index"][0]

        both = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
        at = lambda coefficients, size: float(both(coefficients, jnp.asarray(size))[0])
        slopes = both(coefficients, jnp.asarray(-1.5))[1]
        for place in np.ndindex(coefficients.shape):
            step = np.zeros_like(coefficients)
            step[place] = 1e-5
            up, down = at(coefficients + step, -1.5), at(coefficients - step, -1.5)
            np.testing.assert_allclose(slopes[0][place], (up - down) / 2e-5, rtol=1e-4, atol=1e-8)
        difference = (at(coefficients, -1.5 + 1e-5) - at(coefficients, -1.5 - 1e-5)) / 2e-5
        np.testing.assert_allclose(slopes[1], difference, rtol=1e-4, atol=1e-8)
        assert (abs(float(slopes[1])) > 1e-4) == jumps


@pytest.mark.slow
def test_a_fit_finds_the_law_of_the_event():
    """Of a price that ends 2.5 standard deviations low, the noise has the mean -2.82 along the constant profile (the mean of a
    normal below -2.5), and none along the others; the defensive component stays."""
    prepared = prepare(day(LAWS["gbm"]))
    driven = drivers(prepared)
    first = Proposal.own_law(driven, 3)
    proposal = Proposal(np.array([0.1, 0.9]), np.repeat(first.shift, 2, 0), np.zeros((2, 0)), np.zeros((2, 0)))
    proposal.shift[1, 0, 0] = -1.5
    for place in range(3):
        losses = losses_of(prepared, 1, np.arange(8192, dtype=np.uint32) + 8192 * place, tilted(prepared, driven, proposal, True))
        drawn = Drawn(
            losses["projection"], losses["jumps"], losses["sizes"], losses["log_weight"], -losses["projection"][:, 0, 0]
        )
        proposal = refitted(proposal, driven, drawn, 2.5, STEPS)
    assert proposal.share[0] == 0.1
    assert not proposal.shift[0].any()
    np.testing.assert_allclose(proposal.shift[1, :, 0], [-stats.norm.pdf(2.5) / stats.norm.cdf(-2.5), 0.0, 0.0], atol=0.06)
    effective, _, variance = in_event(drawn.log_weight.astype(np.float64), drawn.loss > 2.5)
    assert effective > 0.15 * len(drawn.loss)
    assert variance < 6.0


@pytest.mark.slow
def test_bad_proposals_and_laws_are_refused():
    prepared = prepare(day(LAWS["merton"]))
    driven = drivers(prepared)
    good = mixture(driven)
    with pytest.raises(ValueError, match="sum to one"):
        tilted(prepared, driven, good._replace(share=np.array([0.2, 0.2, 0.2])))
    with pytest.raises(ValueError, match="between 0 and 1"):
        tilted(prepared, driven, good._replace(jump_probability=0.0 * good.jump_probability))
    garch = Garch(0 * ONE, 0.5 * ONE, 0.4 * ONE, 0.1 * ONE, 0.85 * ONE, 5.0 * ONE, np.eye(1), reference_step=1 / 8760)
    with pytest.raises(NotSteerableError, match="splitting"):
        drivers(prepare(day(garch)))
