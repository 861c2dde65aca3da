"""Accounts whose positions share one collateral."""

import equinox as eqx
import numpy as np
from jaxtyping import Float, Int

from .._leaf import Array, leaf


class CrossAccounts(eqx.Module):
    """Accounts under cross margin: one equity against all positions of an account. For `AccountBook`.

    Isolated and cross positions of one holder are two accounts here. An account may hold positions on several venues that share
    its collateral (for example USD-margined and coin-margined contracts of one exchange); the first venue it names is its own,
    whose engine, haircuts and fund it falls under.

    **Arguments.** By position, shape `(positions,)`: `quantity`: coins, or USD of notional over the entry price for an inverse
    contract, not negative; `entry_price`: USD a coin; `account`, `venue`, `asset`, `side` (+1, -1): integer arrays. By account:
    `cash`: USD of collateral, shape `(accounts,)`; `coins`: collateral in coins, shape `(accounts, assets)`; `account_class`,
    `home` (venue): integer arrays, shape `(accounts,)`; `weight`: how many like it there are, shape `(accounts,)`.
    """

    quantity: Float[Array, " positions"] = leaf()
    entry_price: Float[Array, " positions"] = leaf()
    account: Int[np.ndarray, " positions"]
    venue: Int[np.ndarray, " positions"]
    asset: Int[np.ndarray, " positions"]
    side: Int[np.ndarray, " positions"]
    cash: Float[Array, " accounts"] = leaf()
    coins: Float[Array, "accounts assets"] = leaf()
    account_class: Int[np.ndarray, " accounts"]
    home: Int[np.ndarray, " accounts"]
    weight: Float[Array, " accounts"] = leaf()


__all__ = ["CrossAccounts"]
