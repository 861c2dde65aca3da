"""Every number that a scenario offers: its name, what it moves, and what it must leave alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrisk as jr
from jaxrisk.cascade import prepare
from jaxrisk.market import LogVariance
from jaxrisk.parameter import moved, named, parameters
from jaxrisk.positions import Limits, maintenance_margin

SHIPPED = ("btc_24h", "btc_any_day", "btc_eth_sol_7d", "btc_shock_10pct", "cross_margin_24h", "leverage_cycle_90d",
           "spill_over_24h", "three_venues_shock_24h")  # fmt: skip
NODES = (24, 4, 2)  # fewer leverages than a run takes: reverse mode keeps every one at every scale of a flow book's
LIMITS = Limits(
    cap=[20.0, 10.0, 50.0],
    share_downsize=[0.5, 0.5, 0.0],
    leakage=[0.1, 0.1, 0.0],
    close_out=[0.0, 0.5, 0.0],
    notional=[[0.0, 1e6], [1e6, np.inf], [0.0, np.inf]],
    account_class=(0, 0, -1),
    venue=(0, 0, -1),
    asset=(-1, -1, 0),
    negative_balance_protection=(False,) * 3,
)


def load(name):
    scenario = jr.load(name)
    return scenario if scenario.book == "account" else scenario.replace(limits=LIMITS)


def leaves(scenario):
    paths, _ = jax.tree_util.tree_flatten_with_path(scenario)
    return {jax.tree_util.keystr(path): np.asarray(value) for path, value in paths}


def step_of(parameter):
    """A move that stays in the parameter's range and is no rounding of it."""
    return 1e-3 * (abs(parameter.value) or 0.1)


@pytest.mark.parametrize("name", SHIPPED)
def test_values_lie_in_their_ranges_and_names_are_distinct(name):
    found = parameters(load(name))
    assert len({one.name for one in found}) == len(found)
    outside = [one for one in found if not one.low <= one.value <= one.high]
    assert not outside
    assert all(type(one.value) is float for one in found)


@pytest.mark.parametrize("name", SHIPPED)
def test_moved_by_nothing_is_the_scenario(name):
    scenario = load(name)
    found = parameters(scenario)
    before, after = leaves(scenario), leaves(moved(scenario, found, np.zeros(len(found))))
    assert before.keys() == after.keys()
    for key, value in before.items():
        np.testing.assert_array_equal(after[key], value, err_msg=key)
        assert after[key].dtype == value.dtype


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_each_moves_its_own_value_by_as_much_as_said_and_no_other_leaf(name):
    """Read back, a parameter has moved by `h` to rounding; leaves of other parts are the same bits."""
    scenario = load(name)
    before, found = leaves(scenario), parameters(scenario)
    may_share = {"market.volatility": {"market.variance", "market.mean_variance"}, "market.variance": {"market.volatility"}}
    if isinstance(scenario.market, LogVariance):  # its volatility is the root of the mean variance
        may_share["market.mean_variance"] = {"market.volatility"}
    for k, parameter in enumerate(found):
        h = step_of(parameter)
        later = moved(scenario, [parameter], np.array([h]))
        for one, was in zip(parameters(later), found, strict=True):
            if one.name == parameter.name:
                assert one.value - was.value == pytest.approx(h, rel=1e-6), parameter.name
            elif one.name.split("[")[0] not in may_share.get(parameter.name.split("[")[0], ()):
                assert one.value == was.value, f"{parameter.name} moved {one.name}"
        changed = [key for key, value in leaves(later).items() if not np.array_equal(value, before[key])]
        assert changed, parameter.name
        part = {"temporary_impact": "impact.temporary"}.get(part := parameter.name.split(".")[0], part)
        assert all(key.startswith(f".{part}") for key in changed), (parameter.name, changed)
        assert found[k].name == parameter.name


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_all_moved_at_once_is_each_moved_in_turn(name):
    scenario = load(name)
    found = [one for one in parameters(scenario) if not one.name.startswith(("market.variance", "market.mean_variance"))]
    steps = np.array([step_of(one) for one in found])
    together, apart = moved(scenario, found, steps), scenario
    for one, h in zip(found, steps, strict=True):
        apart = moved(apart, [one.name], [h])
    for key, value in leaves(together).items():
        np.testing.assert_allclose(leaves(apart)[key], value, rtol=1e-9, atol=1e-15, err_msg=key)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["btc_24h", "cross_margin_24h", "leverage_cycle_90d"])
def test_derivatives_through_prepare_are_finite_and_those_of_a_bump(name):
    """Of one smooth function of the whole book, in float64: finite for every parameter, and along a direction of all those that
    move no threshold equal to a central difference to 1e-3."""
    with jax.enable_x64(True):
        scenario = load(name)
        found = parameters(scenario)
        scale = np.array([abs(one.value) or 0.01 for one in found])
        smooth = np.array([one.pathwise for one in found], float)

        def value(by):
            book = prepare(moved(scenario, found, by * scale), jnp.float64, NODES).book
            made = [x for x in jax.tree.leaves(book) if jnp.issubdtype(x.dtype, jnp.floating) and x.size]
            return sum(jnp.log1p(jnp.mean(jnp.where(jnp.isfinite(x), x, 0.0) ** 2)) for x in made)

        both = jax.jit(jax.value_and_grad(value))
        gradient = np.asarray(both(jnp.zeros(len(found)))[1])
        names = [one.name for one in found]
        assert np.isfinite(gradient).all(), [name for name, g in zip(names, gradient, strict=True) if not np.isfinite(g)]
        if smooth.any():
            up, down = (float(both(jnp.asarray(sign * 1e-6 * smooth))[0]) for sign in (1, -1))
            assert gradient @ smooth == pytest.approx((up - down) / 2e-6, rel=1e-3)


def test_names_are_those_of_the_file():
    names = {one.name for one in parameters(load("btc_24h"))}
    assert names >= {
        "limits.cap[retail,binance,*]", "limits.cap[retail,binance,*#2]", "limits.cap[*,*,BTC]",
        "market.volatility[BTC]", "market.jump_rate[BTC]", "impact.coefficient[BTC]", "depth.floor[BTC]",
        "venues.binance.engine_time", "venues.binance.tiers.rate[BTC,0]", "populations.retail_long.median", "channels.feedback",
    }  # fmt: skip


def test_units_are_said():
    found = {one.name: one for one in parameters(jr.load("btc_24h"))}
    engine = found["venues.binance.engine_time"]
    assert (engine.value, engine.unit) == (pytest.approx(10.0), "s")
    volatility = found["market.volatility[BTC]"]
    assert volatility.value == pytest.approx(0.166**0.5)
    assert volatility.unit == "1/sqrt(year)"


def test_patterns_short_names_and_nothing_twice():
    scenario = load("btc_shock_10pct")
    caps = [one.name for one in named(scenario, "limits.cap")]
    assert len(caps) == 3
    assert [one.name for one in named(scenario, ["limits.cap[*,*,BTC]", "limits.cap"])] == [caps[2], caps[0], caps[1]]
    assert [one.name for one in named(scenario, "limits.cap[retail*")] == caps[:2]
    engines = ["venues.binance.engine_time", "venues.hyperliquid.engine_time"]
    assert [one.name for one in named(scenario, "venues.engine_time")] == engines
    assert [one.name for one in named(scenario, "venues.*.engine_time")] == engines
    assert len(named(scenario, "populations.open_interest")) == len(scenario.populations)


def test_unknown_names_all_at_once_with_the_nearest():
    with pytest.raises(ValueError, match="no parameter") as raised:
        named(jr.load("btc_24h"), ["market.volatilty", "impact.coefficient", "venues.binnance.engine_time", "limits.cap"])
    lines = str(raised.value).splitlines()
    assert lines == [
        'no parameter "market.volatilty": did you mean "market.volatility"?',
        'no parameter "venues.binnance.engine_time": did you mean "venues.binance.engine_time"?',
        'no parameter "limits.cap": the scenario has no limits',
    ]
    with pytest.raises(ValueError, match=r'no parameter "impact.resilience_half_life": did you mean "impact.relaxation_rate"'):
        named(jr.load("btc_24h"), "impact.resilience_half_life")
    with pytest.raises(ValueError, match="one number for each of the 1 parameters"):
        moved(jr.load("btc_24h"), ["impact.coefficient[BTC]"], [1.0, 2.0])
    with pytest.raises(ValueError, match=r'no parameter "impact.nothing"'):
        moved(jr.load("btc_24h"), ["impact.nothing"], [1.0])


def test_a_tier_rate_keeps_the_requirement_continuous():
    """The requirement at a notional rises by the move times as much of it as lies within the tier."""
    scenario = jr.load("btc_24h")
    tiers = scenario.venues.tiers
    floors, h, level = tiers.floor[0, 0], 1e-3, 2
    later = moved(scenario, [f"venues.binance.tiers.rate[BTC,{level}]"], [h]).venues.tiers
    notional = np.geomspace(1e3, 5e8, 400)
    lines = lambda table: np.broadcast_to(table[0, 0], (400, table.shape[-1]))
    margin = lambda t: np.asarray(maintenance_margin(jnp.asarray(notional), lines(t.rate), lines(t.amount)), np.float64)
    with jax.enable_x64(True):
        rise = margin(later) - margin(tiers)
    within = np.clip(notional, floors[level], floors[level + 1]) - floors[level]
    np.testing.assert_allclose(rise, h * within, atol=1e-6 * notional.max() * h)


def test_open_interest_of_accounts_is_theirs():
    scenario = jr.load("cross_margin_24h")
    [held] = named(scenario, "populations.accounts.open_interest")
    accounts = scenario.populations["accounts"]
    linear = np.sum(accounts.weight[accounts.account] * accounts.quantity * scenario.price[accounts.asset])
    assert not any(scenario.venues.inverse)
    assert held.value == pytest.approx(linear)
    assert not held.pathwise


@pytest.mark.parametrize(("name", "wanted"), [("jump_rate", False), ("jump_mean", True), ("volatility", True)])
def test_what_a_path_cannot_be_differentiated_by_is_said(name, wanted):
    assert [one.pathwise for one in named(jr.load("btc_24h"), f"market.{name}")] == [wanted]


def test_rates_for_the_whole_position_move_without_amounts_and_by_steps():
    """There is no amount to keep continuous; a long's price jumps, so that no path's derivative is a sensitivity."""
    scenario = jr.load("btc_24h", {"venues.binance.tier_rule": "whole"})
    [name] = [one.name for one in parameters(scenario) if one.name.endswith("tiers.rate[BTC,1]")]
    tiers = moved(scenario, [name], np.array([1e-4])).venues.tiers
    assert tiers.rate[0, 0, :3].tolist() == pytest.approx([0.004, 0.0051, 0.0065], rel=1e-12)
    assert not np.any(tiers.amount)
    stepped = {one.name for one in parameters(scenario) if not one.pathwise}
    marginal = {one.name for one in parameters(jr.load("btc_24h")) if not one.pathwise}
    assert stepped - marginal >= {name, "populations.retail_long.median"}
    assert "impact.coefficient[BTC]" not in stepped
