"""Reverse stress tests against closed forms: distances of linear losses are known, and those of a maximum drawdown.

All of it is deterministic.
"""

import numpy as np
import pytest
from scipy import stats

import jaxrisk as jr
from jaxrisk.cascade.engine import path_losses, prepare, seed_key
from jaxrisk.market import GBM, Garch
from jaxrisk.risk.rare.drivers import drivers
from jaxrisk.risk.rare.given import Given, GivenNoise
from jaxrisk.risk.rare.stress_surface import Surface, jump_cost
from jaxrisk.risk.sample import Column
from jaxrisk.studies.reverse_stress import reverse_stress

ONE = np.ones(1)


@pytest.mark.slow
def test_maximum_drawdown_of_brownian_motion(driftless):
    """The nearest path to a drawdown of x sigma sqrt(T) falls evenly over the whole horizon, at a distance of x^2 / 2."""
    x = 4.0
    found = reverse_stress(driftless(), "max_drawdown_index", 1.0 - np.exp(-x * 0.6 * np.sqrt(1 / 365)))
    assert len(found.answers) == 1
    answer = found.answers[0]
    assert answer.distance == pytest.approx(0.5 * x**2, rel=1e-3)
    assert answer.probability == pytest.approx(stats.norm.cdf(-x), rel=5e-3)
    np.testing.assert_allclose(answer.drive[:, 0], -x / np.sqrt(24), rtol=0.02)
    np.testing.assert_allclose(np.diff(answer.log_price[:, 0]), answer.log_price[-1, 0] / 24, rtol=0.02)
    assert answer.volatility is None
    assert not answer.jumps


@pytest.mark.slow
def test_return_of_one_of_two_correlated_assets(leveraged):
    """A loss that is linear in the normals: distance (level - mean)^2 / (2 variance), and both assets move by the correlation."""
    law = GBM([0.0, 0.0], [0.6, 0.8], [[1.0, 0.7], [0.7, 1.0]])
    found = reverse_stress(leveraged(law, 24), "log_return[coin1]", 0.15)
    sd = 0.8 * np.sqrt(1 / 365)
    beta = (0.15 + 0.5 * sd**2) / sd
    assert found.answers[0].distance == pytest.approx(0.5 * beta**2, rel=2e-3)
    other = found.answers[0].price[-1, 0] + 0.5 * 0.36 / 365
    assert other == pytest.approx(0.7 * 0.6 / 0.8 * (0.15 + 0.5 * sd**2), rel=0.02)


@pytest.mark.slow
def test_jumps_alone(merton):
    """With hardly any diffusion the ways are one jump or several equal ones, at Poisson's cost and the sizes' distances, and the
    sum of the first-order probabilities is the compound-Poisson probability of that many jumps' fall."""
    scenario, fall = merton(volatility=1e-4), 0.16
    found = reverse_stress(scenario, "log_return[asset]", fall)
    rate = 20.0 / 365.0
    drift = -20.0 * np.expm1(0.5 * 0.05**2) / 365.0
    by_number = {len(answer.jumps): answer for answer in found.answers}
    assert {1, 2} <= set(by_number)
    for number, answer in by_number.items():
        cost = -stats.poisson.logpmf(number, rate)
        beta = (fall - drift) / (0.05 * np.sqrt(number))
        assert answer.distance == pytest.approx(cost + 0.5 * beta**2, rel=0.01)
        assert answer.probability == pytest.approx(stats.poisson.pmf(number, rate) * stats.norm.cdf(-beta), rel=0.05)
        assert all(jump.move > 0.0 for jump in answer.jumps)


@pytest.mark.slow
def test_cost_of_jumps_is_poisson(merton):
    driven = drivers(prepare(merton()))
    for number in range(4):
        assert jump_cost(driven, 24, (0,) * number) == pytest.approx(-stats.poisson.logpmf(number, 20.0 / 365.0), abs=1e-5)


@pytest.mark.slow
def test_answers_reach_the_level_and_can_be_run_again(bates):
    """With feedback: each answer's own noise, run as it is, gives its loss; answers are ordered and differ."""
    scenario = bates()
    found = reverse_stress(scenario, "max_drawdown_index", 0.18)
    prepared = prepare(scenario)
    assert len(found.answers) >= 2
    assert {len(answer.jumps) for answer in found.answers} >= {1, 2}
    chances = [answer.probability for answer in found.answers]
    assert chances == sorted(chances, reverse=True)
    for answer in found.answers:
        assert 0.18 <= answer.loss < 0.1805
        noise = GivenNoise(*(None if x is None else x[None] for x in answer.noise))
        again = path_losses(prepared, seed_key(0), noise, Given())
        assert float(again["max_drawdown_index"][0]) == pytest.approx(answer.loss, rel=1e-4)
        deepest = np.max(np.maximum.accumulate(answer.price[:, 0]) - answer.price[:, 0])
        assert -np.expm1(-deepest) == pytest.approx(answer.loss, rel=1e-4)
        assert answer.price[-1, 0] < answer.log_price[-1, 0] < 0.0  # liquidations deepen the fall
        assert answer.liquidated[-1] > 0.0


@pytest.mark.slow
def test_no_nearby_path_is_nearer(bates):
    """What makes an answer most likely: of random moves from it, none that is shorter by more than the tolerance gets there."""
    scenario = bates()
    found = reverse_stress(scenario, "max_drawdown_index", 0.18)
    prepared = prepare(scenario)
    surface = Surface(prepared, drivers(prepared), Column.of(scenario, "max_drawdown_index"), 12)
    one = found.answers[0].candidate
    random = np.random.default_rng(2)
    moves = random.standard_normal((400, len(one.point))) * 0.15
    moves[:, -3:] *= one.times >= 0.0
    points = one.point + moves
    values = np.concatenate([surface.values(points[k : k + 100], *(np.tile(x, (100, 1)) for x in (one.times, one.sources)))
                             for k in range(0, 400, 100)])  # fmt: skip
    shorter = (points**2).sum(1) < (one.point**2).sum() * (1.0 - 2e-3)
    assert shorter.sum() > 50
    assert not (values[shorter] >= 0.18).any()


@pytest.mark.slow
def test_words_table_and_figure(bates):
    found = reverse_stress(bates(), "max_drawdown_index", 0.18)
    words = " ".join(answer.words for answer in found.answers)
    for part in ("falls 18.0%", "before liquidations", "jump", "at hour", "Volatility", "liquidated"):
        assert part in words
    assert found.answers[0].words in str(found.summary())
    table = found.to_dataframe()
    assert len(table) == 25 * len(found.answers)
    assert table["exogenous_price[asset]"][0] == 100.0
    assert "answer" in repr(found)
    figure = found.plot()
    assert len(figure.axes) >= 3 * min(4, len(found.answers))


@pytest.mark.slow
def test_stepwise_progress_is_told(driftless):
    told = []
    reverse_stress(driftless(), "max_drawdown_index", 0.1, progress=lambda done, total: told.append(done / total))
    assert told[-1] == 1.0
    assert told == sorted(told)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("observable", "level", "words"),
    [
        ("max_drawdwn_index", 0.1, "did you mean 'max_drawdown_index'"),
        ("max_drawdown", 0.1, "axes"),
        ("max_drawdown_index", np.nan, "finite"),
        ("max_drawdown_index", "much", "a number is needed"),
        ("max_drawdown_index", 1.2, "most found is"),
        ("open_interest_loss_fraction", 1.5, "most found is"),
        ("max_drawdown_index", -0.5, "without any noise"),
    ],
)
def test_what_cannot_be_asked(driftless, observable, level, words):
    with pytest.raises(ValueError, match=words):
        reverse_stress(driftless(), observable, level)


@pytest.mark.slow
def test_laws_that_cannot_be_steered_are_named(driftless):
    garch = Garch(0 * ONE, 0.5 * ONE, 0.4 * ONE, 0.1 * ONE, 0.85 * ONE, 5.0 * ONE, np.eye(1), reference_step=1 / 8760)
    scenario = driftless().replace(market=garch)
    with pytest.raises(ValueError, match=r"Garch.*splitting"):
        reverse_stress(scenario, "max_drawdown_index", 0.2)
    with pytest.raises(TypeError, match="Scenario"):
        reverse_stress("btc_24h", "max_drawdown_index", 0.2)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="restarts"):
        reverse_stress(driftless(), "max_drawdown_index", 0.2, restarts=0)


@pytest.mark.slow
def test_double_precision_finds_the_same(driftless):
    level = 1.0 - np.exp(-3.0 * 0.6 * np.sqrt(1 / 365))
    found = reverse_stress(driftless(), "max_drawdown_index", level, precision="float64")
    assert found.answers[0].distance == pytest.approx(4.5, rel=1e-3)


@pytest.mark.slow
def test_several_assets_of_a_shipped_scenario():
    """The basket's drawdown in few steps: common jumps are among the ways."""
    week = jr.load("btc_eth_sol_7d")
    week = week.replace(settings=type(week.settings)(week.settings.horizon, 42))
    found = reverse_stress(week, "max_drawdown_index", 0.5, profiles=2)
    assert found.answers[0].loss == pytest.approx(0.5, rel=1e-3)
    assert any(jump.asset == "all" for answer in found.answers for jump in answer.jumps)
