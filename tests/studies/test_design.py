"""Designed limits: on markets whose best limits are known, within budget on fresh paths, no room left; and what cannot be met.

Without feedback, under geometric Brownian motion with the bridge, liquidation has a closed form for any number of steps, so
that a handful are enough. Seeds are fixed; tolerances are four to five standard errors: one run in 10,000 would fail by chance.
"""

import math
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

import jaxrisk as jr
from jaxrisk.cascade import prepare
from jaxrisk.parameter import named
from jaxrisk.positions import ANY, Histogram, Limits, Lognormal
from jaxrisk.risk.estimate import Estimate
from jaxrisk.risk.measure import Measure
from jaxrisk.risk.sample import draw_sample
from jaxrisk.risk.slopes.bump import difference
from jaxrisk.scenario import Channels, Names
from jaxrisk.studies.design import design_limits, with_class_caps
from jaxrisk.studies.design_check import Sampled
from jaxrisk.studies.design_cost import Caps, Cost
from jaxrisk.studies.design_run import Run
from jaxrisk.studies.design_search import Point, Problem, multiplier, newton, search

CASES = Path(__file__).parents[1] / "cases"
MEDIAN, SD, LOW, HIGH = 12.0, 0.9, 1.01, 125.0
VOLATILITY, YEARS, RATE = 0.6, 7 / 365, 0.005
MEAN = "mean(open_interest_loss_usd)"
TABLE = 0.099330
"""Expected liquidated share of open interest under a cap of 10 whose holders keep their collateral (closed form)."""


def market(populations, caps=None, share_downsize=1.0, classes=("a",), leakage=0.0):
    """One asset, one venue, no feedback; a cap for each class, in the order given."""
    limits = Limits.none()
    if caps is not None:
        n, each = len(caps), lambda value: np.full(len(caps), value)
        limits = Limits(caps, each(share_downsize), each(leakage), each(0.0), np.tile([0.0, np.inf], (n, 1)), tuple(range(n)),
                        (ANY,) * n, (ANY,) * n, (False,) * n)  # fmt: skip
    return jr.Scenario(
        market=jr.GBM([0.0], [VOLATILITY], [[1.0]]),
        impact=jr.Impact(jr.LinearImpact([1e12]), [0.0], [0.0], [[1.0]]),
        venues=jr.Venues.single(jr.Tiers.flat(RATE)),
        populations=populations,
        price=[100.0],
        settings=jr.Settings(YEARS, 4, bridge=True),
        channels=Channels(feedback=0.0),
        limits=limits,
        names=Names(classes=classes),
    )


def crowd(open_interest=1.0, account_class=0, side=1):
    return Lognormal(open_interest, MEDIAN, SD, LOW, HIGH, account_class=account_class, side=side)


def liquidated(leverage):
    """Probability that a long of this leverage is liquidated (reflection principle)."""
    barrier = np.log((1.0 - 1.0 / leverage) / (1.0 - RATE))
    drift, spread = -0.5 * VOLATILITY**2 * YEARS, VOLATILITY * math.sqrt(YEARS)
    normal = stats.norm.cdf
    return normal((barrier - drift) / spread) + np.exp(2 * drift * barrier / spread**2) * normal((barrier + drift) / spread)


def over_leverage(function):
    """Mean of a function of the leverage that the crowd wants."""
    density = stats.norm.pdf
    within = lambda z: function(np.clip(MEDIAN * np.exp(SD * z), LOW, HIGH)) * density(z)
    return integrate.quad(within, -9.0, 9.0, limit=400, points=[np.log(b / MEDIAN) / SD for b in (LOW, HIGH, 10.0)])[0]


def expected_loss(cap):
    """Expected liquidated quantity, of a crowd of open interest 1 that keeps its collateral."""
    return over_leverage(lambda x: np.minimum(1.0, cap / x) * liquidated(np.minimum(x, cap)))


def test_the_closed_form_is_the_published_table():
    assert expected_loss(10.0) == pytest.approx(TABLE, abs=2e-6)


@pytest.fixture(scope="module")
def table_design():
    """The budget is what the published table has under a cap of 10."""
    scenario = market({"crowd": crowd()}, caps=[30.0])
    return design_limits(scenario, MEAN, TABLE, paths=16_384, seed=3, verify_paths=65_536, frontier=(0.05,))


@pytest.mark.slow
def test_the_search_finds_the_tables_cap(table_design):
    """The standard deviation of one path's loss is 0.18, so six iterations of 16,384 paths know the measure to 5.7e-4 and, at the
    table's slope of 0.02325, the cap to 0.025; an iterate's own noise adds as much."""
    assert table_design.info["searched"][0] == pytest.approx(10.0, abs=5 * 0.035)


@pytest.mark.slow
def test_the_budget_is_met_in_truth_and_a_cap_5_percent_higher_breaks_it(table_design):
    """By the closed form, not by the design's own sample."""
    cap = table_design.after[0]
    assert table_design.feasible
    assert expected_loss(cap) <= TABLE < expected_loss(1.05 * cap)
    assert table_design.upper <= TABLE < table_design.slack[0].value
    assert table_design.estimate.value == pytest.approx(expected_loss(cap), abs=4 * table_design.estimate.standard_error)
    assert table_design.slack[0].value == pytest.approx(expected_loss(1.05 * cap), abs=4 * table_design.estimate.standard_error)


def test_cost_is_the_open_interest_that_the_table_says_is_gone(table_design):
    kept = over_leverage(lambda x: np.minimum(1.0, table_design.after[0] / x))
    assert table_design.cost == pytest.approx(1.0 - kept, abs=2e-4)
    assert table_design.collateral == pytest.approx(0.0, abs=1e-9)


def test_the_shadow_price_is_the_slope_of_the_frontier(table_design):
    """Slope of the cost over slope of the measure, both by the closed form; and the frontier's cost lies on the closed form."""
    cap, h = table_design.after[0], 0.02
    gained = over_leverage(lambda x: np.minimum(1.0, (cap + h) / x)) - over_leverage(lambda x: np.minimum(1.0, (cap - h) / x))
    price = gained / (expected_loss(cap + h) - expected_loss(cap - h))
    assert table_design.shadow_price == pytest.approx(price, abs=4 * table_design.shadow_price_error)
    assert table_design.shadow_price_error < 0.1 * price
    other = next(row for row in table_design.frontier if row["budget"] == 0.05)
    assert expected_loss(other["caps"][0]) == pytest.approx(0.05, abs=4 * other["measure"].standard_error)
    assert other["cost"] > table_design.cost


@pytest.mark.slow
def test_two_classes_of_the_same_holders_get_the_same_cap():
    """Each knows its cap to some 5%, as one may be exchanged for the other at first order without a loss."""
    scenario = market({"one": crowd(0.5), "two": crowd(0.5, 1)}, caps=[40.0, 20.0], classes=("a", "b"))
    found = design_limits(scenario, MEAN, TABLE, paths=16_384, seed=5, verify_paths=32_768, frontier=())
    assert found.feasible
    assert found.info["searched"] == pytest.approx([10.0, 10.0], rel=0.1)
    assert found.after[0] == pytest.approx(found.after[1], rel=0.1)
    assert all(upper > TABLE for upper in found.slack_upper)


@pytest.mark.slow
def test_a_cap_that_nobody_needs_is_left_alone_and_said_so():
    """Holders of leverage 2 are never liquidated: only the others are limited, as if they were alone."""
    quiet = Histogram(1.0, [2.0], [1.0], account_class=1)
    scenario = market({"crowd": crowd(), "quiet": quiet}, caps=[30.0, 1.5], classes=("a", "b"))
    found = design_limits(scenario, MEAN, TABLE, paths=8192, seed=2, verify_paths=32_768, frontier=())
    assert found.binding.tolist() == [True, False]
    assert found.after[1] == pytest.approx(2.0)
    assert found.info["searched"][0] == pytest.approx(10.0, abs=0.3)
    assert any("not binding" in one and "limits.cap[b,*,*]" in one for one in found.words)


def test_a_budget_that_is_met_without_limits():
    scenario = market({"crowd": crowd()})
    found = design_limits(scenario, MEAN, 0.5, paths=4096, seed=1, verify_paths=8192)
    assert found.feasible
    assert not found.binding.any()
    assert found.cost == pytest.approx(0.0, abs=1e-9)
    assert np.isinf(found.before).all()
    assert math.isnan(found.shadow_price)
    assert "met without limits" in found.words[0]


@pytest.mark.slow
def test_a_budget_that_cannot_be_met_is_said_with_the_best_found():
    """The cap is for one class; the other's holders lose more than the budget whatever it is."""
    scenario = market({"crowd": crowd(0.5), "free": crowd(0.5, 1)}, caps=[30.0], classes=("a", "b"))
    found = design_limits(scenario, MEAN, 0.05, paths=4096, seed=1, verify_paths=8192)
    assert not found.feasible
    assert "no caps meet the budget" in found.words[0]
    least = 0.5 * over_leverage(liquidated)
    assert found.estimate.value == pytest.approx(least, rel=0.05)


def test_the_best_found_is_no_worse_than_the_limits_there_are():
    """Where demand reopens elsewhere, the best of two caps may be one low and one high, far from all that is tried."""
    scenario = market({"one": crowd(0.5), "other": crowd(0.5, 1)}, caps=[2.0, 100.0], classes=("a", "b"))
    run = Run(Caps.of(scenario, np.arange(2)), ("one", "other"), Measure.of(MEAN), 0.01, 4096, 4096, 1, 1.0)
    away = lambda x: float(np.sum((x - np.log([2.0, 100.0])) ** 2))
    run.value = lambda x, paths: Estimate(0.1 + away(x), 0.001, 0.0, 1.0, math.nan, paths, paths)
    run.point = lambda x, paths: Point(run.value(x, paths), np.zeros(2), np.zeros(2))
    x, least = run.bracket(run.value(run.caps.high, 1))
    assert np.exp(x) == pytest.approx([2.0, 100.0])
    assert least.value == pytest.approx(0.1)


def test_everything_wrong_with_the_arguments_is_said_at_once():
    scenario = market({"crowd": crowd()}, caps=[30.0])
    with pytest.raises(ValueError, match="no statistic") as raised:
        design_limits(scenario, "expected_shortfal(open_interest_loss_usd, 0.9)", math.nan, "limits.cap[b,*,*]", verify_paths=5)
    lines = str(raised.value).splitlines()
    assert len(lines) == 4
    assert 'no parameter "limits.cap[b,*,*]": did you mean "limits.cap[a,*,*]"?' in lines
    assert "budget = nan: a finite number is needed" in lines
    with pytest.raises(ValueError, match=r"budget = -1: mean\(open_interest_loss_usd\) is never negative"):
        design_limits(scenario, MEAN, -1.0)
    with pytest.raises(ValueError, match="is no cap"):
        design_limits(scenario, MEAN, 1.0, "limits.leakage")
    with pytest.raises(ValueError, match='book "account"'):
        design_limits(jr.load("cross_margin_24h"), MEAN, 1.0)
    with pytest.raises(ValueError, match="no observable"):
        design_limits(scenario, "mean(open_interest_los_usd)", 1.0, paths=256, verify_paths=1000)


@pytest.mark.slow
@pytest.mark.parametrize(("share_downsize", "sides"), [(1.0, 1), (0.0, 1), (0.4, 2)])
def test_cost_against_the_book_and_a_quadrature(share_downsize, sides):
    """Open interest forgone is what the book holds less; collateral is what is missing at a leverage above the cap."""
    populations = {f"crowd_{side}": crowd(side=side) for side in (1, -1)[:sides]}
    scenario = market(populations, caps=[10.0], share_downsize=share_downsize)
    caps = Caps.of(scenario, np.array([0]))
    assert math.exp(caps.high[0]) == pytest.approx(HIGH, rel=1e-6)
    cost = caps.cost(np.log([10.0]), 2.0)
    held = lambda s: float(jnp.sum((lambda book: book.open_interest(book.init()) - book.balancing)(prepare(s).book))) / sides
    assert cost.open_interest == pytest.approx(held(caps.at(caps.high)) - held(scenario), rel=1e-3, abs=1e-4)
    called = (1.0 - share_downsize) * over_leverage(lambda x: np.maximum(0.1 - 1.0 / x, 0.0))
    assert cost.collateral == pytest.approx(called, rel=1e-3, abs=1e-9)
    assert cost.total == pytest.approx(cost.open_interest + 2.0 * cost.collateral)
    up, down = (caps.cost(np.log([10.0]) + h, 2.0).total for h in (1e-4, -1e-4))
    assert cost.gradient[0] == pytest.approx((up - down) / 2e-4, rel=1e-2)


@pytest.mark.slow
def test_class_caps_bind_nobody_at_first():
    scenario = with_class_caps(jr.load("btc_24h"))
    assert scenario.problems() == []
    assert [one.name for one in jr.parameters(scenario)][:2] == ["limits.cap[retail,*,*]", "limits.cap[professional,*,*]"]
    assert Caps.of(scenario, np.array([0, 1])).cost(np.log([1e6, 1e6]), 1.0).total == pytest.approx(0.0, abs=1e-6)


def test_multiplier_and_step_back_to_the_budget():
    slope, free = np.array([3.0, 1.0]), np.array([True, True])
    assert multiplier(-2.0 * slope, slope, free) == pytest.approx(2.0)
    assert multiplier(slope, slope, free) == 0.0
    step = newton(0.1, slope, free)
    assert step @ slope == pytest.approx(-0.07)
    assert newton(0.1, slope, np.array([False, True])).tolist() == pytest.approx([0.0, -0.07])


@pytest.mark.parametrize("text", ["expected_shortfall(open_interest_loss_usd, 0.9)", "quantile(open_interest_loss_usd, 0.8)"])
def test_other_caps_on_some_paths_are_as_on_all(text):
    """Half of the paths that a cap 5% higher liquidates lose nothing under the cap itself: they have to be among those run again.

    To single precision, which differs between blocks of different lengths."""
    scenario, measure = market({"crowd": crowd()}, caps=[5.0]), jr.Measure.of(text)
    caps, x = Caps.of(scenario, np.array([0])), np.log([5.0])
    sampled = Sampled.draw(caps, x, measure, 16_384, 1, 0, exact=True)
    whole = lambda y: measure.estimate(draw_sample(caps.at(y), measure.observable, 16_384, 1).losses)
    assert sampled.base() == whole(x)
    for move in (-0.05, 0.0, 0.05):
        found, wanted = sampled.at(x + move), whole(x + move)
        assert found.value == pytest.approx(wanted.value, rel=1e-4)
        assert found.standard_error == pytest.approx(wanted.standard_error, rel=1e-3)


def test_search_on_a_noisy_problem_with_a_known_answer():
    r"""Cost $\sum a_i e^{-x_i}$ under $\sum b_i x_i \le B$: $a_i e^{-x_i} = \lambda b_i$. Each measurement of 1,600 paths has an
    error of 0.025, six have 0.01: four of them on the budget, and 5% (which counts as good enough) on the exchange between caps.
    """
    a, b, budget = np.array([1.0, 2.0, 0.5]), np.array([1.0, 1.0, 2.0]), 4.0
    price = math.exp((b @ np.log(a / b) - budget) / b.sum())
    answer = np.log(a / b) - math.log(price)
    generator = np.random.default_rng(1)

    def measure(x, paths):
        error = 1.0 / math.sqrt(paths)
        value = b @ x + error * generator.normal()
        slope = b + 2.0 * error * generator.normal(size=3)
        return Point(Estimate(value, error, 0.0, 0.0, math.nan, paths, paths), slope, np.full(3, 2.0 * error))

    cost = lambda x: Cost(0.0, 0.0, float(a @ np.exp(-x)), -a * np.exp(-x))
    found = search(Problem(measure, cost, budget, np.zeros(3), np.full(3, 5.0), 4.0), np.full(3, 2.5), 1600, 200)
    assert found.converged
    assert b @ found.x == pytest.approx(budget, abs=4 * 0.01)
    assert found.x == pytest.approx(answer, abs=0.15)


def test_a_cap_that_no_path_feels_does_not_keep_the_search_from_ending():
    """Its slope is zero without error: what is left of it has no noise to be compared with."""
    generator, budget = np.random.default_rng(2), 2.0

    def measure(x, paths):
        error = 1.0 / math.sqrt(paths)
        slope = np.array([1.0 + error * generator.normal(), 0.0])
        estimate = Estimate(x[0] + error * generator.normal(), error, 0.0, 0.0, math.nan, paths, paths)
        return Point(estimate, slope, np.array([error, 0.0]))

    cost = lambda x: Cost(0.0, 0.0, float(np.exp(-x).sum()), -np.exp(-x))
    found = search(Problem(measure, cost, budget, np.zeros(2), np.array([5.0, 50.0]), 4.0), np.ones(2), 1600, 200)
    assert found.converged
    assert found.residual < 2.0
    assert found.x[0] == pytest.approx(budget, abs=0.1)


def test_paths_from_anywhere_are_counted_near_runaway():
    """The worst three times the tail, under a cap a tenth higher, put the measure 15 standard errors too low at this cap, and its
    slope at -1.8e7 where it is -4.7e7."""
    scenario, measure = (
        jr.load(CASES / "near_runaway_cap10.toml"),
        jr.Measure.of("expected_shortfall(open_interest_loss_usd, 0.95)"),
    )
    caps, x, step = Caps.of(scenario, np.array([0])), np.log([10.0]), math.log1p(0.05)
    sampled = Sampled.draw(caps, x, measure, 16_384, 3, 0)
    whole = [
        measure.estimate(draw_sample(caps.at(x + move), measure.observable, 16_384, 3).losses) for move in (-step, 0.0, step)
    ]
    for move, wanted in zip((-step, 0.0, step), whole, strict=True):
        assert sampled.at(x + move).value == pytest.approx(wanted.value, abs=0.5 * wanted.standard_error)
    assert sampled.slopes()[0][0] == pytest.approx((whole[2].value - whole[0].value) / (2.0 * step), rel=0.02)


@pytest.mark.slow
def test_what_is_said_near_runaway_holds_on_other_paths():
    """Just below a cap of 8 the loss falls by a quarter within 5%. Against 200,000 other paths: estimate and slack within four
    joint errors, the budget met, and the price within three, of the cost's own slope over the measure's."""
    scenario = jr.load(CASES / "near_runaway_cap10.toml")
    measure, budget = jr.Measure.of("expected_shortfall(open_interest_loss_usd, 0.95)"), 3.2e8
    found = design_limits(scenario, measure, budget, paths=8192, seed=3, verify_paths=32_768, frontier=())
    assert found.feasible
    [parameter] = named(found.scenario, "limits.cap[retail,*,*]")
    other = draw_sample(found.scenario, measure.observable, 200_000, 78)
    higher = other.at(found.scenario, [parameter], np.array([0.05 * parameter.value]), np.arange(200_000))
    for said, losses in ((found.estimate, other.losses), (found.slack[0], higher)):
        true = measure.estimate(losses)
        assert said.value == pytest.approx(true.value, abs=4 * math.hypot(said.standard_error, true.standard_error))
    assert measure.estimate(other.losses).value < budget
    slope = difference(other, measure, found.scenario, [parameter])
    caps = Caps.of(scenario, np.array([0]))
    price = -caps.cost(np.log(found.after), 1.0).gradient[0] / (slope.value[0] * parameter.value)
    error = price * slope.standard_error[0] / slope.value[0]
    assert found.shadow_price == pytest.approx(price, abs=3 * math.hypot(found.shadow_price_error, error))
