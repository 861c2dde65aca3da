"""The drawn markets in the package's own terms, and its walk along a path."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxrisk.cascade import (
    Breaker,
    Channels,
    Depth,
    Impact,
    LinearImpact,
    PowerImpact,
    TableImpact,
    TemporaryImpact,
    Venues,
    prepare,
    seed_key,
)
from jaxrisk.cascade.backstop import Backstop
from jaxrisk.cascade.engine import outcome
from jaxrisk.cascade.source import draw
from jaxrisk.cascade.step import start, step
from jaxrisk.market import Replay, Shock
from jaxrisk.positions import Accounts, Calls, Flow, Funding, Grid, Policy, Stops, Tiers
from jaxrisk.positions.cross import CrossAccounts
from jaxrisk.positions.population import NODES
from jaxrisk.scenario import Names, Scenario, Settings

from . import event_engine as oracle
from .cross_engine import CrossAccount
from .draws import STEPS, Frame


def isolated(setup: oracle.Setup) -> dict:
    """The isolated accounts as a population of the package."""
    of_account = lambda name: np.array([getattr(a, name) for a in setup.accounts if isinstance(a, oracle.Account)])
    names = ("quantity", "entry_price", "collateral", "venue", "asset", "side", "account_class")
    return {"accounts": Accounts(**{name: of_account(name) for name in names})}


def joined(setup: oracle.Setup) -> dict:
    """The accounts under cross margin as a population of the package."""
    accounts = [a for a in setup.accounts if isinstance(a, CrossAccount)]
    rows = [(i, v, a, *held) for i, account in enumerate(accounts) for (v, a), held in account.positions.items()]
    account, venue, asset, size, entry = (np.array(column) for column in zip(*rows, strict=True))
    inverse = np.array([v.inverse for v in setup.venues])[venue]
    of_account = lambda name: np.array([getattr(a, name) for a in accounts])
    population = CrossAccounts(
        quantity=np.abs(size) / np.where(inverse, entry, 1.0),
        entry_price=entry,
        account=account,
        venue=venue,
        asset=asset,
        side=np.where(size < 0.0, -1, 1),
        cash=of_account("cash"),
        coins=np.array([[a.coins[i] for i in range(len(setup.price))] for a in accounts]),
        account_class=of_account("account_class"),
        home=of_account("home"),
        weight=of_account("weight"),
    )
    return {"cross": population}


def scenario_of(frame: Frame, setup: oracle.Setup, numbers: list, grid: Grid) -> Scenario:
    """The same market for the package."""
    column = lambda i: np.array([row[i] for row in numbers])
    law = {
        "linear": lambda: LinearImpact(column(0)),
        "power": lambda: PowerImpact(column(0), column(1), column(2), column(3)),
        "table": lambda: TableImpact(column(0), column(1)),
    }[frame.law]()
    levels = max(len(table) for table in frame.tiers)
    padded = np.array([[table + [table[-1]] * (levels - len(table))] * frame.assets for table in frame.tiers])
    of_venue = lambda name: np.array([getattr(v, name) for v in setup.venues])
    rule, channels = setup.depth, setup.channels
    return Scenario(
        market=Replay(setup.fundamental),
        shock=_shock(setup.shock),
        impact=Impact(
            law, setup.relaxation_rate, setup.permanent_share, setup.cross, setup.common_holders, _temporary(setup.temporary)
        ),
        venues=Venues(
            engine_time=of_venue("engine_time"),
            liquidation_fee=of_venue("fee"),
            closes_opposite=of_venue("closes_opposite"),
            arbitrage_rate=of_venue("arbitrage_rate"),
            local_impact=of_venue("local_impact"),
            index_weight=of_venue("index_weight"),
            tiers=Tiers(*np.moveaxis(padded, -1, 0), tuple("whole" if whole else "marginal" for whole in frame.whole)),
            tranches=frame.tranches,
            inverse=frame.inverse,
            liquidity_leakage=setup.leakage,
            haircut=np.array([v.haircut for v in setup.venues]) if setup.venues[0].haircut else None,
            policy=_policy(frame, of_venue),
            backstop=_backstop(frame, setup),
            breaker=_breaker(setup),
        ),
        populations=isolated(setup) | (joined(setup) if frame.cross else {}),
        funding=Funding(np.array(setup.funding_rate), np.array(setup.funding_trend)) if frame.funding else None,
        price=setup.price,
        settings=Settings(horizon=STEPS * frame.years_per_step, steps=STEPS, rounds=frame.rounds),
        depth=None
        if rule is None
        else Depth(rule.exponent, rule.reference_volatility, rule.measurement_rate, rule.recovery_rate, rule.floor),
        channels=Channels(
            channels.feedback, channels.depth, channels.stops, channels.calls, channels.deleveraging, channels.common_holders
        ),
        calls=_calls(setup.calls),
        stops={
            f"stop {i}": Stops(np.array(s.quantity), np.array(s.level), np.array(0.0), s.venue, s.asset, s.side)
            for i, s in enumerate(setup.stops)
        },
        book=frame.book,
        flow=_flow(frame, setup) if frame.book == "flow" else None,
        names=Names(tuple("VW"[: frame.venues]), tuple("ABC"[: frame.assets]), ("all", "others")),
        grid=grid,
    )


def _temporary(rows):
    return None if rows is None else TemporaryImpact(*np.array(rows).T)


def _shock(shock):
    if shock is None:
        return None
    return Shock(np.array(shock.size), np.array(shock.window), np.array(shock.at), venue=shock.venue)


def _calls(calls):
    return None if calls is None else Calls(*(np.array([getattr(c, n) for c in calls]) for n in ("level", "top_up", "reduce")))


def _flow(frame: Frame, setup: oracle.Setup) -> Flow:
    each = np.ones(frame.assets)
    rate = frame.flow / setup.years_per_step
    rates = (0.7 * rate, rate, 0.8, 0.5, 0.3, 0.01, -0.01)
    return Flow(*(value * each for value in rates), width=0.004, levels=512)


def _policy(frame: Frame, of_venue):
    if not frame.policy:
        return None
    return Policy(
        of_venue("first_share"), of_venue("first_above"), of_venue("cool_down"), frame.policy, of_venue("margin_target")
    )


def _backstop(frame: Frame, setup: oracle.Setup):
    if not frame.ranking:
        return None
    rules = [venue.backstop for venue in setup.venues]
    number = lambda name: np.array([getattr(rule, name) for rule in rules])
    window = tuple(rule.window_steps * setup.years_per_step for rule in rules)
    return Backstop(number("fund"), number("surplus_to_fund"), number("drawdown"), frame.ranking, frame.trigger, window)


@eqx.filter_jit
def walk(prepared):
    """One path with every state kept, stacked by step, and its losses; the first entry of `held` is the start."""
    dtype = prepared.decay.dtype
    state = start(prepared, jnp.zeros(1, dtype))

    def body(state, index):
        state = step(prepared, state, draw(prepared, seed_key(0), jnp.uint32(0), index), index)
        return state, (state, prepared.book.open_interest(state.book), prepared.book.margin_called(state.book))

    last, (states, held, called) = jax.lax.scan(body, state, jnp.arange(prepared.scenario.settings.steps, dtype=jnp.int32))
    first = prepared.book.open_interest(state.book)
    return states, jnp.concatenate([first[None], held]), outcome(prepared, last) | {"called": called}


def _breaker(setup: oracle.Setup):
    rules, years = [venue.halts for venue in setup.venues], setup.years_per_step
    if rules[0] is None:
        return None
    of = lambda name: np.array([getattr(rule, name) for rule in rules], float)
    return Breaker(
        halt_move=of("move"),
        halt_window=of("window") * years,
        halt_length=of("length") * years,
        price_band=of("band"),
        auction=of("auction"),
        auction_depth=of("deeper"),
        trading=tuple(rule.trading for rule in rules),
        all_venues=tuple(rule.everywhere for rule in rules),
        contract_move=of("contract_move"),
        contract_band=of("contract_band"),
    )


def engine(frame, setup, numbers, dtype, grid):
    """The package's walk of one path: what was prepared, and the states, what is held, losses, as NumPy arrays."""
    return engine_of(lambda: scenario_of(frame, setup, numbers, grid), dtype)


def engine_of(scenario, dtype, nodes=NODES):
    """The same of a function that makes a scenario."""
    with jax.enable_x64(dtype == jnp.float64):
        prepared = prepare(scenario(), dtype, nodes)
        return prepared, jax.tree.map(np.asarray, walk(prepared))


def equities(prepared, states, setup):
    """Of each row of the drawn accounts, with what their three kinds at a margin call make together; `(steps, rows)`."""
    book, ratio = states.book, np.exp(states.mark).reshape(len(states.mark), -1)
    exposure = book.quantity if book.exposure is None else book.exposure
    each = (book.base + (exposure * ratio[..., None]).sum(axis=1)) * np.asarray(prepared.book.ledger.weight)
    each = each.reshape(len(each), -1, len(setup.accounts)).sum(axis=1)
    # the package has the isolated ones first
    order = np.argsort([isinstance(account, CrossAccount) for account in setup.accounts], kind="stable")
    found = np.empty_like(each)
    found[:, order] = each
    return found
