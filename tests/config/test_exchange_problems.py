"""Bad input for what an exchange does: policies, backstops, calls, stops, funding, flows, books."""

import math

import pytest

REMOVED = "removed"  # stands for a key taken out
FLOW = {"closing_half_life": "10d"}
AS_FLOW = {"run.book": "flow", "flow": FLOW, "populations.book": REMOVED, "calls": REMOVED, "venues.binance.haircut": REMOVED,
           "venues.coinm.haircut": REMOVED}  # fmt: skip
AS_LADDER = AS_FLOW | {"run.book": "ladder", "flow": REMOVED, "funding": REMOVED}
ALONE = {"venues.coinm": REMOVED, "populations.book": REMOVED, "calls": REMOVED, "shock.venue": REMOVED,
         "venues.binance.local_depth": REMOVED, "venues.binance.liquidity_leakage": REMOVED}  # fmt: skip
STOPS = {"venue": "binance", "asset": "BTC", "side": "short", "quantity": 1e8, "level": 9e4}
BINANCE, COINM = "venues.binance", "venues.coinm"
TO_MARGIN = {f"{COINM}.policy": "to_margin", f"{COINM}.first_share": REMOVED}

# changes; key, value as written (None if missing), part of what is allowed, nearest
CASES = [
    # books
    ({"run.book": "acount"}, "run.book", '"acount"', 'one of "ladder", "account", "flow"', "account"),
    ({"run.bridge": "on"}, "run.bridge", '"on"', 'has to be "auto" or "off" with book "account"', None),
    ({"flow": FLOW}, "flow", None, 'needs run.book = "flow"; it is "account"', None),
    (AS_FLOW | {"flow": REMOVED}, "flow", None, 'missing; run.book = "flow" needs [flow]', None),
    (AS_LADDER | {"funding": {"rate": 0.1}}, "funding", None, 'needs run.book = "account" or "flow"; it is "ladder"', None),
    (AS_LADDER | {"flow": FLOW}, "flow", None, 'it is "ladder"', None),
    (AS_LADDER | {"populations.book": {"kind": "cross_accounts", "file": "positions.csv", "collateral": "collateral.csv"}},
     "populations.book.kind", '"cross_accounts"', 'needs run.book = "account"', None),
    (AS_LADDER | {"venues.binance.haircut": 0.1}, "venues.binance.haircut", "0.1", 'needs run.book = "account"', None),
    ({"venues.binance.tranches": [0.5, 0.5]}, "venues.binance.tranches", "[0.5, 0.5]", 'needs run.book = "ladder"', None),
    (AS_FLOW | {"run.owed_by_class": True}, "run.owed_by_class", "true", 'has to be false with book "flow"', None),
    (AS_FLOW | {"run.leverage_buckets": [2.0, 5.0]}, "run.leverage_buckets", "[2.0, 5.0]", "has to be empty with", None),
    ({"run.leverage_buckets": [5.0, 2.0]}, "run.leverage_buckets", "[5.0, 2.0]", "has to rise", None),
    ({"run.leverage_buckets": [0.0, 2.0]}, "run.leverage_buckets.0", "0.0", "above 0", None),
    # policies
    ({f"{COINM}.policy": "partail"}, "venues.coinm.policy", '"partail"', '"to_margin", "takeover"', "partial"),
    ({f"{COINM}.policy": "tranches"}, "venues.coinm.policy", '"tranches"', 'one of "full"', None),
    ({f"{COINM}.first_share": 0.0}, "venues.coinm.first_share", "0.0", "above 0 and at most 1", None),
    ({f"{COINM}.first_share": 1.5}, "venues.coinm.first_share", "1.5", "at most 1", None),
    ({f"{COINM}.first_above": -1.0}, "venues.coinm.first_above", "-1.0", "at least 0 (USD)", None),
    ({f"{COINM}.cool_down": "half a minute"}, "venues.coinm.cool_down", '"half a minute"', "a duration", None),
    ({f"{COINM}.policy": "full"}, "venues.coinm.first_share", "0.25", 'needs policy = "partial"; it is "full"', None),
    ({f"{COINM}.policy": REMOVED}, "venues.coinm.first_share", "0.25", 'needs policy = "partial"', None),
    ({f"{BINANCE}.cool_down": "1min"}, "venues.binance.cool_down", '"1min"', 'needs policy = "partial"; it is "to_margin"', None),
    ({f"{COINM}.policy": "to_margn"}, "venues.coinm.policy", '"to_margn"', '"lower_tier", "to_margin", "takeover"', "to_margin"),
    ({f"{COINM}.policy": "to_margin"}, "venues.coinm.first_share", "0.25", 'needs policy = "partial"; it is "to_margin"', None),
    ({f"{COINM}.margin_target": 1.5}, "venues.coinm.margin_target", "1.5", 'needs policy = "to_margin"; it is "partial"', None),
    (TO_MARGIN | {f"{COINM}.margin_target": 0.99}, "venues.coinm.margin_target", "0.99", "from 1 to 100", None),
    (TO_MARGIN | {f"{COINM}.margin_target": 101.0}, "venues.coinm.margin_target", "101.0", "from 1 to 100", None),
    (TO_MARGIN | {f"{COINM}.margin_target": "enough"}, "venues.coinm.margin_target", '"enough"', "has to be a number", None),
    (TO_MARGIN | {f"{COINM}.margin_targt": 1.5}, "venues.coinm.margin_targt", "1.5", "unknown key", "margin_target"),
    (AS_LADDER | {f"{COINM}.tranches": [0.5, 0.5]}, "venues.coinm.policy", '"partial"', "where tranches are given", None),
    # the backstop
    ({f"{BINANCE}.insurance_fund": -1.0}, "venues.binance.insurance_fund", "-1.0", "from 0 to 1e+15 (USD)", None),
    ({f"{BINANCE}.insurance_fund": math.nan}, "venues.binance.insurance_fund", "nan", "finite", None),
    ({f"{BINANCE}.surplus_to_fund": 1.01}, "venues.binance.surplus_to_fund", "1.01", "from 0 to 1", None),
    ({f"{BINANCE}.ranking": "hyperlquid"}, "venues.binance.ranking", '"hyperlquid"', '"minimax_leverage"', "hyperliquid"),
    ({f"{BINANCE}.deleveraging": "fund_empy"}, "venues.binance.deleveraging", '"fund_empy"', '"account_value"', "fund_empty"),
    ({f"{BINANCE}.fund_drawdown": 0.5}, "venues.binance.fund_drawdown", "0.5", 'needs deleveraging = "fund_drawdown"', None),
    ({f"{COINM}.fund_window": "8h"}, "venues.coinm.fund_window", '"8h"', 'needs deleveraging = "fund_drawdown"', None),
    ({f"{BINANCE}.deleveraging": "fund_drawdown", f"{BINANCE}.fund_drawdown": 0.0}, "venues.binance.fund_drawdown", "0.0",
     "above 0 and at most 1", None),
    ({f"{BINANCE}.deleveraging": "fund_drawdown", f"{BINANCE}.fund_window": "0h"}, "venues.binance.fund_window", '"0h"',
     "above zero", None),
    ({f"{BINANCE}.insurance_fnd": 5.0}, "venues.binance.insurance_fnd", "5.0", "unknown key", "insurance_fund"),
    # collateral and books of venues
    ({f"{BINANCE}.haircut": 1.2}, "venues.binance.haircut", "1.2", "from 0 to 1", None),
    ({f"{BINANCE}.haircut": {"BTX": 0.1}}, "venues.binance.haircut.BTX", "0.1", "unknown asset", "BTC"),
    ({f"{BINANCE}.liquidity_leakage": {"coinn": 0.1}}, "venues.binance.liquidity_leakage.coinn", "0.1", "unknown venue", "coinm"),
    ({f"{BINANCE}.liquidity_leakage": {"coinm": -0.1}}, "venues.binance.liquidity_leakage.coinm", "-0.1", "from 0 to 1", None),
    ({f"{BINANCE}.liquidity_leakage": {"binance": 0.1}}, "venues.binance.liquidity_leakage.binance", "0.1", "other venues", None),
    ({f"{COINM}.liquidity_leakage": 0.1}, "venues.coinm.liquidity_leakage", "0.1", "needs local_depth", None),
    (ALONE | {f"{BINANCE}.liquidity_leakage": 0.1}, "venues.binance.liquidity_leakage", "0.1", "needs a second venue", None),
    # halts, of a venue and of each contract by itself
    ({f"{BINANCE}.halt_move": {"BTX": 0.1}}, "venues.binance.halt_move.BTX", "0.1", "unknown asset; the assets are BTC, ETH, NDX",
     "BTC"),
    ({f"{BINANCE}.halt_move": {"BTC": -0.1}}, "venues.binance.halt_move.BTC", "-0.1", "a number above 0 (log price)", None),
    ({f"{BINANCE}.halt_move": 0.0}, "venues.binance.halt_move", "0.0", "a number above 0 (log price)", None),
    ({f"{BINANCE}.halt_move": "7%"}, "venues.binance.halt_move", '"7%"', "a number above 0 (log price)", None),
    ({f"{BINANCE}.price_band": {"ETH": "wide"}}, "venues.binance.price_band.ETH", '"wide"', "a number above 0 (log price)", None),
    ({f"{BINANCE}.halt_mve": {"BTC": 0.1}}, "venues.binance.halt_mve", "{BTC = 0.1}", "unknown key", "halt_move"),
    ({f"{BINANCE}.price_band": 0.1, f"{BINANCE}.halt_length": "5min"}, "venues.binance.halt_length", '"5min"',
     "goes with halt_move", None),
    # presets
    ({f"{BINANCE}.preset": "binanse"}, "venues.binance.preset", '"binanse"', "no such file", "binance"),
    ({f"{BINANCE}.preset": 5}, "venues.binance.preset", "5", "has to be text", None),
    ({f"{COINM}.preset": "bybit"}, "venues.coinm.preset", '"bybit"', "has no tiers for ETH, which is traded there", None),
    ({"shock.pass_through": 1.5}, "shock.pass_through", "1.5", "from 0 to 1", None),
    ({"shock.venue": REMOVED, "shock.pass_through": 0.5}, "shock.pass_through", "0.5", "without shock.venue", None),
    # margin calls
    ({"calls": {"level": 1.0}}, "calls.level", "1.0", "above 1", None),
    ({"calls": {"level": math.inf}}, "calls.level", "inf", "finite", None),
    ({"calls": {"level": 1.5, "top_up": 0.6, "reduce": 0.5}}, "calls.reduce", "0.5", "at most 1; it is 1.1", None),
    ({"calls": {"top_up": 0.6}}, "calls.level", None, "missing; needs a number above 1", None),
    ({"calls": {"level": 1.5, "topup": 0.6}}, "calls.topup", "0.6", "unknown key", "top_up"),
    ({"calls.retail.reduce": -0.1}, "calls.retail.reduce", "-0.1", "from 0 to 1", None),
    ({"calls.retial": {"level": 2.0}}, "calls.retial", "{level = 2.0}", "the classes are retail, professional", "retail"),
    ({"calls.level": 2.0}, "calls.level", "2.0", "in each of the tables [calls.CLASS]", None),
    ({"calls": 1.5}, "calls", "1.5", "a table with level", None),
    # stops
    ({"stops.support.level": 80000.0}, "stops.support.level", "80000.0",
     "below the price of BTC at the start, 80000 (USD), for stops of longs", None),
    ({"stops.support.side": "short"}, "stops.support.level", "75000.0", "above the price of BTC at the start", None),
    ({"stops.support.side": "lng"}, "stops.support.side", '"lng"', 'one of "long", "short"', "long"),
    ({"stops.support.side": "both"}, "stops.support.side", '"both"', 'one of "long", "short"', None),
    ({"stops.support.asset": "BTX"}, "stops.support.asset", '"BTX"', "which are BTC, ETH, NDX", "BTC"),
    ({"stops.support.venue": "binanse"}, "stops.support.venue", '"binanse"', "which are binance, coinm", "binance"),
    ({"stops.support.quantity": -1.0}, "stops.support.quantity", "-1.0", "from 0 to 1e+15 (USD)", None),
    ({"stops.support.level": math.nan}, "stops.support.level", "nan", "finite", None),
    ({"stops.support.width": -0.1}, "stops.support.width", "-0.1", "from 0 to 3 (log price)", None),
    ({"stops.support.quantity": REMOVED}, "stops.support.quantity", None, "missing; needs a number from 0 to 1e+15 (USD)", None),
    ({"stops": 5}, "stops", "5", "tables [stops.NAME]", None),
    ({"stops.a/b": STOPS}, "stops.a/b", '{venue = "binance", asset = "BTC", side = "short", quanti...',
     "letters, digits, _ and -", None),
    # funding and flows
    ({"funding.rate": {"BTX": 0.1}}, "funding.rate.BTX", "0.1", "unknown asset", "BTC"),
    ({"funding.rate": "10%"}, "funding.rate", '"10%"', "a number from -50 to 50 (of notional, a year)", None),
    ({"funding.rate": REMOVED}, "funding.rate", None, "missing", None),
    ({"funding.trend_sensitivty": 1.0}, "funding.trend_sensitivty", "1.0", "unknown key", "trend_sensitivity"),
    (AS_FLOW | {"flow": {}}, "flow.closing_half_life", None, "missing; needs a duration", None),
    (AS_FLOW | {"flow": FLOW | {"volume_elasticity": 1.0}}, "flow.reference_volatility", None,
     "missing; needs the volatility to which volume_elasticity refers", None),
    (AS_FLOW | {"flow": FLOW | {"leverage_elasticity": {"BTC": 0, "ETH": 1, "NDX": 0}}}, "flow.reference_volatility", None,
     "to which leverage_elasticity refers", None),
    (AS_FLOW | {"flow": FLOW | {"opening_rate": -1.0}}, "flow.opening_rate", "-1.0", "a year", None),
    (AS_FLOW | {"flow": FLOW | {"half_life": "0d"}}, "flow.half_life", '"0d"', "above zero", None),
    (AS_FLOW | {"flow": FLOW | {"volume_trend": 3}}, "flow.volume_trend", "3", "a duration", None),
    (AS_FLOW | {"flow": FLOW | {"levels": 8}}, "flow.levels", "8", "a whole number from 32", None),
    (AS_FLOW | {"flow": FLOW | {"width": 0.0}}, "flow.width", "0.0", "above 0", None),
    # impact, shock, channels
    ({"impact.common_holders": {"BTC->NDY": 0.1}}, "impact.common_holders.BTC->NDY", "0.1", "two of the assets", "BTC->NDX"),
    ({"impact.common_holders": {"BTC->BTC": 0.1}}, "impact.common_holders.BTC->BTC", "0.1", "two of the assets", "ETH->BTC"),
    ({"impact.common_holders": {"BTC->NDX": 11}}, "impact.common_holders.BTC->NDX", "11", "from 0 to 10", None),
    ({"impact.common_holders": [[0, 0, 0], [0, 1, 0], [0, 0, 0]]}, "impact.common_holders", "[[0, 0, 0], [0, 1, 0], [0, 0, 0]]",
     "zeros on its diagonal", None),
    ({"shock.venue": "binanse"}, "shock.venue", '"binanse"', "which are binance, coinm", "binance"),
    (ALONE | {"shock.venue": "binance"}, "shock.venue", '"binance"', "needs a second venue", None),
    ({f"{BINANCE}.index_weight": 1.0}, "shock.venue", '"binance"', "no effect: the venue's mark is the index", None),
    ({"channels.stops": 1.1}, "channels.stops", "1.1", "from 0 to 1", None),
    ({"channels.deleverging": 0.5}, "channels.deleverging", "0.5", "unknown key", "deleveraging"),
    ({"channels.common_holders": -1}, "channels.common_holders", "-1", "from 0 to 1", None),
]  # fmt: skip


def normalised(folder, changes):
    return {key: folder.MISSING if value is REMOVED else value for key, value in changes.items()}


@pytest.mark.parametrize("changes", [{}, AS_FLOW, AS_LADDER, ALONE], ids=["account", "flow", "ladder", "one venue"])
def test_the_valid_scenarios_have_no_problems(folder, changes):
    assert [str(problem) for problem in folder.exchange_problems(**normalised(folder, changes))] == []


@pytest.mark.parametrize(
    ("changes", "key", "value", "allowed", "near"), CASES, ids=lambda item: item if isinstance(item, str) else ""
)
def test_a_problem_is_named_and_alone(folder, changes, key, value, allowed, near):
    """One line for one mistake: key, value as written, what is allowed, and the nearest spelling."""
    problems = folder.exchange_problems(**normalised(folder, changes))
    assert [problem.key for problem in problems] == [key], [str(problem) for problem in problems]
    problem = problems[0]
    assert allowed in problem.allowed
    assert (problem.value, problem.nearest) == (value, near)
    line = str(problem)
    assert line.startswith(f"{folder.path / 'exchange.toml'}: {key}" + ("" if value is None else f" = {value}") + ": ")
    assert "\n" not in line


def test_all_problems_at_once(folder):
    """Eleven mistakes in nine sections."""
    problems = folder.exchange_problems(
        **{
            "run.bridge": "on",
            "shock.venue": "kraken",
            "impact.common_holders": {"BTC->NDX": 50.0},
            "channels.calls": 2,
            "venues.binance.insurance_fund": -5.0,
            "venues.binance.ranking": "fifo",
            "venues.coinm.liquidity_leakage": 0.5,
            "calls.retail.level": 0.9,
            "stops.support.level": 9e4,
            "funding.rate": "high",
            "populations.crowd.median": -1.0,
        }
    )
    assert {problem.key for problem in problems} == {
        "run.bridge", "shock.venue", "impact.common_holders.BTC->NDX", "channels.calls", "venues.binance.insurance_fund",
        "venues.binance.ranking", "venues.coinm.liquidity_leakage", "calls.retail.level", "stops.support.level", "funding.rate",
        "populations.crowd.median",
    }  # fmt: skip
    assert len(problems) == 11


def test_shares_of_a_call_may_sum_to_one(folder):
    assert folder.exchange_problems(**{"calls.retail.top_up": 0.9, "calls.retail.reduce": 0.1}) == []
    assert folder.exchange_problems(**{"calls.retail.top_up": 0.7, "calls.retail.reduce": 0.3}) == []


def test_an_asset_without_a_population_is_allowed(folder):
    """NDX falls by what common holders sell; nobody holds it with leverage."""
    assert "NDX" not in folder.EXCHANGE.split("[populations")[1]
    assert folder.exchange_problems() == []
