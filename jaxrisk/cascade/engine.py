"""From a scenario, a seed and path indices to per-path losses: the unit of everything."""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._leaf import Array
from ..positions import NODES, ByClass, Calls, Closing, Nodes, build_book, build_schedule
from .noise import seed_key
from .over_paths import over_paths
from .source import AbstractSource, Counters
from .state import Prepared, State, view
from .step import start, step
from .vectors import compiled

COUNTERS = Counters()


class Recorded(NamedTuple):
    """A path step by step, each entry after that step; shapes as in `State`."""

    price: Float[Array, " assets"]
    fundamental: Float[Array, " assets"]
    mark: Float[Array, "venues assets"]
    open_interest: Float[Array, "venues assets"]


def prepare(scenario, dtype=jnp.float32, nodes: Nodes = NODES) -> Prepared:
    """Build the book and everything else that does not change along a path, in one precision.

    Differentiable in every leaf of the scenario; `nodes` says how finely distributions of positions are cut. Only the bare
    scenario gets into it: what is compiled for one serves all that differ in words or numbers.
    """
    return _prepare(scenario.bare(), np.dtype(dtype), nodes)


@eqx.filter_jit
def _prepare(scenario, dtype, nodes: Nodes) -> Prepared:
    scenario = scenario.cast(dtype)
    settings, impact, venues = scenario.settings, scenario.impact, scenario.venues
    years = jnp.asarray(settings.years_per_step, dtype)
    cast = lambda x: jnp.asarray(x, dtype) if jnp.issubdtype(jnp.asarray(x).dtype, jnp.floating) else x
    book, edges = jax.tree.map(cast, _book(scenario, nodes)), settings.leverage_buckets
    by_leverage = jax.tree.map(cast, _book(scenario, nodes, edges)) if edges and scenario.book != "flow" else None
    weight = settings.index_weight
    if weight is None:
        held = jnp.sum(book.open_interest(book.init())[..., 0], axis=0)
        total = jnp.sum(held)
        weight = jnp.where(total > 0.0, held / jnp.where(total > 0.0, total, 1.0), 1.0 / held.shape[0])
    instantaneous = venues.engine_time <= 0.0
    pace = years / settings.rounds / jnp.where(instantaneous, 1.0, venues.engine_time)
    return Prepared(
        scenario=scenario,
        book=book,
        market=scenario.market.prepare(years),
        depth=None if scenario.depth is None else scenario.depth.prepare(years),
        decay=jnp.exp(-impact.relaxation_rate * years),
        basis_decay=jnp.exp(-venues.arbitrage_rate * years),
        engine_share=jnp.where(instantaneous, 1.0, -jnp.expm1(-pace)),
        index_weight=jnp.asarray(weight, dtype),
        newest=_newest(scenario, years),
        pace=None if impact.temporary is None else impact.temporary.weights(years),
        by_leverage=by_leverage,
    )


def _book(scenario, nodes: Nodes, leverage: tuple[float, ...] = ()):
    """The scenario's positions in the representation that it asks for; `leverage`: buckets in place of classes."""
    venues, assets = scenario.venues.local_impact.shape
    contracts, channels, calls = scenario.venues.contracts(), scenario.channels, scenario.calls
    schedule = build_schedule(list(scenario.stops.values()), scenario.price, (venues, assets, 2), scenario.grid, channels.stops)
    if calls is not None:
        calls = Calls(calls.level, calls.top_up * channels.calls, calls.reduce * channels.calls)
    return build_book(
        scenario.book,
        list(scenario.populations.values()),
        contracts,
        scenario.limits,
        scenario.price,
        len(scenario.names.classes),
        scenario.grid,
        calls=calls,
        schedule=schedule,
        backstop=scenario.venues.backstop is not None,
        funding=scenario.funding,
        flow=scenario.flow,
        # an hour's new positions at a time: what a step of a minute would cost most is laying them down
        every=scenario.settings.steps_an_hour,
        nodes=nodes,
        owing=scenario.settings.owed_by_class and not leverage,
        leverage=leverage,
        halts=scenario.venues.breaker is not None,
    )


def _newest(scenario, years):
    """Weight of the newest return in realised volatility and trend; None where nobody looks at them."""
    if scenario.flow is None and scenario.funding is None:
        return None
    half_life = 7.0 / 365.0 if scenario.flow is None else scenario.flow.half_life
    return -jnp.expm1(-jnp.log(2.0) * years / half_life)


def outcome(prepared: Prepared, state: State) -> dict[str, Array]:
    """What a finished path is summarised by; names, shapes and units are those of a result's variables.

    `liquidated_by_class` splits what was liquidated on a venue, asset and side as the classes share what was triggered there,
    valued at the trigger: exact in total, approximate in split while a backlog is left or holders have closed voluntarily.
    """
    scenario, seen, book = prepared.scenario, state.seen, prepared.book
    years = jnp.asarray(scenario.settings.years_per_step, prepared.decay.dtype)
    single = prepared.decay.shape[0] == 1
    pick = lambda index, asset: jax.tree.map(lambda x: x[0], asset) if single else index
    index, without = pick(seen.index, seen.asset), pick(seen.index_without, seen.asset_without)
    held = book.open_interest(book.init())[..., 0]
    left = book.open_interest(state.book)[..., 0]
    total = jnp.sum(held)
    lost = jnp.sum(held - left)
    by_class = seen.notional[..., None] * book.class_shares(state.book, view(state, jnp.int32(scenario.settings.steps)))
    losses = {
        "max_drawdown_index": index.fraction(),
        "time_to_trough_index": index.trough * years,
        "max_drawdown": seen.asset.fraction(),
        "time_to_trough": seen.asset.trough * years,
        "max_drawdown_no_feedback_index": without.fraction(),
        "max_drawdown_no_feedback": seen.asset_without.fraction(),
        "amplification_index": index.fraction() - without.fraction(),
        "open_interest_loss_usd": lost,
        "open_interest_loss_fraction": lost / jnp.where(total > 0.0, total, 1.0),
        "open_interest_loss": held - left,
        "liquidated_notional": seen.notional,
        "liquidated_by_class": jnp.sum(by_class, axis=(0, 1, 2)),
        "peak_minute_liquidation": seen.peak,
        "log_return": state.price,
        "lowest_log_price": seen.lowest,
    }
    support = scenario.settings.support
    if support is not None:
        below = -jnp.expm1(jnp.minimum(seen.lowest - support, 0.0))
        losses["support_overshoot"] = jnp.where(jnp.isfinite(support), below, 0.0)
        losses["support_broken"] = (seen.lowest < support).astype(below.dtype)
    losses |= _accounts(prepared, state, by_class)
    return losses | _by_leverage(prepared, state) | _exchange(prepared, state, lost)


def _accounts(prepared: Prepared, state: State, by_class) -> dict[str, Array]:
    """What liquidations did to accounts, by class; how each book counts is said in `positions/by_class.py` and its own docstring.

    Where a scenario has no backstop nobody says what becomes of what is left of a liquidated position: it counts as lost.

    **Arguments:** `by_class`: liquidated notional, shape `(venues, assets, sides, classes)`.
    """
    found = _counted(prepared, state, prepared.book, by_class)
    fund, some = state.fund, jnp.where(found.total > 0.0, found.total, 1.0)
    losses = {
        "accounts_closed_out": found.closed_out,
        "accounts_closed_out_share": found.closed_out / some,
        "accounts_closed_out_by_side": found.by_side,
        "collateral_lost": found.lost,
    }
    if fund is not None and found.fees is not None:
        losses["fees_paid"] = found.fees
    if found.negative is not None:
        losses |= {"negative_balances": found.negative, "negative_balance_usd": found.owed}
    losses |= _owed(state, found.closed_out)
    if found.half_lost is not None:
        losses["accounts_half_lost_share"] = found.half_lost / some
    return losses


def _by_leverage(prepared: Prepared, state: State) -> dict[str, Array]:
    """The same by the leverage that accounts begin with, of all classes together; nothing where nobody asks."""
    book = prepared.by_leverage
    if book is None:
        return {}
    if prepared.scenario.book == "ladder":
        shares = book.class_shares(state.book, view(state, jnp.int32(prepared.scenario.settings.steps)))
        by_bucket = state.seen.notional[..., None] * shares
    else:  # what was handed back is known account by account
        by_bucket = state.seen.notional[..., None]
    found = _counted(prepared, state, book, by_bucket)
    return {
        "accounts_closed_out_by_leverage": found.closed_out,
        "accounts_closed_out_share_by_leverage": found.closed_out / jnp.where(found.total > 0.0, found.total, 1.0),
        "collateral_lost_by_leverage": found.lost,
    }


def _counted(prepared: Prepared, state: State, book, by_class) -> ByClass:
    """A book's count of accounts at the end of a path; `by_class`: liquidated notional, as of `_accounts`."""
    scenario, fund = prepared.scenario, state.fund
    backstop, inverse = scenario.venues.backstop, jnp.asarray(scenario.venues.inverse)[:, None]
    waiting = getattr(getattr(state.book, "ladder", state.book), "backlog", None)
    triggered = state.seen.notional
    if waiting is not None:
        triggered = triggered + waiting * jnp.where(inverse, 1.0, jnp.exp(state.mark))[..., None]
    of_venue = jnp.sum(state.seen.notional, axis=(1, 2), keepdims=True)
    if "deleveraged" in state.seen.sums:
        share = state.seen.notional / jnp.where(of_venue > 0.0, of_venue, 1.0)
        triggered = triggered + share * state.seen.sums["deleveraged"][:, None, None]
    weight = jnp.sum(by_class, axis=(1, 2))
    closing = Closing(
        triggered=triggered,
        share=weight / jnp.where(of_venue > 0.0, of_venue, 1.0)[..., 0],
        kept=jnp.ones_like(of_venue[:, 0, 0]) if backstop is None else jnp.asarray(backstop.surplus_to_fund),
        returned=jnp.zeros_like(of_venue[:, 0, 0]) if fund is None else fund.returned,
    )
    return book.accounts(state.book, view(state, jnp.int32(scenario.settings.steps)), closing)


def _owed(state: State, closed_out) -> dict[str, Array]:
    """By class what is owed beyond the collateral, and who paid it; nothing where that is not followed.

    A ladder counts who is `closed_out` at the end and who is negative round by round, and of both knows only about how many had
    left before: no more are negative than closed out.

    What running sums have lost to rounding goes to classes as they were paid for, so that they add up to what each payer paid.
    """
    sums, fund = state.seen.sums, state.fund
    if "paid_by_class" not in sums or fund is None:
        return {}
    by_class = sums["paid_by_class"]
    size = jnp.abs(by_class)
    total = jnp.sum(size, axis=-1, keepdims=True)
    missing = jnp.stack([fund.used, fund.forgone, fund.socialised]) - jnp.sum(by_class, axis=-1)
    by_class = jnp.sum(by_class + missing[..., None] * size / jnp.where(total > 0.0, total, 1.0), axis=1)
    names = ("insurance_fund_used_by_class", "deleveraging_loss_by_class", "socialised_loss_by_class")
    losses = dict(zip(names, by_class, strict=True))
    if "negative" in sums:
        negative = jnp.minimum(jnp.sum(sums["negative"], axis=0), closed_out)
        losses |= {"negative_balances": negative, "negative_balance_usd": jnp.sum(by_class, axis=0)}
    return losses


def _exchange(prepared: Prepared, state: State, lost) -> dict[str, Array]:
    """What backstop, margin calls, stop orders, common holders and several venues add to the outcome."""
    sums, losses = state.seen.sums, {}
    for name in ("stopped", "reduced", "deleveraged"):
        if name in sums:
            losses[f"{name}_notional"] = sums[name]
    if "lost_liquidated" in sums:
        causes = jnp.stack([sums[f"lost_{cause}"] for cause in ("liquidated", "stopped", "reduced", "deleveraged")])
        flows = lost - jnp.sum(causes) if prepared.scenario.book == "flow" else 0.0 * lost
        losses["open_interest_loss_by_cause"] = jnp.append(causes, flows)
    if prepared.scenario.calls is not None:
        losses["margin_called"] = prepared.book.margin_called(state.book)
    fund = state.fund
    if fund is not None:
        losses |= {
            "insurance_fund_used": fund.used,
            "insurance_fund_change": fund.fees + fund.surplus - fund.used,
            "shortfall": fund.used + fund.forgone + fund.socialised,
            "deleveraging_loss": fund.forgone,
            "socialised_loss": fund.socialised,
            "liquidation_fees": fund.fees,
            "surplus_to_fund": fund.surplus,
        }
    if "common" in sums:
        losses["common_holder_sales"] = sums["common"]
    if "moved" in sums:
        losses["moved_by"] = sums["moved"]
    return losses


def path_losses(
    prepared: Prepared, key, paths: Any, source: AbstractSource = COUNTERS, *, checkpoint: bool = False
) -> dict[str, Float[Array, "paths ..."]]:
    """Losses of the given paths: a pure, differentiable function of the prepared scenario, the key and the indices.

    **Arguments:** `prepared`: from `prepare`; `key`: from `seed_key`; `paths`: uint32 indices, shape `(paths,)`, or what the
    `source` of the noise takes instead; `checkpoint`: keep only every root-of-the-number-th state for a reverse pass and
    compute the steps between once more, so that its memory grows with the root of the number of steps.
    """
    (final, memory), _ = scan_paths(prepared, key, paths, source, checkpoint=checkpoint)
    return jax.vmap(lambda state, seen: outcome(prepared, state) | source.losses(seen))(final, memory)


def of_one_path(prepared: Prepared, key, source: AbstractSource):
    """How a path begins, `begin(path)`, and goes on, `advance(state, memory, path, index)`: each gives its state and what the
    source remembers. The drivers differ in how they do this for many paths."""

    def begin(path):
        first, memory = source.start(prepared, key, path)
        return start(prepared, first), memory

    def advance(state, memory, path, index):
        noise, memory = source.step(prepared, key, path, memory, index)
        return step(prepared, state, noise, index), memory

    return begin, advance


def scan_paths(prepared: Prepared, key, paths: Any, source: AbstractSource = COUNTERS, emit=None, *, checkpoint: bool = False):
    """Step all paths to the end: `((final states, what the source remembers), emitted)`.

    **Arguments:** as for `path_losses`; `emit`: a function of all states, whose results are stacked over steps.
    """

    begin, advance = of_one_path(prepared, key, source)
    every = over_paths(advance, book_numbers(prepared))
    apart = every.inward(paths)

    def body(carry, index):
        carry = every(*carry, apart, common=(index,))
        return carry, None if emit is None else emit(every.outward(carry[0]))

    steps = prepared.scenario.settings.steps
    indices, carry = jnp.arange(steps, dtype=jnp.int32), every.inward(jax.vmap(begin)(paths))
    if not checkpoint:
        carry, emitted = jax.lax.scan(body, carry, indices)
        return every.outward(carry), emitted
    segment = math.isqrt(steps)
    whole = steps // segment * segment
    inner = jax.checkpoint(lambda carry, indices: jax.lax.scan(body, carry, indices))
    carry, emitted = jax.lax.scan(inner, carry, indices[:whole].reshape(-1, segment))
    carry, rest = inner(carry, indices[whole:])
    joined = jax.tree.map(lambda a, b: jnp.concatenate([a.reshape(whole, *a.shape[2:]), b]), emitted, rest)
    return every.outward(carry), joined


def book_numbers(prepared: Prepared) -> int:
    """How many a path's book holds."""
    return sum(math.prod(x.shape) for x in jax.tree.leaves(jax.eval_shape(prepared.book.init)))


def _record(prepared: Prepared, state: State) -> Recorded:
    held = prepared.book.open_interest(state.book)[..., 0]
    return Recorded(state.price, state.fundamental, state.mark, held)


@compiled
def run_block(prepared: Prepared, key, paths, source: AbstractSource = COUNTERS):
    """`path_losses`, compiled. A block's length is fixed in a run, so that every path goes through the same instructions
    whatever the chunk it is in: the same bits."""
    return path_losses(prepared, key, paths, source)


@eqx.filter_jit
def record_block(prepared: Prepared, key, paths, record: int, source: AbstractSource = COUNTERS) -> Recorded:
    """The first `record` of the given paths step by step, arrays `(steps, record, ...)`."""

    def emit(states):
        kept = jax.tree.map(lambda x: x[:record], states)
        return jax.vmap(lambda state: _record(prepared, state))(kept)

    return scan_paths(prepared, key, paths, source, emit)[1]


__all__ = [
    "Prepared",
    "Recorded",
    "book_numbers",
    "of_one_path",
    "outcome",
    "path_losses",
    "prepare",
    "record_block",
    "run_block",
    "scan_paths",
    "seed_key",
]
