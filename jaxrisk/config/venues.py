"""The keys of `[venues.*]`, of the rules of a venue file, and of a margin tier."""

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Annotated, Any

from .containers import ColumnNames, ListOf, PerAsset, PerOtherVenue
from .once import made_once
from .problems import Report
from .sections import SHARE, SHARE_TOLERANCE
from .table import ByAsset, Refuse, Table, read_table
from .units import Span
from .values import MOST_USD, Choice, Context, Duration, Flag, Kind, Number, Text

TIER_COLUMNS = ("asset", "floor_usd", "cap_usd", "max_leverage", "maintenance_rate", "maintenance_amount_usd", "tier_rule")
TIER_RULES = ("marginal", "whole")
POLICIES = ("full", "partial", "lower_tier", "to_margin", "takeover")
RANKINGS = ("pro_rata", "binance", "hyperliquid", "bitmex", "minimax_leverage")
TRIGGERS = ("fund_empty", "fund_drawdown", "account_value")
HALT_WINDOW = HALT_LENGTH = Span("5min")
"""Of a halt, where a venue does not say."""

BELONGING = {
    "policy": {"partial": ("first_share", "first_above", "cool_down"), "to_margin": ("margin_target",)},
    "deleveraging": {"fund_drawdown": ("fund_drawdown", "fund_window")},
}
"""By key: words there, and the keys that go with each of them alone."""
HALTS = ("trading", "liquidations")
BREAKER = ("halt_move", "price_band")
"""Keys each of which says that there is a circuit breaker."""
BACKSTOP = ("insurance_fund", "surplus_to_fund", "ranking", "deleveraging", "fund_drawdown", "fund_window")
"""Keys each of which says that there is a backstop."""

_AT_ONCE = [1.0]


class Tier(Table):
    """A margin tier."""

    floor_usd: Annotated[float, Number("notional from which the tier holds", "USD", at_least=0.0)]
    max_leverage: Annotated[float, Number("highest leverage", at_least=1.0, at_most=1e4)]
    maintenance_rate: Annotated[float, Number("maintenance rate", above=0.0, below=1.0)]
    maintenance_amount_usd: Annotated[float | None, Number("deduction that makes the margin continuous", "USD", at_least=0.0)] = (
        None
    )


@dataclass(frozen=True)
class TierSource(Kind):
    """Where a venue's tiers are: a name or path, rows for all assets, or rows by asset; the rows are read elsewhere."""

    @property
    def allowed(self) -> str:
        return "the name of a shipped venue, a path, a list of tiers, or a table of one list for each asset"

    def read(self, value: Any, context: Context) -> Any:
        if not isinstance(value, str | list | dict):
            raise self.refuse(value)
        return value

    def json(self) -> dict[str, Any]:
        rows = {"type": "array", "items": Tier.model_json_schema(by_alias=True)}
        return {"anyOf": [{"type": "string"}, rows, {"type": "object", "additionalProperties": rows}]}


class _Contract(Table):
    preset: Annotated[
        str | None,
        Text("name of a shipped venue, or a path: its tiers and rules, but for the keys given here; the fund starts at 0"),
    ] = None
    tiers: Annotated[Any, TierSource("margin tiers")] = None
    tier_rule: Annotated[
        str | None,
        Choice(
            "whether a tier's rate holds for the part of a position above its floor, by a deduction, or for the whole position; "
            "needed where neither the tiers' file nor their amounts say it",
            TIER_RULES,
        ),
    ] = None
    tier_columns: Annotated[dict[str, str] | None, ColumnNames("names of columns of the tiers' own table", TIER_COLUMNS)] = None
    contract_size: Annotated[
        ByAsset | None,
        PerAsset("coins of a contract, where the tiers count in contracts", Number("", "coins", above=0.0), partial=True),
    ] = None
    maintenance_rate: Annotated[float, Number("maintenance rate where there are no tiers", above=0.0, below=1.0)] = 0.005
    contract: Annotated[str, Choice("margined in USD, or in coin", ("linear", "inverse"))] = "linear"
    engine_time: Annotated[Span, Duration("time constant of the liquidation engine", positive=False)] = Span("0s")
    tranches: Annotated[
        list[float], ListOf("shares of a position closed at each trigger", Number("", above=0.0, at_most=1.0), at_least=1)
    ] = _AT_ONCE

    @property
    def in_tranches(self) -> bool:
        """Whether a position is closed in several tranches."""
        return len(self.tranches) > 1


class Rules(Table):
    """How a venue liquidates and who pays: the `[rules]` of a venue file, and keys of a venue."""

    liquidation_fee: Annotated[float, Number("of liquidated notional", "a fraction", at_least=0.0, below=1.0)] = 0.0
    policy: Annotated[
        str | None,
        Choice(
            "what is closed of a position under maintenance margin: all of it, first_share, so much that the rest is in the tier "
            "below, no more than leaves the rest with margin_target times its margin, or all of it with the surplus to the fund",
            POLICIES,
        ),
    ] = None
    first_share: Annotated[float | None, Number("share closed first, policy partial; by default 0.2", above=0.0, at_most=1.0)] = (
        None
    )
    first_above: Annotated[
        float | None, Number("notional from which that holds, policy partial; by default 1e5", "USD", at_least=0.0)
    ] = None
    cool_down: Annotated[
        Span | None,
        Duration("time after a partial order in which the next closes all, policy partial; by default 30s", positive=False),
    ] = None
    margin_target: Annotated[
        float | None,
        Number("equity over maintenance margin that a close has to leave, policy to_margin; by default 1", at_least=1.0,
               at_most=100.0),
    ] = None  # fmt: skip
    surplus_to_fund: Annotated[
        float | None,
        Number("share of what a liquidation leaves over that goes to the fund; by default 0, with policy takeover 1",
               at_least=0.0, at_most=1.0),
    ] = None  # fmt: skip
    ranking: Annotated[str | None, Choice("in which order the other side is auto-deleveraged; by default pro_rata", RANKINGS)] = (
        None
    )
    deleveraging: Annotated[str | None, Choice("what sets it off; by default fund_empty", TRIGGERS)] = None
    fund_drawdown: Annotated[
        float | None, Number("fall of the fund that sets off fund_drawdown; by default 0.3", "a fraction", above=0.0, at_most=1.0)
    ] = None
    fund_window: Annotated[Span | None, Duration("time within which it falls; by default 8h")] = None


class Venue(Rules, _Contract):
    """A venue and its rules."""

    insurance_fund: Annotated[
        float | None,
        Number(
            "insurance fund at the start; with it, or another key of the backstop, by default 0",
            "USD",
            at_least=0.0,
            at_most=MOST_USD,
        ),
    ] = None
    haircut: Annotated[
        ByAsset | None,
        PerAsset("share of collateral in a coin that does not count; 0 for assets not named, book account", SHARE, partial=True),
    ] = None
    closes_opposite: Annotated[float, Number("share of forced volume that closes the other side", at_least=0.0, at_most=1.0)] = (
        1.0
    )
    arbitrage_half_life: Annotated[Span, Duration("half-life of the venue's own basis")] = Span("1min")
    local_depth: Annotated[
        ByAsset | None,
        PerAsset(
            "depth of the venue's own book; needs two venues", Number("", "USD per unit of log price", above=0.0), partial=True
        ),
    ] = None
    liquidity_leakage: Annotated[
        ByAsset | None,
        PerOtherVenue("share of what is sold on another venue that counts as sold into this one's own book; 0 for venues not "
                      "named; needs two venues and local_depth", SHARE),
    ] = None  # fmt: skip
    index_weight: Annotated[
        float, Number("weight of the index in the venue's mark; needs two venues", at_least=0.0, at_most=1.0)
    ] = 0.0

    halt_move: Annotated[
        float | None,
        Number("move of a mark from its highest or lowest within halt_window at which the venue halts; inf for never",
               "log price",
               above=0.0, may_be_infinite=True),
    ] = None  # fmt: skip
    halt_window: Annotated[Span | None, Duration("window of halt_move, and time constant of price_band; by default 5min")] = None
    halt_length: Annotated[Span | None, Duration("length of a halt; by default 5min", positive=False)] = None
    halts: Annotated[
        str | None, Choice("what stops: all trading there, or its liquidation engine alone; by default trading", HALTS)
    ] = None
    halt_all_venues: Annotated[bool | None, Flag("whether all venues with a halt_length stop with it; by default false")] = None
    price_band: Annotated[
        float | None,
        Number("distance of a mark from its average beyond which the engine sends nothing; inf for none", "log price", above=0.0,
               may_be_infinite=True),
    ] = None  # fmt: skip
    auction: Annotated[
        float | None, Number("share of the backlog sent at once when a halt ends; by default 0: at the engine's pace",
                             at_least=0.0, at_most=1.0),
    ] = None  # fmt: skip
    auction_depth: Annotated[
        float | None, Number("how many times deeper the market is then; by default 1", at_least=1.0, at_most=1e3)
    ] = None

    @classmethod
    def cross(cls, v, refuse: Refuse) -> None:
        for name in ("halt_length", "halts", "halt_all_venues", "auction", "auction_depth"):
            if getattr(v, name, None) is not None and v.halt_move is None:
                refuse(name, getattr(v, name), "goes with halt_move, the move at which the venue halts")
        if getattr(v, "halt_window", None) is not None and v.halt_move is None and v.price_band is None:
            refuse("halt_window", v.halt_window, "goes with halt_move or price_band")
        if v.tranches is not None and abs(math.fsum(v.tranches) - 1.0) > SHARE_TOLERANCE:
            refuse("tranches", v.tranches, f"have to sum to 1; they sum to {math.fsum(v.tranches):g}")
        if v.policy is not None and v.tranches is not None and len(v.tranches) > 1:
            refuse("policy", v.policy, "has to be left out where tranches are given: they say what is closed")

    @property
    def has_breaker(self) -> bool:
        """Whether the venue has a circuit breaker."""
        return any(getattr(self, key) is not None for key in BREAKER)

    @property
    def has_backstop(self) -> bool:
        """Whether the venue says who pays for bankrupt positions."""
        return self.policy == "takeover" or any(getattr(self, key) is not None for key in BACKSTOP)


def belonging(switch: str, words: tuple[str, ...]) -> dict[str, set[str]]:
    """The keys that go with each word at a key of a venue.

    >>> sorted(belonging("deleveraging", ("fund_empty", "fund_drawdown"))["fund_drawdown"])
    ['fund_drawdown', 'fund_window']
    """
    return {word: set(BELONGING[switch].get(word, ())) for word in words}


def read_rules(model: type[Rules], raw: Any, key: str, report: Report, context: Context) -> tuple[Any, SimpleNamespace]:
    """`read_table` for a venue or a file's rules; keys that go with another word than the one given are problems too."""
    return made_once(lambda: _read_rules(model, raw, key, report, context), raw, "rules", model, key, context, report=report)


def _read_rules(model: type[Rules], raw: Any, key: str, report: Report, context: Context) -> tuple[Any, SimpleNamespace]:
    table, v = read_table(model, raw, key, report, context)
    before = len(report.problems)
    for switch, word, keys in ((switch, *own) for switch, words in BELONGING.items() for own in words.items()):
        chosen = getattr(v, switch)
        if chosen == word or (chosen is None and isinstance(raw, dict) and switch in raw):
            continue  # a word that is wrong itself says nothing about the keys
        for name in keys:
            if getattr(v, name) is not None:
                instead = f'; it is "{chosen}"' if chosen else ""
                report.add(f"{key}.{name}", getattr(v, name), f'needs {switch} = "{word}"{instead}')
    return (table if len(report.problems) == before else None), v
