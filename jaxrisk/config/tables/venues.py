"""`[venues.*]`, the `[rules]` of a venue file, and margin tiers."""

import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, PlainSerializer, WrapValidator

from ...units import Span
from .by_name import ByOtherVenue, BySomeAssets, TierColumns
from .table import Table, Wrong
from .values import SHARE_TOLERANCE, USD, BookDepth, Dollars, Duration, LogPrice, Share, SpanOrZero

TierRule = Literal["marginal", "whole"]
Policy = Literal["full", "partial", "lower_tier", "to_margin", "takeover"]
Ranking = Literal["pro_rata", "binance", "hyperliquid", "bitmex", "minimax_leverage"]
Trigger = Literal["fund_empty", "fund_drawdown", "account_value"]
TIER_RULES, POLICIES, RANKINGS, TRIGGERS = (get_args(words) for words in (TierRule, Policy, Ranking, Trigger))
HALT_WINDOW = HALT_LENGTH = Span("5min")
"""Of a halt, where a venue does not say."""

BELONGING = {
    "policy": {"partial": ("first_share", "first_above", "cool_down"), "to_margin": ("margin_target",)},
    "deleveraging": {"fund_drawdown": ("fund_drawdown", "fund_window")},
}
"""By key: words there, and the keys that go with each of them alone."""
BREAKER = ("halt_move", "price_band")
"""Keys each of which says that there is a circuit breaker."""
BACKSTOP = ("insurance_fund", "surplus_to_fund", "ranking", "deleveraging", "fund_drawdown", "fund_window")
"""Keys each of which says that there is a backstop."""

_MaintenanceRate = Annotated[float, Field(gt=0, lt=1)]
_Move = Annotated[float, Field(gt=0, allow_inf_nan=True, json_schema_extra=LogPrice)]
_Part = Annotated[float, Field(gt=0, le=1)]


class Tier(Table):
    """A margin tier."""

    floor_usd: float = Field(ge=0, description="notional from which the tier holds", json_schema_extra=USD)
    max_leverage: float = Field(ge=1, le=1e4, description="highest leverage")
    maintenance_rate: _MaintenanceRate = Field(description="maintenance rate")
    maintenance_amount_usd: float | None = Field(
        None, ge=0, description="deduction that makes the margin continuous", json_schema_extra=USD
    )


def _read_elsewhere(value: Any, _: Any) -> Any:
    """The rows are checked where the venue's tiers are read, since they may be a file's too."""
    if not isinstance(value, str | list | dict):
        raise ValueError("no source of tiers")
    return value


def _as_written(value: Any) -> Any:
    return value


_SOURCE = {"allowed": "the name of a shipped venue, a path, a list of tiers, or a table of one list for each asset"}
TierSource = Annotated[
    str | list[Tier] | dict[str, list[Tier]],
    WrapValidator(_read_elsewhere),
    PlainSerializer(_as_written),
    Field(json_schema_extra=_SOURCE),
]


class _Contract(Table):
    preset: str | None = Field(
        None,
        description="name of a shipped venue, or a path: its tiers and rules, but for the keys given here; the fund starts at 0",
    )
    tiers: TierSource | None = Field(None, description="margin tiers")
    tier_rule: TierRule | None = Field(
        None,
        description="whether a tier's rate holds for the part of a position above its floor, by a deduction, or for the whole "
        "position; needed where neither the tiers' file nor their amounts say it",
    )
    tier_columns: TierColumns | None = Field(None, description="names of columns of the tiers' own table")
    contract_size: BySomeAssets[Annotated[float, Field(gt=0, json_schema_extra={"unit": "coins"})]] | None = Field(
        None, description="coins of a contract, where the tiers count in contracts"
    )
    maintenance_rate: _MaintenanceRate = Field(0.005, description="maintenance rate where there are no tiers")
    contract: Literal["linear", "inverse"] = Field("linear", description="margined in USD, or in coin")
    engine_time: SpanOrZero = Field(Span("0s"), description="time constant of the liquidation engine")
    tranches: list[_Part] = Field([1.0], min_length=1, description="shares of a position closed at each trigger")

    @property
    def in_tranches(self) -> bool:
        """Whether a position is closed in several tranches."""
        return len(self.tranches) > 1


class Rules(Table):
    """How a venue liquidates and who pays: the `[rules]` of a venue file, and keys of a venue."""

    liquidation_fee: float = Field(
        0.0, ge=0, lt=1, description="of liquidated notional", json_schema_extra={"unit": "a fraction"}
    )
    policy: Policy | None = Field(
        None,
        description="what is closed of a position under maintenance margin: all of it, first_share, so much that the rest is in "
        "the tier below, no more than leaves the rest with margin_target times its margin, or all of it with the surplus to the "
        "fund",
    )
    first_share: _Part | None = Field(None, description="share closed first, policy partial; by default 0.2")
    first_above: float | None = Field(
        None, ge=0, description="notional from which that holds, policy partial; by default 1e5", json_schema_extra=USD
    )
    cool_down: SpanOrZero | None = Field(
        None, description="time after a partial order in which the next closes all, policy partial; by default 30s"
    )
    margin_target: float | None = Field(
        None,
        ge=1,
        le=100,
        description="equity over maintenance margin that a close has to leave, policy to_margin; by default 1",
    )
    surplus_to_fund: Share | None = Field(
        None,
        description="share of what a liquidation leaves over that goes to the fund; by default 0, with policy takeover 1",
    )
    ranking: Ranking | None = Field(None, description="in which order the other side is auto-deleveraged; by default pro_rata")
    deleveraging: Trigger | None = Field(None, description="what sets it off; by default fund_empty")
    fund_drawdown: _Part | None = Field(
        None,
        description="fall of the fund that sets off fund_drawdown; by default 0.3",
        json_schema_extra={"unit": "a fraction"},
    )
    fund_window: Duration | None = Field(None, description="time within which it falls; by default 8h")

    def between(self) -> Iterator[Wrong]:
        """Keys that go with another word than the one given."""
        for switch, word, keys in ((switch, *own) for switch, words in BELONGING.items() for own in words.items()):
            chosen = getattr(self, switch)
            if chosen == word or (chosen is None and switch in self.model_fields_set):
                continue  # a word that is wrong itself says nothing about the keys
            for name in keys:
                if getattr(self, name) is not None:
                    instead = f'; it is "{chosen}"' if chosen else ""
                    yield Wrong(name, getattr(self, name), f'needs {switch} = "{word}"{instead}')


class Venue(Rules, _Contract):
    """A venue and its rules."""

    insurance_fund: Dollars | None = Field(
        None, description="insurance fund at the start; with it, or another key of the backstop, by default 0"
    )
    haircut: BySomeAssets[Share] | None = Field(
        None, description="share of collateral in a coin that does not count; 0 for assets not named, book account"
    )
    closes_opposite: Share = Field(1.0, description="share of forced volume that closes the other side")
    arbitrage_half_life: Duration = Field(Span("1min"), description="half-life of the venue's own basis")
    local_depth: BySomeAssets[BookDepth] | None = Field(None, description="depth of the venue's own book; needs two venues")
    liquidity_leakage: ByOtherVenue[Share] | None = Field(
        None,
        description="share of what is sold on another venue that counts as sold into this one's own book; 0 for venues not "
        "named; needs two venues and local_depth",
    )
    index_weight: Share = Field(0.0, description="weight of the index in the venue's mark; needs two venues")

    halt_move: BySomeAssets[_Move] | None = Field(
        None,
        description="move of a mark from its highest or lowest within halt_window at which the venue halts with all its "
        "contracts, inf for never; by asset: each contract halts by itself, one that is not named never",
    )
    halt_window: Duration | None = Field(
        None, description="window of halt_move, and time constant of price_band; by default 5min"
    )
    halt_length: SpanOrZero | None = Field(None, description="length of a halt; by default 5min")
    halts: Literal["trading", "liquidations"] | None = Field(
        None, description="what stops: all trading, or liquidations alone; by default trading"
    )
    halt_all_venues: bool | None = Field(
        None, description="whether the same contracts halt on all venues with a halt_length; by default false"
    )
    price_band: BySomeAssets[_Move] | None = Field(
        None,
        description="distance of a mark from its average beyond which nothing is liquidated on the venue, inf for none; by "
        "asset: each contract by itself",
    )
    auction: Share | None = Field(
        None, description="share of the backlog sent at once when a halt ends; by default 0: at the engine's pace"
    )
    auction_depth: float | None = Field(None, ge=1, le=1e3, description="how many times deeper the market is then; by default 1")

    def between(self) -> Iterator[Wrong]:
        """What goes with a halt, and tranches."""
        for name in ("halt_length", "halts", "halt_all_venues", "auction", "auction_depth"):
            if getattr(self, name) is not None and self.halt_move is None:
                yield Wrong(name, getattr(self, name), "goes with halt_move, the move at which the venue halts")
        if self.halt_window is not None and self.halt_move is None and self.price_band is None:
            yield Wrong("halt_window", self.halt_window, "goes with halt_move or price_band")
        if self.tranches is not None and abs(math.fsum(self.tranches) - 1.0) > SHARE_TOLERANCE:
            yield Wrong("tranches", self.tranches, f"have to sum to 1; they sum to {math.fsum(self.tranches):g}")
        if self.policy is not None and self.tranches is not None and self.in_tranches:
            yield Wrong("policy", self.policy, "has to be left out where tranches are given: they say what is closed")
        yield from super().between()

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
