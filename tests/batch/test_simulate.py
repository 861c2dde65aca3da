"""What a run promises: the same bits however it is cut, replay from an index, words instead of tracebacks."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrisk as jr
from jaxrisk.cascade import blocks, prepare
from jaxrisk.market import Stationary
from jaxrisk.paths import shipped

pytestmark = pytest.mark.as_shipped


@pytest.fixture(scope="module")
def scenario():
    return jr.load("btc_24h")


@pytest.fixture(scope="module")
def small_blocks():
    """Blocks of 512 paths, so that a test of many blocks is small."""
    patch = pytest.MonkeyPatch()
    patch.setitem(blocks.BLOCK, "cpu", 512)
    yield
    patch.undo()


def same(first, second):
    assert set(first) == set(second)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_results_do_not_depend_on_chunks_or_workers(scenario, small_blocks, monkeypatch):
    """3,000 paths in chunks of 512, of 1,024 and all at once, on one thread and on two: the same bits."""
    whole = jr.simulate(scenario, paths=3000, steps=96, seed=5, sample_paths=0)
    for chunk in (1, 1024):
        same(whole.losses, jr.simulate(scenario, paths=3000, steps=96, seed=5, chunk=chunk, sample_paths=0).losses)
    monkeypatch.setattr(blocks, "workers", lambda: 1)
    same(whole.losses, jr.simulate(scenario, paths=3000, steps=96, seed=5, sample_paths=0).losses)


def test_a_path_is_replayed_from_its_index_alone(scenario, small_blocks):
    """Path 2,345 run alone, in another place of its block, has the bits it had among 3,000."""
    whole = jr.simulate(scenario, paths=3000, steps=96, seed=5, sample_paths=0)
    alone = jr.simulate(scenario, paths=1, first_path=2345, steps=96, seed=5, sample_paths=0)
    same({name: whole[name][2345:2346] for name in whole.losses}, dict(alone.losses))


def test_steps_longer_than_those_of_the_file_are_said(scenario, small_blocks):
    coarse = jr.simulate(scenario, paths=1, steps=96, seed=5, sample_paths=0)
    assert any(note.startswith("96 steps in place of the file's 1,440") for note in coarse.notes())


LAWS = {
    "garch": lambda one, c: jr.Garch(0 * one, 0.3 * one, 0.3 * one, 0.1 * one, 0.85 * one, 4.0 * one, c, 1 / 8760),
    "gbm": lambda one, c: jr.GBM(0 * one, 0.6 * one, c),
    "merton": lambda one, c: jr.Merton(0 * one, 0.6 * one, c, 50 * one, -0.01 * one, 0.03 * one, 0.5, max_jumps=3),
    "heston": lambda one, c: jr.Heston(0 * one, 0.3 * one, 0.3 * one, 9 * one, 2 * one, -0.5 * one, c),
    "log variance": lambda one, c: jr.LogVariance(
        0 * one,
        0.3 * one,
        np.outer(one, [0.001, 0.01]),
        np.outer(one, [0.8, 0.6]),
        np.outer(one, [-0.3, -0.3]),
        c,
        start=Stationary(),
        jump_rate=50 * one,
        scaled_jump_sd=1.4 * one,
        common_jump_probability=0.5,
        max_jumps=3,
        variance_jump_mean=0.4 * one,
        variance_jump_half_life=0.001 * one,
    ),
    "bootstrap": lambda one, c: jr.Bootstrap(np.random.default_rng(1).normal(0, 0.005, (200, 3)), 12.0, 0 * one),
    "kou": lambda one, c: jr.Kou(0 * one, 0.6 * one, c, 50 * one, 0.4 * one, 40 * one, 30 * one, 0.5, max_jumps=3),
}


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
def test_the_place_in_a_block_does_not_matter(law, small_blocks):
    """Three assets, 1,500 paths, and 700 of them again from path 301 on, so each in another place of its block: the same bits."""
    three = jr.load("btc_eth_sol_7d")
    three = three.replace(market=LAWS[law](np.ones(3), three.market.correlation))
    whole = jr.simulate(three, paths=1500, steps=24, seed=5, sample_paths=0)
    again = jr.simulate(three, paths=700, first_path=301, steps=24, seed=5, sample_paths=0)
    same({name: whole[name][301:1001] for name in whole.losses}, dict(again.losses))


def test_seeds_and_paths_differ(scenario, small_blocks):
    first = jr.simulate(scenario, paths=1000, steps=96, seed=1, sample_paths=0)["log_return"][:, 0]
    other = jr.simulate(scenario, paths=1000, steps=96, seed=2**40 + 1, sample_paths=0)["log_return"][:, 0]
    assert len(np.unique(np.concatenate([first, other]))) > 1990


def test_feedback_off_shares_the_random_numbers(scenario, small_blocks):
    """What is observed beside a run as "without feedback" is what a run without feedback gives, bit for bit."""
    on = jr.simulate(scenario, paths=1000, steps=96, seed=5, sample_paths=0)
    off = jr.simulate(scenario, paths=1000, steps=96, seed=5, feedback=False, sample_paths=0)
    np.testing.assert_array_equal(on["max_drawdown_no_feedback_index"], off["max_drawdown_no_feedback_index"])
    np.testing.assert_array_equal(off["max_drawdown_index"], off["max_drawdown_no_feedback_index"])
    assert np.all(off["amplification_index"] == 0)
    assert on["amplification_index"].max() > 0.001


def test_sample_paths_are_the_first_paths(scenario, small_blocks):
    """A whole path gives back the summaries of the run that it belongs to."""
    result = jr.simulate(scenario, paths=600, steps=96, seed=5, sample_paths=4)
    price = result.samples["price"][:, :, 0]
    assert price.shape == (4, 97)
    assert np.all(price[:, 0] == 0)
    drawdown = 1 - np.exp(np.min(price - np.maximum.accumulate(price, axis=1), axis=1))
    np.testing.assert_allclose(drawdown, result["max_drawdown_index"][:4], rtol=2e-5)
    np.testing.assert_allclose(price[:, -1], result["log_return"][:4, 0], rtol=2e-5, atol=1e-6)
    held = result.samples["open_interest"][..., 0, 0]
    np.testing.assert_allclose(held[:, 0] - held[:, -1], result["open_interest_loss_usd"][:4], rtol=1e-4, atol=1e3)
    assert np.all(np.diff(held, axis=1) <= held[:, :1] * 1e-6)


@pytest.mark.slow
def test_single_and_double_precision_agree(scenario, small_blocks):
    """Different random words are not used, so paths agree to single precision apart from rare crossings of a cell."""
    single = jr.simulate(scenario, paths=512, steps=96, seed=5, sample_paths=0)
    double = jr.simulate(scenario, paths=512, steps=96, seed=5, precision="float64", sample_paths=0)
    assert double["max_drawdown_index"].dtype == np.float64
    assert np.quantile(np.abs(single["max_drawdown_index"] - double["max_drawdown_index"]), 0.95) < 2e-5


def test_written_while_running_equals_in_memory(scenario, small_blocks, tmp_path):
    calls = []
    memory = jr.simulate(scenario, paths=1500, steps=96, seed=5, sample_paths=4)
    file = jr.simulate(
        scenario,
        paths=1500,
        steps=96,
        seed=5,
        sample_paths=4,
        chunk=512,
        out=tmp_path / "r.nc",
        progress=lambda *a: calls.append(a),
    )
    same(memory.losses, {name: file[name] for name in memory.losses})
    assert calls == [(512, 1500), (1024, 1500), (1500, 1500)]
    assert [p.name for p in tmp_path.iterdir()] == ["r.nc"]
    assert file.info["seed"] == "5"
    assert 'name = "btc_24h"' in file.info["scenario_toml"]


@pytest.mark.slow
def test_a_number_that_is_not_finite_is_found_and_the_rest_kept(scenario, small_blocks, tmp_path):
    """An infinite drift breaks the price of every path: the step is named, and nothing is left behind."""
    broken = eqx.tree_at(lambda s: s.market.drift, scenario, np.array([np.inf]))
    with pytest.raises(jr.NonFinite, match=r"path 0 \(seed 5\): \w+ is not finite from step 1 on") as caught:
        jr.simulate(broken, paths=600, steps=96, seed=5, out=tmp_path / "r.nc")
    assert caught.value.path == 0
    assert not list(tmp_path.iterdir())


def test_what_was_finished_before_a_bad_path_is_kept(scenario, small_blocks, tmp_path, monkeypatch):
    """Path 700 is made to fail: the 700 before it are in the file, and the file says so."""
    honest = blocks.RUN["scan"]

    def spoiled(prepared, key, paths, source):
        losses = dict(honest(prepared, key, paths, source))
        losses["log_return"] = jnp.where((paths == 700)[:, None], jnp.nan, losses["log_return"])
        return losses

    monkeypatch.setitem(blocks.RUN, "scan", spoiled)
    with pytest.raises(jr.NonFinite, match="path 700"):
        jr.simulate(scenario, paths=1500, steps=96, seed=5, chunk=512, out=tmp_path / "r.nc")
    kept = jr.Result.load(tmp_path / "r.nc")
    assert kept.paths == 700
    assert kept.info["finished_paths"] == 700


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"paths": 0}, "paths = 0"),
        ({"seed": -1}, "seed = -1"),
        ({"precision": "float16"}, "float32 or float64"),
        ({"steps": 0}, "steps = 0"),
        ({"sample_paths": 5000}, "sample_paths = 5000"),
        ({"first_path": 2**32}, "first_path"),
    ],
)
def test_arguments_out_of_range(scenario, arguments, words):
    with pytest.raises(ValueError, match=words):
        jr.simulate(scenario, **{"paths": 10, **arguments})


def test_positions_beyond_their_liquidation_price_are_dropped_not_liquidated(scenario):
    """Counted at the start, and no step-one liquidation: with a still price nothing is ever liquidated."""
    calm = eqx.tree_at(
        lambda s: (s.market.variance, s.market.mean_variance, s.market.vol_of_variance, s.market.jump_rate),
        scenario,
        (np.full(1, 1e-12), np.full(1, 1e-12), np.zeros(1), np.zeros(1)),
    )
    wide = eqx.tree_at(lambda s: [p.entry_sd for p in s.populations.values()], calm, [np.float64(0.3)] * len(calm.populations))
    book = prepare(wide).book
    assert float(jnp.sum(book.dropped)) > 0
    held = book.open_interest(book.init())
    np.testing.assert_allclose(held[..., 0], held[..., 1], rtol=1e-5)
    result = jr.simulate(wide, paths=8, steps=96, sample_paths=0)
    assert result["open_interest_loss_fraction"].max() < 1e-3
    assert result.info["dropped_open_interest_usd"] == pytest.approx(float(jnp.sum(book.dropped)), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["btc_24h", "btc_eth_sol_7d", "btc_shock_10pct"])
def test_shipped_scenarios_run(name):
    """Each shipped scenario runs, from the folder it is shipped in, and has no empty observable."""
    assert (shipped() / "scenarios" / f"{name}.toml").is_file()
    result = jr.simulate(jr.load(name), paths=256, steps=None if name == "btc_24h" else 168, sample_paths=1)
    assert result["open_interest_loss_fraction"].max() > 0
    assert len(str(result.summary()).splitlines()) > 20


def test_a_scenario_that_does_not_fit_together_is_refused(scenario):
    """Everything at once, in words; a file's name in place of a scenario is told apart from one."""
    wrong = scenario.replace(price=np.array([1.0, 2.0]), populations={"far": jr.Lognormal(1e9, 5.0, 0.5, venue=3)})
    with pytest.raises(ValueError, match=r"price: shape \(2,\).*populations\.far\.venue: indices from 0 to 0"):
        jr.simulate(wrong, paths=10)
    with pytest.raises(TypeError, match=r"jaxrisk\.load"):
        jr.simulate("btc_24h", paths=10)
    with pytest.raises(ValueError, match=r"paths = 10\.5.*; seed = 1\.5: a whole number is needed"):
        jr.simulate(scenario, paths=10.5, seed=1.5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cross_margin_24h", "three_venues_shock_24h", "leverage_cycle_90d"])
def test_every_book_keeps_a_paths_bits(name):
    """The account, ladder and flow books with backstops: a path elsewhere in its block and in another chunk has the same bits."""
    scenario = jr.load(name)
    whole = jr.simulate(scenario, paths=150, steps=30, seed=3, sample_paths=0, chunk=1)
    moved = jr.simulate(scenario, paths=143, steps=30, seed=3, first_path=7, sample_paths=0)
    assert whole.losses["liquidated_notional"].sum() > 0.0
    same({name: values[7:] for name, values in whole.losses.items()}, dict(moved.losses))
