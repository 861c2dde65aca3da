"""Derivatives of measures: against closed forms, against bumps, their stated errors against replication, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

import jaxrisk as jr
from jaxrisk.parameter import moved, named
from jaxrisk.positions import NODES, account_build, population
from jaxrisk.risk import TooFewPathsError, sample as sampling
from jaxrisk.risk.measure import Measure
from jaxrisk.risk.slopes.bump import difference
from jaxrisk.risk.slopes.change import changed
from jaxrisk.risk.slopes.gradients import Tail, looked_at, of_paths, pathwise
from jaxrisk.risk.slopes.pathwise import Reverse, along, group_gradients
from jaxrisk.risk.slopes.rerun import slopes
from jaxrisk.studies.sensitivity import sensitivity

MEASURES = [
    "mean(max_drawdown_index)",
    "expected_shortfall(max_drawdown_index, 0.9)",
    "quantile(open_interest_loss_fraction, 0.9)",
    "exceedance_probability(max_drawdown_index, 0.05)",
]
CASES = Path(__file__).parents[1] / "cases"
CAP = "limits.cap[retail,*,*]"
NAMES = ["limits.cap", "impact.coefficient", "market.volatility", "populations.retail_long.open_interest"]


def caps(**by_class):
    """Caps under which half of the demand takes a smaller position."""
    return [{"class": name, "cap": cap, "share_downsize": 0.5} for name, cap in by_class.items()]


@pytest.fixture(scope="module")
def scenario():
    """A volatile day with thin depth and a cap, in hourly steps."""
    changes = {"run.step": "1h", "impact.coefficient": 2.0, "market.variance": 0.6, "market.mean_variance": 0.6}
    caps = [
        {"class": "retail", "cap": 20.0, "share_downsize": 0.5},
        {"class": "professional", "cap": 12.0, "share_downsize": 1.0},
    ]
    return jr.load("btc_24h", changes | {"limits.caps": caps})


@pytest.fixture(scope="module")
def samples(scenario):
    """Runs of 20,000 paths by observable."""
    return {
        name: sampling.draw_sample(scenario, name, 20_000, 3) for name in ("max_drawdown_index", "open_interest_loss_fraction")
    }


@pytest.mark.slow
@pytest.mark.parametrize("text", MEASURES)
def test_pathwise_and_bump_agree(scenario, samples, text):
    """Over the same paths, for five parameters: within four of their joint errors. False-failure rate below 2e-3 were the methods
    independent; they share their paths, which brings them nearer."""
    measure = Measure.of(text)
    sample = samples[measure.observable]
    parameters = _named(scenario)
    paths = pathwise(sample, measure, scenario, tuple(one.name for one in parameters))
    steps = slopes(sample, measure, scenario, parameters)
    joint = np.hypot(paths.standard_error, steps.standard_error)
    assert np.all(joint > 0.0)
    np.testing.assert_array_less(np.abs(paths.value - steps.value) / joint, 4.0)


def _named(scenario):
    return named(scenario, NAMES)


@pytest.mark.slow
def test_reverse_and_forward_mode_agree(scenario, samples):
    """Sums over groups in reverse mode, checkpointed, are those of the single paths in forward mode: to single precision."""
    sample = samples["max_drawdown_index"]
    names = tuple(one.name for one in _named(scenario))
    reverse = Reverse.of(scenario, names, sample.prepared, sample.column)
    which = looked_at(sample, Measure.of(MEASURES[1])).which[:120]
    weights = np.linspace(0.5, 1.5, 120).reshape(6, 20)
    groups = group_gradients(sample, reverse, which.reshape(6, 20), weights)
    for k, unit in enumerate(np.eye(len(names))):
        slopes = along(sample, reverse, which, unit)
        expected = (weights * slopes.reshape(6, 20)).sum(axis=1)
        np.testing.assert_allclose(groups[:, k], expected, rtol=2e-4, atol=2e-4 * np.abs(slopes).mean())


@pytest.mark.slow
def test_many_parameters_go_by_groups(scenario, samples, monkeypatch):
    """By random groups the value is the same, and the error within what its degrees of freedom allow (a factor of two)."""
    from jaxrisk.risk.slopes import gradients

    measure, sample = Measure.of(MEASURES[1]), samples["max_drawdown_index"]
    names = tuple(one.name for one in _named(scenario))
    single = pathwise(sample, measure, scenario, names)
    monkeypatch.setattr(gradients, "FORWARD", 0)
    grouped = pathwise(sample, measure, scenario, names)
    np.testing.assert_allclose(grouped.value, single.value, rtol=1e-3, atol=1e-3 * single.standard_error.min())
    ratio = grouped.standard_error / single.standard_error
    assert np.all((ratio > 0.5) & (ratio < 2.0)), ratio


@pytest.mark.slow
@pytest.mark.parametrize("text", MEASURES)
def test_stated_errors_hold_by_replication(scenario, text):
    """Sixty runs of 4,000 paths: the spread of their derivatives is what they say, within 0.7 to 1.4 (each a chi of 59 degrees of
    freedom over an average; false-failure rate about 1e-3 for all parameters and measures together)."""
    measure = Measure.of(text)
    names = ("impact.coefficient[BTC]", "market.volatility[BTC]")
    values, errors = [], []
    big = sampling.draw_sample(scenario, measure.observable, 240_000, 11)
    for k in range(60):
        some = slice(4000 * k, 4000 * (k + 1))
        part = big._replace(losses=big.losses[some], lowest=big.lowest[some], first_path=4000 * k)
        found = pathwise(part, measure, scenario, names)
        values.append(found.value)
        errors.append(found.standard_error)
    stated, seen = np.sqrt(np.mean(np.square(errors), axis=0)), np.std(values, axis=0, ddof=1)
    assert np.all((stated / seen > 0.7) & (stated / seen < 1.4)), stated / seen


def test_error_of_a_tail_mean():
    """Of a gradient that is a known function of a uniform loss: the delta-method error, checked by 2,000 replications (ratio
    within 0.9 to 1.1: 6 standard errors). Leaving out the quantile's own derivative makes it many times as large."""
    random = np.random.default_rng(5)
    measure, n = Measure("x", "expected_shortfall", 0.9), 2000
    values, errors = [], []
    for _ in range(2000):
        losses = random.uniform(size=n)
        order = np.argsort(-losses)[: n // 10]
        slopes = (5.0 + 3.0 * losses + 0.1 * random.normal(size=n))[order]
        share = np.full(len(order), 1.0 / len(order))
        found = of_paths(Tail(order, share, 1.0, True), slopes[:, None], n, measure)
        values.append(found.value[0])
        errors.append(found.standard_error[0])
    assert 0.9 < np.sqrt(np.mean(np.square(errors))) / np.std(values) < 1.1


@pytest.mark.slow
class TestAuto:
    def test_keeps_the_pathwise_derivative_where_it_is_good(self, scenario):
        found = sensitivity(scenario, MEASURES[1], "impact.coefficient", paths=16_000, seed=2)
        assert found.method == ["pathwise"]
        assert found.tail_index[0] > 2.5
        assert found.standard_error[0] < 0.1 * found.gradient[0]

    def test_bumps_near_runaway_and_says_so(self):
        """With a crowd at its cap, thin depth and an external fall: the derivatives of paths have a tail index near one."""
        caps = [
            {"class": "retail", "cap": 8.0, "share_downsize": 0.5},
            {"class": "professional", "cap": 5.0, "share_downsize": 0.5},
        ]
        changes = {"run.step": "2min", "impact.coefficient": 3.0, "limits.caps": caps}
        near = jr.load("btc_shock_10pct", changes)
        found = sensitivity(near, "expected_shortfall(max_drawdown_index, 0.8)", "limits.cap[retail,*,*]", paths=4096, check=True)
        assert found.method == ["bump"]
        assert found.tail_index[0] < 2.5
        assert "tail index" in found.reason[0]
        assert found.share_above_criticality > 0.5
        value, error = found.checked
        assert abs(found.gradient[0] - value[0]) < 4.0 * np.hypot(found.standard_error[0], error[0])

    def test_bumps_what_has_no_pathwise_derivative(self, scenario):
        found = sensitivity(scenario, MEASURES[0], "market.jump_rate", paths=4096)
        assert found.method == ["bump"]
        assert found.gradient[0] > 0.0

    def test_a_jump_rate_lifts_paths_into_the_tail_from_anywhere(self, scenario):
        """Against runs of 60,000 paths with other random numbers at half the rate more and less: within four joint errors.
        Running only the worst paths again gives the opposite sign."""
        found = sensitivity(scenario, "expected_shortfall(max_drawdown_index, 0.95)", "market.jump_rate", paths=20_000)
        rate = found.parameters[0].value
        ends = []
        for seed, factor in ((21, 1.5), (22, 0.5)):
            there = moved(scenario, found.parameters, np.array([(factor - 1.0) * rate]))
            result = jr.simulate(there, paths=60_000, seed=seed, sample_paths=0)
            ends.append(result.expected_shortfall("max_drawdown_index", 0.95))
        slope = (ends[0].value - ends[1].value) / rate
        error = np.hypot(ends[0].standard_error, ends[1].standard_error) / rate
        assert slope > 4.0 * error
        assert abs(found.gradient[0] - slope) < 4.0 * np.hypot(found.standard_error[0], error)

    @pytest.mark.parametrize(("name", "wrt"), [
        ("leverage_cycle_90d", ["flow.closing_rate[BTC]", "impact.coefficient"]),
        ("cross_margin_24h", ["impact.coefficient", "venues.*.insurance_fund"]),
        ("three_venues_shock_24h", ["venues.*.insurance_fund", "calls.top_up", "channels.stops"]),
    ])  # fmt: skip
    def test_every_book(self, name, wrt, monkeypatch):
        """Single accounts are bumped, tables differentiated; both agree with a bump of all paths within four joint errors.

        Tables are of a quarter of the usual leverages, and so are accounts.
        """
        monkeypatch.setattr(account_build, "NODES", account_build.NODES // 4)
        monkeypatch.setattr(population, "NODES", (NODES[0] // 4, *NODES[1:]))
        scenario = jr.load(name, {"run.steps": 90 if name == "leverage_cycle_90d" else 24})
        found = sensitivity(scenario, "mean(open_interest_loss_usd)", wrt, paths=128, check=True)
        assert np.isfinite(found.gradient).all()
        assert all(method == "bump" for method in found.method) or name != "cross_margin_24h"
        told = np.isfinite(found.standard_error)
        assert told[0]
        assert all("no interval" in found.reason[k] for k in np.flatnonzero(~told))
        joint = np.hypot(found.standard_error, found.checked[1])
        apart = np.abs(found.gradient - found.checked[0])
        assert np.all((apart <= 4.0 * joint + 1e-6 * np.abs(found.gradient))[told])

    def test_a_bump_finds_who_is_lifted_out_of_a_tie(self, scenario):
        """Most paths liquidate nobody of a low-leverage market; which of them a higher cap lifts into the tail is not known
        beforehand. Against a single difference over all paths: within four errors."""
        low = scenario.replace(limits=type(scenario.limits).single(6.0, share_downsize=0.5))
        measure = "expected_shortfall(liquidated_notional[*,*,long], 0.9)"
        found = sensitivity(low, measure, "limits.cap", "bump", paths=4000)
        sample = sampling.draw_sample(low, "liquidated_notional[*,*,long]", 4000, 1)
        whole = difference(sample, Measure.of(measure), low, found.parameters)
        assert np.mean(sample.losses == 0.0) > 0.7
        assert whole.value[0] > 0.0
        assert abs(found.gradient[0] - whole.value[0]) < 4.0 * found.standard_error[0]

    def test_cross_sensitivity_is_the_difference_of_sensitivities(self, scenario):
        """Second derivative to impact and volatility against a bump of a bump over all paths: within four joint errors."""
        pair = ("impact.coefficient[BTC]", "market.volatility[BTC]")
        found = sensitivity(scenario, "mean(max_drawdown_index)", pair, paths=20_000, seed=4, cross=[pair])
        (first, second, value, error) = found.cross[0]
        assert (first, second) == pair
        one, other = named(scenario, list(pair))
        corners = {}
        for a in (-1, 1):
            for b in (-1, 1):
                there = moved(scenario, [one, other], np.array([a * 0.05 * one.value, b * 0.02 * other.value]))
                corners[a, b] = jr.simulate(there, paths=20_000, seed=4, sample_paths=0)["max_drawdown_index"].astype(np.float64)
        mixed = (corners[1, 1] - corners[1, -1] - corners[-1, 1] + corners[-1, -1]) / (0.1 * one.value * 0.04 * other.value)
        assert value > 0.0
        assert abs(mixed.mean() - value) < 4.0 * np.hypot(error, mixed.std() / np.sqrt(len(mixed)))


@pytest.mark.slow
class TestChange:
    def test_it_is_the_difference_of_runs(self, scenario):
        """To rounding, with an error that is that of the paired paths, far below those of two runs."""
        name = "limits.cap[retail,*,*]"
        text = "expected_shortfall(max_drawdown_index, 0.9)"
        found = sensitivity(scenario, text, name, paths=4000, seed=5, change={name: [10.0, 20.0, 40.0]})
        assert [one.to for one in found.changes] == [10.0, 20.0, 40.0]
        results = [
            jr.simulate(moved(scenario, named(scenario, name), [to - 20.0]), paths=4000, seed=5, sample_paths=0)
            for to in (10.0, 20.0, 40.0)
        ]
        shortfall = [one.expected_shortfall("max_drawdown_index", 0.9) for one in results]
        for one, there in zip(found.changes, shortfall, strict=True):
            assert one.value == pytest.approx(there.value - shortfall[1].value, rel=1e-5, abs=1e-12)
        assert found.changes[1].standard_error == 0.0
        assert 0.0 < found.changes[2].standard_error < 0.5 * shortfall[1].standard_error

    def test_stated_errors_hold_by_replication(self, scenario):
        """Forty runs: the spread of the changes over what they say, within 0.7 to 1.4 (a chi of 39 degrees of freedom over its
        mean; false-failure rate about 2e-3)."""
        [parameter] = named(scenario, "limits.cap[retail,*,*]")
        measure = Measure.of("expected_shortfall(max_drawdown_index, 0.9)")
        found = [
            changed(sampling.draw_sample(scenario, measure.observable, 2000, 50 + k), measure, scenario, parameter, 12.0)
            for k in range(40)
        ]
        stated = np.sqrt(np.mean([one.standard_error**2 for one in found]))
        assert 0.7 < stated / np.std([one.value for one in found], ddof=1) < 1.4

    def test_all_problems_at_once(self, scenario):
        with pytest.raises(ValueError, match="no parameter") as caught:
            sensitivity(scenario, "mean(max_drawdown_index)", "limits.cap", change={"limits.cpa": 3, "impact.coefficient": "x",
                                                                                     "limits.cap[retail,*,*]": 0.5})  # fmt: skip
        assert len(str(caught.value).splitlines()) == 3


@pytest.mark.slow
class TestRareCascade:
    """A cascade that few paths feel."""

    @pytest.fixture(scope="class")
    def rare(self):
        return jr.load(CASES / "low_cap5_rare_cascade.toml")

    def test_the_derivatives_of_paths_are_not_believed(self, rare):
        """A difference on a sample of paths does not bear them out, or their tail is heavy: never `pathwise`. Were either check
        gone, some seeds would be."""
        for seed in range(6):
            found = sensitivity(rare, "expected_shortfall(open_interest_loss_usd, 0.95)", CAP, paths=10_000, seed=seed)
            assert found.method == ["bump"]
            assert found.standard_error[0] > 0.15 * abs(found.gradient[0])

    def test_what_rests_on_few_paths_has_no_interval(self, rare, monkeypatch):
        monkeypatch.setattr("jaxrisk.risk.slopes.curve.LEAST_EFFECTIVE", 1e6)
        found = sensitivity(rare, "expected_shortfall(open_interest_loss_usd, 0.95)", CAP, "bump", paths=600, seed=2)
        assert np.isnan(found.standard_error[0])
        assert "no interval" in found.reason[0]
        assert "none" in str(found.summary())


class TestRefused:
    def test_all_problems_at_once(self, scenario):
        with pytest.raises(ValueError, match="strictly between 0 and 1") as caught:
            sensitivity(scenario, "expected_shortfall(max_drawdown_index, 1.5)", ["limits.cpa", "impact.coeficient"], "pathwse")
        text = str(caught.value)
        assert len(text.splitlines()) == 4
        assert "limits.cap" in text
        assert "impact.coefficient" in text
        assert "pathwse" in text

    def test_unknown_observable(self, scenario):
        with pytest.raises(ValueError, match="did you mean 'max_drawdown_index'"):
            sensitivity(scenario, "mean(max_drawdown_indx)", "limits.cap", paths=100)

    def test_too_few_paths(self, scenario):
        with pytest.raises(TooFewPathsError, match="paths are needed") as caught:
            sensitivity(scenario, "expected_shortfall(max_drawdown_index, 0.99)", "limits.cap", paths=1000)
        assert caught.value.needed == 2000

    def test_pathwise_to_a_jump_rate(self, scenario):
        with pytest.raises(ValueError, match="bump it"):
            sensitivity(scenario, "mean(max_drawdown_index)", "market.jump_rate", "pathwise")
