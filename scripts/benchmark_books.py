"""The parts of benchmark.py about who is checked and by which book: dense margin checks, and the three books side by side."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxrisk.positions import View, build_book

AIM_CHECKS = 2e9


def _view(mark, index) -> View:
    """What a book sees at a mark of shape `(venues, assets)` that it has just reached."""
    asset = jnp.zeros(mark.shape[1], mark.dtype)
    return View(mark, mark, mark, mark, mark, asset, asset, index)


@partial(jax.jit, static_argnames=("venues", "assets"))
def _check_all(book, marks, venues: int, assets: int):
    """Accounts under margin after every path has been checked at every step; `marks` of shape `(steps, paths)`."""
    state = jax.vmap(lambda _: book.init())(marks[0])

    def body(state, at):
        index, mark = at
        spread = lambda one: jnp.full((venues, assets), one)
        state = jax.vmap(lambda s, one: book.trigger(s, _view(spread(one), index)))(state, mark)
        return state, None

    state, _ = jax.lax.scan(body, state, (jnp.arange(len(marks), dtype=jnp.int32), marks))
    return jnp.sum(state.pending)


def margin_checks(scenario, accounts, timed, cores: int, repeats: int) -> None:
    """Checks a second: one check is one account's equity against its maintenance margin on one path at one step.

    Every core has its own paths, few enough for the accounts' state to stay in its cache.
    """
    print("dense margin checks (one account, one path, one step; isolated, one asset, one tier):")
    for count, paths in ((256, 256), (1024, 64), (4096, 32)):
        contracts, steps = scenario.venues.contracts(), max(1, 200_000_000 // (count * paths))
        book = build_book("account", [accounts(count)], contracts, scenario.limits, scenario.price, 1, scenario.grid)
        book = jax.tree.map(
            lambda x: jnp.asarray(x, jnp.float32) if jnp.issubdtype(jnp.asarray(x).dtype, jnp.floating) else x, book
        )
        random = np.random.default_rng(1)
        marks = [jnp.asarray(np.cumsum(3e-4 * random.standard_normal((steps, paths)), axis=0), jnp.float32) for _ in range(cores)]
        run = lambda one, book=book: _check_all(book, one, 1, 1).block_until_ready()
        with ThreadPoolExecutor(cores) as pool:
            call = lambda marks=marks, run=run, pool=pool: list(pool.map(run, marks))
            call()
            seconds = sorted(timed(call).wall for _ in range(2 * repeats + 1))[repeats]
        checks = count * paths * steps * cores
        print(
            f"  {count:>5,} accounts, {paths:>3} paths a core: {checks / seconds:8.3g} checks/s, aim {AIM_CHECKS:.0e}", flush=True
        )


__all__ = ["margin_checks"]
