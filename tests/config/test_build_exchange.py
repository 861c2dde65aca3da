"""What policies, backstops, calls, stops, funding and flows become; presets; overrides of their keys."""

import tomllib

import jax
import numpy as np
import pytest

from jaxrisk.cascade.backstop import TRIGGERS
from jaxrisk.config import check, load, prepare
from jaxrisk.config.read import read
from jaxrisk.config.tables import run, venues as keys
from jaxrisk.parameter import named
from jaxrisk.paths import find, names
from jaxrisk.positions import BOOKS, POLICIES, RANKINGS
from jaxrisk.toml import to_toml

SECOND, HOUR, DAY = 1 / (365 * 86400), 1 / (365 * 24), 1 / 365
LADDER = {"run.book": "ladder", "funding": None, "calls": None, "populations.book": None, "venues.binance.haircut": None,
          "venues.coinm.haircut": None}  # fmt: skip
FLOW = LADDER | {"run.book": "flow", "flow": {"closing_half_life": "10d"}}


@pytest.fixture
def scenario(folder):
    """The exchange scenario with changes, None for keys taken out."""

    def build(overrides=None, **changes):
        whole = {key: folder.MISSING if value is None else value for key, value in changes.items()}
        return load(folder.exchange(**whole), overrides)

    return build


def test_the_words_are_those_of_the_engine():
    """Said twice, since a configuration is checked without importing JAX."""
    assert keys.RANKINGS == RANKINGS
    assert keys.TRIGGERS == TRIGGERS
    assert set(keys.POLICIES) - {"takeover"} == set(POLICIES) - {"tranches"}
    assert run.BOOKS == BOOKS


def test_policies_and_backstop(scenario):
    """Numbers that no venue gives have their defaults; a venue without a backstop has an empty fund beside one that has."""
    venues = scenario().venues
    assert venues.policy.kind == ("to_margin", "partial")
    np.testing.assert_array_equal(venues.policy.margin_target, [1.0, 1.0])
    np.testing.assert_array_equal(venues.policy.first_share, [0.2, 0.25])
    np.testing.assert_array_equal(venues.policy.first_above, [1e5, 1e5])
    np.testing.assert_allclose(venues.policy.cool_down, np.full(2, 30 * SECOND))
    backstop = venues.backstop
    np.testing.assert_array_equal(backstop.insurance_fund, [1e9, 0.0])
    np.testing.assert_array_equal(backstop.surplus_to_fund, [1.0, 0.0])
    np.testing.assert_array_equal(backstop.drawdown_threshold, [0.3, 0.3])
    assert backstop.ranking == ("binance", "pro_rata")
    assert backstop.trigger == ("fund_empty", "fund_empty")
    assert backstop.drawdown_window == pytest.approx((8 * HOUR, 8 * HOUR))
    np.testing.assert_array_equal(venues.liquidation_fee, [0.0035, 0.0])
    np.testing.assert_array_equal(venues.haircut, [[0.05, 0.0, 0.0], [0.1, 0.1, 0.1]])


def test_leakage_is_into_the_venue_that_states_it(scenario):
    """`liquidity_leakage[a, b]`: of what is sold on b, the share that counts as sold into a's book."""
    np.testing.assert_array_equal(scenario().venues.liquidity_leakage, [[1.0, 0.2], [0.0, 1.0]])
    one = scenario(**{"venues.binance.liquidity_leakage": {"coinm": 0.3}})
    np.testing.assert_array_equal(one.venues.liquidity_leakage, [[1.0, 0.3], [0.0, 1.0]])


def test_nothing_is_there_that_no_venue_asks_for(folder):
    venues = load(folder.scenario()).venues
    assert (venues.policy, venues.backstop, venues.haircut, venues.liquidity_leakage) == (None, None, None, None)
    plain = load(folder.scenario())
    assert (plain.calls, plain.stops, plain.funding, plain.flow, plain.book) == (None, {}, None, None, "ladder")
    assert plain.impact.common_holders is None
    assert plain.shock.venue is None


@pytest.mark.parametrize(
    ("key", "value"),
    [("insurance_fund", 0.0), ("surplus_to_fund", 0.5), ("ranking", "bitmex"), ("deleveraging", "account_value"),
     ("policy", "takeover"), ("preset", "bybit")],
)  # fmt: skip
def test_each_key_of_a_backstop_brings_one(scenario, key, value):
    changes = {"venues.binance.preset": None, "venues.binance.insurance_fund": None, f"venues.coinm.{key}": value,
               "venues.coinm.first_share": None, "venues.coinm.tiers": [{"floor_usd": 0.0, "max_leverage": 50.0,
                                                                         "maintenance_rate": 0.01}]}  # fmt: skip
    if key != "policy":
        changes["venues.coinm.policy"] = None
    venues = scenario(**changes).venues
    assert venues.backstop is not None
    assert (venues.policy is None) == (key not in ("policy", "preset"))
    assert scenario(**(changes | {f"venues.coinm.{key}": None, "venues.coinm.policy": None})).venues.backstop is None


def test_a_takeover_gives_the_fund_what_is_left(scenario):
    """Unless it is said how much: policy and surplus by themselves, without a preset."""
    alone = {"venues.coinm": {"contract": "inverse", "maintenance_rate": 0.01, "policy": "takeover"}}
    venues = scenario(**alone).venues
    assert venues.policy.kind[1] == "full"
    np.testing.assert_array_equal(venues.backstop.surplus_to_fund, [1.0, 1.0])
    venues = scenario(**alone | {"venues.coinm.surplus_to_fund": 0.5}).venues
    np.testing.assert_array_equal(venues.backstop.surplus_to_fund, [1.0, 0.5])


@pytest.mark.parametrize("book", ["account", "ladder"])
def test_closing_to_the_margin(folder, book):
    """With a target of its own or of 1; in either book, and with rates for the whole position too."""
    venue = {"venues.binance": {"policy": "to_margin", "tiers": "binance", "tier_rule": "whole", "local_depth": 1e9}}
    policy = load(folder.scenario(**venue | {"run.book": book})).venues.policy
    assert policy.kind[0] == "to_margin"
    assert policy.margin_target[0] == 1.0
    venue["venues.binance"]["margin_target"] = 1.25
    assert load(folder.scenario(**venue | {"run.book": book})).venues.policy.margin_target[0] == 1.25


def test_tranches_beside_a_policy(folder):
    changes = {"venues.coinm.policy": "lower_tier"}
    policy = load(folder.scenario(**changes)).venues.policy
    assert policy.kind == ("tranches", "lower_tier")


def test_calls(scenario):
    """A class without a call has level 1, at which there is none; one table for all is for all."""
    calls = scenario().calls
    np.testing.assert_array_equal(calls.level, [1.5, 1.0])
    np.testing.assert_array_equal(calls.top_up, [0.3, 0.0])
    np.testing.assert_array_equal(calls.reduce, [0.2, 0.0])
    calls = scenario(calls={"level": 2.0, "top_up": 0.5}).calls
    np.testing.assert_array_equal(calls.level, [2.0, 2.0])
    np.testing.assert_array_equal(calls.reduce, [0.0, 0.0])


def test_stops_funding_channels_shock_and_holders(scenario):
    whole = scenario()
    stops = whole.stops["support"]
    assert (stops.venue, stops.asset, stops.side) == (0, 0, 1)
    assert (float(stops.quantity), float(stops.level), float(stops.width)) == (1e8, 75000.0, 0.02)
    np.testing.assert_array_equal(whole.funding.rate, [0.1, 0.0, 0.0])
    np.testing.assert_array_equal(whole.funding.trend_sensitivity, [0.01, 0.01, 0.01])
    channels = whole.channels
    assert [float(x) for x in (channels.stops, channels.calls, channels.deleveraging, channels.common_holders)] == [
        0.9, 0.8, 0.7, 0.6,
    ]  # fmt: skip
    assert whole.shock.venue == 0
    assert whole.book == "account"
    np.testing.assert_array_equal(whole.impact.common_holders, [[0, 0, 0], [0, 0, 0], [0.02, 0, 0]])


def test_the_bridge_is_off_for_accounts(scenario):
    """Geometric Brownian motion is bridged exactly, but accounts are judged at the ends of steps."""
    assert scenario().settings.bridge is False
    assert scenario(**LADDER).settings.bridge is True


def test_a_flow(scenario):
    """Without a rate of its own as much opens as closes."""
    flow = scenario(**FLOW).flow
    np.testing.assert_allclose(flow.closing_rate, np.full(3, np.log(2) / (10 * DAY)))
    np.testing.assert_array_equal(flow.opening_rate, flow.closing_rate)
    np.testing.assert_array_equal(flow.volume_trend, np.zeros(3))
    assert float(flow.half_life) == pytest.approx(7 * DAY)
    assert (flow.levels, flow.width) == (1024, 0.004)
    own = {"opening_rate": 5.0, "reference_volatility": 0.5, "volume_elasticity": {"BTC": 1.0, "ETH": 0.5, "NDX": 0.0},
           "leverage_trend": "1d", "closing_half_life": {"BTC": "5d", "ETH": "10d", "NDX": "20d"}}  # fmt: skip
    flow = scenario(**FLOW | {"flow": own}).flow
    np.testing.assert_array_equal(flow.opening_rate, np.full(3, 5.0))
    np.testing.assert_array_equal(flow.volume_elasticity, [1.0, 0.5, 0.0])
    np.testing.assert_allclose(flow.leverage_trend, np.full(3, DAY))
    np.testing.assert_allclose(flow.closing_rate * [5, 10, 20], np.full(3, np.log(2) / DAY))


def test_every_number_is_a_leaf_under_its_name(scenario):
    cap = [{"cap": 20.0, "share_downsize": 0.5}]
    leaves = jax.tree_util.tree_leaves_with_path((scenario(**{"limits.caps": cap}), scenario(**FLOW | {"limits.caps": cap})))
    dotted = {jax.tree_util.keystr(path, simple=True, separator=".")[2:] for path, _ in leaves}
    assert {"calls.level", "calls.top_up", "stops.support.quantity", "stops.support.level", "funding.rate", "flow.opening_rate",
            "venues.haircut", "venues.liquidity_leakage", "venues.backstop.insurance_fund", "venues.policy.first_share",
            "channels.deleveraging", "impact.common_holders", "populations.book.cash"} <= dotted  # fmt: skip
    assert all(leaf.dtype == np.float64 for _, leaf in leaves if np.issubdtype(leaf.dtype, np.floating))


def test_halts_of_a_venue_and_of_each_contract_by_itself(scenario):
    """Accounts on both venues under one collateral are no reason against either; what is not named has no threshold."""
    venues = {
        "venues.binance.halt_move": {"BTC": 0.07, "NDX": 0.1},
        "venues.binance.halts": "trading",
        "venues.coinm.halt_move": 0.2,
    }
    halted = scenario(**venues, **{"venues.coinm.price_band": {"ETH": 0.05}})
    breaker = halted.venues.breaker
    np.testing.assert_array_equal(breaker.halt_move, [np.inf, 0.2])
    np.testing.assert_array_equal(breaker.contract_move, [[0.07, np.inf, 0.1], [np.inf] * 3])
    np.testing.assert_array_equal(breaker.price_band, [np.inf, np.inf])
    np.testing.assert_array_equal(breaker.contract_band, [[np.inf] * 3, [np.inf, 0.05, np.inf]])
    assert not halted.problems()
    assert scenario(**{"venues.coinm.halt_move": 0.2}).venues.breaker.contract_move is None
    found = [one.name for one in named(halted, ["venues.binance.halt_move", "venues.coinm.halt_move", "venues.coinm.price_band"])]
    assert found == [
        *(f"venues.binance.halt_move[{asset}]" for asset in ("BTC", "ETH", "NDX")), "venues.coinm.halt_move",
        *(f"venues.coinm.price_band[{asset}]" for asset in ("BTC", "ETH", "NDX")),
    ]  # fmt: skip


# ---- presets

PRESETS = {"binance": ("to_margin", 1.0, "binance", "fund_empty", 0.0035),
           "bybit": ("lower_tier", 1.0, "bitmex", "fund_drawdown", 0.0),
           "hyperliquid": ("partial", 0.0, "hyperliquid", "account_value", 0.0)}  # fmt: skip


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset(folder, name):
    kind, surplus, ranking, trigger, fee = PRESETS[name]
    venue = {"preset": name, "local_depth": {"BTC": 1e9}}
    venues = load(folder.scenario(**{"venues.binance": venue})).venues
    assert (venues.policy.kind[0], venues.backstop.ranking[0], venues.backstop.trigger[0]) == (kind, ranking, trigger)
    assert (venues.backstop.surplus_to_fund[0], venues.liquidation_fee[0]) == (surplus, fee)
    assert venues.backstop.insurance_fund[0] == 0.0
    tiers = tomllib.loads(find("venues", name).read_text())["tiers"]["BTC"]
    np.testing.assert_allclose(venues.tiers.rate[0, 0, : len(tiers)], [row["maintenance_rate"] for row in tiers])


def test_there_is_a_test_for_every_preset():
    assert sorted(PRESETS) == names("venues")


def test_keys_of_the_venue_come_before_those_of_its_preset(folder):
    own = {"preset": "hyperliquid", "first_share": 0.5, "ranking": "bitmex", "liquidation_fee": 0.001, "surplus_to_fund": 0.3,
           "tiers": [{"floor_usd": 0.0, "max_leverage": 5.0, "maintenance_rate": 0.1}]}  # fmt: skip
    venues = load(folder.scenario(**{"venues.binance": own})).venues
    assert (venues.policy.kind[0], venues.policy.first_share[0], venues.policy.first_above[0]) == ("partial", 0.5, 1e5)
    assert (venues.backstop.ranking[0], venues.backstop.trigger[0]) == ("bitmex", "account_value")
    assert (venues.backstop.surplus_to_fund[0], venues.liquidation_fee[0]) == (0.3, 0.001)
    assert venues.tiers.rate[0, 0, 0] == 0.1


def test_another_word_takes_the_presets_keys_for_its_own_word_away(folder):
    for own in ({"policy": "full"}, {"tranches": [0.5, 0.5]}):
        venues = load(folder.scenario(**{"venues.binance": {"preset": "hyperliquid"} | own})).venues
        assert venues.tranches[0] == ((0.5, 0.5) if "tranches" in own else (1.0,))
        assert venues.policy is None if "tranches" in own else venues.policy.kind[0] == "full"
    venues = load(folder.scenario(**{"venues.binance": {"preset": "bybit", "deleveraging": "fund_empty"}})).venues
    assert venues.backstop.trigger[0] == "fund_empty"


def test_tiers_of_a_file_take_no_rules(folder):
    venues = load(folder.scenario()).venues
    assert tomllib.loads(folder.VALID)["venues"]["binance"]["tiers"] == "binance"
    assert (venues.policy, venues.backstop) == (None, None)


RULES = '[[tiers.BTC]]\nfloor_usd = 0\nmax_leverage = 50\nmaintenance_rate = 0.01\n[rules]\npolicy = "partial"\n'


def test_a_preset_of_ones_own(folder):
    folder.file("mine.toml", RULES + "first_share = 0.4\n")
    assert folder.problems(**{"venues.binance": {"preset": "mine"}}) == []
    folder.file("mine.toml", RULES + 'first_share = 4\nrankng = "fifo"\nfund_window = "8h"\ncool_down = 5\n')
    problems = folder.problems(**{"venues.binance": {"preset": "mine"}})
    assert {(problem.key, problem.file.rsplit("/", 1)[-1]) for problem in problems} == {
        (f"rules.{key}", "mine.toml") for key in ("first_share", "rankng", "fund_window", "cool_down")
    }
    assert next(problem for problem in problems if problem.key == "rules.rankng").nearest == "ranking"
    assert check(folder.path / "mine.toml") == problems
    folder.file("mine.toml", RULES.split("[rules]")[0])
    [problem] = folder.problems(**{"venues.binance": {"preset": "mine"}})
    assert problem.key == "venues.binance.preset"
    assert "a venue file with a table [rules]" in problem.allowed
    folder.file("mine.toml", "rules = 5\n" + RULES.split("[rules]")[0])
    assert [problem.key for problem in check(folder.path / "mine.toml")] == ["rules"]


# ---- overrides


def effective(folder, overrides, **changes):
    checked, problems, _ = read(folder.exchange(**changes), overrides)
    assert problems == [], [str(problem) for problem in problems]
    return checked


def test_numbers_are_replaced(folder):
    checked = effective(folder, {"calls.retail.level": "2", "stops.support.quantity": "5e7", "venues.binance.insurance_fund": "0",
                                 "funding.rate": "0.2", "impact.common_holders.ETH->NDX": "0.01", "channels.stops": "0",
                                 "venues.binance.preset": "hyperliquid", "populations.book.accounts": "1"})  # fmt: skip
    assert checked.calls["retail"].level == 2.0
    assert checked.stops["support"].quantity == 5e7
    assert checked.venues["binance"].insurance_fund == 0.0
    assert checked.venues["binance"].policy == "partial"
    assert checked.impact.common_holders == {"BTC->NDX": 0.02, "ETH->NDX": 0.01}
    assert len(checked.cross_accounts["book"].cash) == 1


def test_a_number_becomes_a_table(folder):
    assert effective(folder, {"venues.binance.liquidity_leakage.coinm": "0.5"}).venues["binance"].liquidity_leakage == {
        "coinm": 0.5
    }
    assert effective(folder, {"venues.coinm.haircut.BTC": "0"}).venues["coinm"].haircut == {"BTC": 0.0, "ETH": 0.1, "NDX": 0.1}
    assert effective(folder, {"funding.trend_sensitivity.ETH": 0}).funding.trend_sensitivity["ETH"] == 0.0


def test_another_word_drops_the_keys_of_the_old(folder):
    assert effective(folder, {"venues.coinm.policy": "lower_tier"}).venues["coinm"].first_share is None
    changes = {"venues.coinm.policy": "to_margin", "venues.coinm.first_share": folder.MISSING, "venues.coinm.margin_target": 1.5}
    assert effective(folder, {"venues.coinm.margin_target": "1.2"}, **changes).venues["coinm"].margin_target == 1.2
    assert effective(folder, {"venues.coinm.policy": "full"}, **changes).venues["coinm"].margin_target is None
    own = effective(folder, {"venues.coinm.policy": "to_margin", "venues.coinm.margin_target": "2"}).venues["coinm"]
    assert (own.policy, own.margin_target, own.first_share) == ("to_margin", 2.0, None)
    changes = {"venues.coinm.deleveraging": "fund_drawdown", "venues.coinm.fund_drawdown": 0.5}
    checked = effective(folder, {"venues.coinm.deleveraging": "fund_empty"}, **changes)
    assert checked.venues["coinm"].fund_drawdown is None
    changes = {key: folder.MISSING if value is None else value for key, value in FLOW.items()}
    assert effective(folder, {"run.book": "ladder"}, **changes).flow is None
    problems = check(folder.exchange(), {"run.book": "ladder"})
    assert {problem.key for problem in problems} == {"funding", "populations.book.kind", "venues.binance.haircut",
                                                     "venues.coinm.haircut"}  # fmt: skip


def test_a_wrong_override_is_named_as_such(folder):
    for key, text, words, near in (
        ("stops.suport.level", "7e4", "no stops.suport in the file; it has support", "support"),
        ("calls.retial.level", "2", "the classes are retail, professional", "retail"),
        ("venues.binance.ranking", "fifo", "one of", None),
        ("venues.binance.preset", "bybt", "no such file", "bybit"),
    ):
        problems = check(folder.exchange(), {key: text})
        problem = next(problem for problem in problems if words in problem.allowed)
        assert problem.nearest == near
        assert (problem.file == "command line") == (problem.key == key)


def test_a_stop_can_be_added(folder):
    added = {"stops": '{above = {venue = "coinm", asset = "ETH", side = "short", quantity = 1e6, level = 3500}}'}
    assert list(effective(folder, added).stops) == ["above"]


# ---- the effective text


@pytest.mark.parametrize(
    "changes", [{}, LADDER, FLOW, {"calls": {"level": 2.0}}], ids=["account", "ladder", "flow", "calls for all"]
)
def test_the_effective_text_gives_itself(folder, changes):
    whole = {key: folder.MISSING if value is None else value for key, value in changes.items()}
    text = prepare(folder.exchange(**whole)).text
    assert "preset" not in text
    again = folder.file("again.toml", text)
    assert prepare(again).text == text


def test_the_effective_text_of_a_preset_keeps_its_backstop(folder):
    """Even where all that the preset says of it is the default."""
    folder.file("mine.toml", RULES)
    path = folder.file("preset.toml", to_toml(folder.changed(**{"venues.binance": {"preset": "mine"}})))
    again = folder.file("again.toml", prepare(path).text)
    for each in (path, again):
        assert load(each).venues.backstop is not None
