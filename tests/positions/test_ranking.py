"""Orders of deleveraging: worked examples by hand, against a sort, and splitting an account in two changes nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrisk.positions.ranking import SCORES, Standing, highest_first, to_level


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def standing(positions, equity, margin_rate=0.005):
    """`positions`: (signed quantity, entry, mark) of accounts with one position."""
    quantity, entry, mark = (np.array(column, float) for column in zip(*positions, strict=True))
    size, side = np.abs(quantity), np.sign(quantity)
    row = lambda x: jnp.asarray(x)[None, :]
    worth = size * mark
    profit, gain = quantity * (mark - entry), (mark / entry) ** side
    return Standing(row(worth), row(profit), row(size * entry), row(gain), jnp.asarray(equity, float), margin_rate * worth)


def scores(name, *args):
    return np.asarray(SCORES[name](standing(*args)))[0].tolist()


# three shorts at a mark of 0.8: A 1000 at 1, equity 250; B 500 at 1.2, equity 1000; C 1000 at 0.75, equity 150
SHORTS = [(-1000, 1.0, 0.8), (-500, 1.2, 0.8), (-1000, 0.75, 0.8)], [250.0, 1000.0, 150.0]


def test_binance():
    """A: profit 200, wallet 50, margin ratio 4/250: 200/50 * 0.016 = 0.064. B: 200/800 * 2/1000 = 0.0005. C loses: 0."""
    assert scores("binance", *SHORTS) == pytest.approx([0.064, 0.0005, 0.0])


def test_hyperliquid():
    """Entry over mark for shorts. A: 1.25 * 800/250 = 4. B: 1.5 * 400/1000 = 0.6. C: 0.9375 * 800/150 = 5."""
    assert scores("hyperliquid", *SHORTS) == pytest.approx([4.0, 0.6, 5.0])
    # a long: mark over entry, 0.8 * 800/400
    assert scores("hyperliquid", [(1000, 1.0, 0.8)], [400.0]) == pytest.approx([1.6])


def test_bitmex():
    """A: 20% * 3.2 = 0.64. B: 200/600 * 0.4 = 0.1333. C: -50/750 / 5.3333 = -0.0125."""
    assert scores("bitmex", *SHORTS) == pytest.approx([0.64, 2 / 15, -0.0125])


def test_scores_of_an_account_with_several_positions():
    """Short 1000 at 1 and long 500 at 1, marks 0.8 and 1.1, equity 500: notional 800 + 550, profit 200 + 50.

    binance by account: 250/250 * (0.005 * 1350)/500; hyperliquid and bitmex by position, the latter with the account's leverage.
    """
    row = lambda *x: jnp.array(x)[:, None]
    s = Standing(row(800.0, 550.0), row(200.0, 50.0), row(1000.0, 500.0), row(1.25, 1.1), jnp.array([500.0]), jnp.array([6.75]))
    np.testing.assert_allclose(SCORES["binance"](s)[:, 0], [0.0135, 0.0135])
    np.testing.assert_allclose(SCORES["hyperliquid"](s)[:, 0], [1.25 * 1.6, 1.1 * 1.1])
    np.testing.assert_allclose(SCORES["bitmex"](s)[:, 0], [0.2 * 2.7, 0.1 * 2.7])


def test_highest_first():
    """Scores 4, 0.6, 5 of 1000, 500, 1000: of 1200, all of the third and 200 of the first."""
    first = lambda wanted: highest_first(jnp.array([[4.0, 0.6, 5.0]]), jnp.array([[1e3, 500.0, 1e3]]), jnp.array([wanted]))[0]
    np.testing.assert_allclose(first(1200.0), [0.2, 0.0, 1.0])
    np.testing.assert_allclose(first(2500.0), [1.0, 1.0, 1.0])
    np.testing.assert_allclose(first(9999.0), [1.0, 1.0, 1.0])
    np.testing.assert_allclose(first(0.0), [0.0, 0.0, 0.0])


def test_equal_scores_share():
    """Both zeros are one score: 300 of 400 + 200 after 100 of a better one is a third."""
    score, held = jnp.array([[0.0, -0.0, 1e-300, -2.0]]), jnp.array([[400.0, 200.0, 100.0, 50.0]])
    np.testing.assert_allclose(highest_first(score, held, jnp.array([300.0]))[0], [1 / 3, 1 / 3, 1.0, 0.0])


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_against_a_sort(dtype):
    """Two cells of 300 accounts, scores of both signs over many magnitudes."""
    rng = np.random.default_rng(1)
    score = (rng.choice([-1, 1], (2, 300)) * np.exp(10 * rng.normal(size=(2, 300)))).astype(dtype)
    held = rng.integers(0, 50, (2, 300)).astype(dtype)
    for share in (0.01, 0.5, 0.97):
        wanted = np.round(share * held.sum(axis=1))
        closed = np.asarray(highest_first(jnp.asarray(score), jnp.asarray(held), jnp.asarray(wanted, dtype))) * held
        for row in range(2):
            left = wanted[row]
            expected = np.zeros(300)
            for i in np.argsort(-score[row]):
                expected[i] = min(left, held[row, i])
                left -= expected[i]
            np.testing.assert_allclose(closed[row], expected, rtol=1e-5 if dtype == jnp.float32 else 1e-12)


def test_water_filling():
    """Notionals 800, 800, 400 on equities 100, 200, 400: leverage 8, 4, 1. To close 500: at 3.6667, 433.33 and 66.67."""
    fill = lambda wanted: to_level(
        jnp.array([800.0, 800.0, 400.0]), jnp.array([100.0, 200.0, 400.0]), jnp.array([[1e3, 1e3, 500.0]]), jnp.array([0.8]),
        jnp.ones(3), jnp.array([wanted / 0.8]),
    )[0]  # fmt: skip
    np.testing.assert_allclose(fill(500.0) * jnp.array([800.0, 800.0, 400.0]), [1300 / 3, 200 / 3, 0.0], atol=1e-9)
    np.testing.assert_allclose(fill(400.0) * 800.0, [400.0, 0.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(fill(2000.0), [1.0, 1.0, 1.0])
    np.testing.assert_allclose(fill(5000.0), [1.0, 1.0, 1.0])
    np.testing.assert_allclose(fill(0.0), [0.0, 0.0, 0.0])


def test_water_filling_goes_no_further_than_the_position():
    """An account of 800 on 100 whose position on this side is 200: closed whole; 300 more come from 800 on 200, down to 2.5."""
    notional, equity, held = jnp.array([800.0, 800.0]), jnp.array([100.0, 200.0]), jnp.array([[200.0, 800.0]])
    closed = to_level(notional, equity, held, jnp.ones(1), jnp.ones(2), jnp.array([500.0]))
    np.testing.assert_allclose(closed[0] * jnp.array([200.0, 800.0]), [200.0, 300.0])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_water_filling_makes_the_highest_leverage_lowest(dtype):
    """Against bisection on the level by brute force; what is closed adds up."""
    rng = np.random.default_rng(2)
    notional, weight = rng.lognormal(8, 1, 200), rng.uniform(0.5, 2, 200)
    equity, held = notional / rng.lognormal(2, 1, 200), notional * rng.uniform(0.3, 1, 200)
    wanted = 0.4 * np.sum(weight * held)
    low, high = 0.0, 1e6
    for _ in range(200):
        level = 0.5 * (low + high)
        cut = np.clip(notional - level * equity, 0.0, held)
        low, high = (level, high) if np.sum(weight * cut) > wanted else (low, level)
    cast = lambda x: jnp.asarray(x, dtype)
    share = to_level(cast(notional), cast(equity), cast(held)[None], cast([1.0]), cast(weight), cast([wanted]))
    tolerance = 1e-5 if dtype == jnp.float32 else 1e-10
    np.testing.assert_allclose(np.asarray(share)[0] * held, cut, rtol=tolerance, atol=tolerance * held.max())


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SCORES, "minimax_leverage"])
def test_an_account_split_in_two_closes_as_much(name):
    rng = np.random.default_rng(3)
    positions = [(-float(rng.lognormal(8, 1)), float(rng.uniform(0.7, 1.2)), 0.8) for _ in range(20)]
    equity = [0.8 * -q / rng.lognormal(1.5, 0.7) for q, _, _ in positions]
    halves = [(0.5 * q, e, m) for q, e, m in positions for _ in (0, 1)]
    half_equity = [0.5 * e for e in equity for _ in (0, 1)]

    def closed(positions, equity, wanted):
        s, size = standing(positions, equity), -jnp.array([[q for q, _, _ in positions]])
        if name == "minimax_leverage":
            one = jnp.ones(len(positions))
            return np.asarray(to_level(s.worth[0], s.solid, size, jnp.array([0.8]), one, jnp.array([wanted])) * size)[0]
        return np.asarray(highest_first(SCORES[name](s), size, jnp.array([wanted])) * size)[0]

    total = -sum(q for q, _, _ in positions)
    for share in (0.1, 0.45, 0.9):
        whole, split = closed(positions, equity, share * total), closed(halves, half_equity, share * total)
        np.testing.assert_allclose(split.reshape(-1, 2).sum(axis=1), whole, rtol=1e-9, atol=1e-9 * total)
        assert whole.sum() == pytest.approx(share * total)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hyperliquid", "minimax_leverage"])
def test_derivatives_are_those_of_what_is_closed(name):
    """To the quantity wanted, and to the equity; in reverse mode, under vmap, also where nothing is wanted."""
    positions, equity = SHORTS
    s, size = standing(positions, equity), jnp.array([[1e3, 500.0, 1e3]])

    def closed(parameters):
        wanted, scale = parameters
        money = s._replace(equity=s.equity * jnp.array([1.0, 1.0, scale]))
        if name == "minimax_leverage":
            share = to_level(money.worth[0], money.solid, size, jnp.array([0.8]), jnp.ones(3), wanted[None])
        else:
            share = highest_first(SCORES[name](money), size, wanted[None])
        return jnp.sum(share * size * jnp.array([1.0, 2.0, 5.0]))

    here = jnp.array([[1200.0, 1.0], [500.0, 1.1], [0.0, 1.0]])
    gradients = jax.jit(jax.vmap(jax.grad(closed)))(here)
    assert np.isfinite(np.asarray(gradients)).all()
    for point, gradient in zip(here[:2], gradients, strict=False):
        for i in range(2):
            h = 1e-5 * jnp.eye(2)[i]
            slope = (closed(point + h) - closed(point - h)) / 2e-5
            assert float(gradient[i]) == pytest.approx(float(slope), rel=1e-6, abs=1e-6)
