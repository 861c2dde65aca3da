"""From a snapshot of accounts to a population's leverage: lognormals by class and side, corrected, with errors and a range."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ...holdings.account_file import AccountFile
from .bias import Bias, Weights, corrected
from .weighted import log_moments, lognormal_fit

PROFESSIONAL_USD = 500_000.0
"""Account value from which an account counts as professional: the portfolio test of the EU's elective professional clients is
EUR 500,000 (Directive 2014/65/EU, Annex II, section II.1); the currencies are taken as equal."""
FEWEST = 10
"""Accounts, and half as many accounts of equal size, below which a distribution is not identified."""
RESTS = 3.0
"""Factor by which one account may change the spread of all. Samples of lognormal leverage and size (log_sd 0.7 and 1) stay within
it in 99 of 100 cases with 40 accounts, in 98 with 20 and in 86 with 10."""
_HEAVIEST = 50
"""Accounts that are left out in turn: any other has at most a fiftieth of the weight."""
Key = tuple[str, str, str]
"""Asset, class ("retail" or "professional") and side ("long" or "short")."""


class Leverage(NamedTuple):
    """Effective leverage and size of one class and side, weighted by notional.

    - `values`: `median`, `log_sd`, `size_median` (USD), `size_log_sd`; `errors`: standard errors of the first two, accounts drawn
      with replacement and the correction made anew each time.
    - `uncorrected`: the first two without any correction; `low`, `high`: their range over the corrections that can be argued.
    - `accounts`: how many; `equal_accounts`: of equal size, as many as say the same (Kish), by notional and weight.
    - `problems`: why it is not identified, empty if it is.
    """

    values: dict[str, float]
    errors: dict[str, float]
    uncorrected: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    accounts: int
    equal_accounts: float
    problems: tuple[str, ...]


class LeverageFit(NamedTuple):
    """Leverage by asset, class and side, and how it was corrected: the `share` of unrealised gains taken off with its error, and
    the split's shares of the sample before weighting."""

    fits: dict[Key, Leverage]
    bias: Bias
    share: float
    share_error: float
    sample_split: tuple[float, ...]
    sample: str


def fit_leverage(accounts: AccountFile, bias: Bias, assets: Iterable[str], replications: int = 200, seed: int = 3) -> LeverageFit:
    """Lognormals of effective leverage (account notional over account value), upper half, by asset, class and side.

    An account's own positions are seen against its whole value, as under cross margin. `bias` as in `accounts.bias`,
    whose module says how it is corrected. The range is over unrealised gains kept, taken off by half and by all, each with and
    without the split where there is one. Classes and sides without any position are left out.
    """
    groups = _groups(accounts, tuple(assets))
    plain, chosen = corrected(accounts, Bias()), corrected(accounts, bias)
    others = [corrected(accounts, one) for one in _arguable(bias)]
    random = np.random.default_rng(seed)
    count = int(accounts.owner.max()) + 1
    draws: dict[Key, list] = {key: [] for key in groups}
    shares = []
    for _ in range(replications):
        times = np.bincount(random.integers(0, count, count), minlength=count)
        again = corrected(accounts, bias, times)
        shares.append(again.share)
        for key, rows in groups.items():
            if np.count_nonzero(again.weight[rows]) > 1:
                draws[key].append(lognormal_fit(again.leverage[rows], again.weight[rows]))
    fits = {key: _one(accounts, rows, plain, chosen, others, draws[key]) for key, rows in groups.items()}
    error = float(np.std(shares, ddof=1)) if replications > 1 else math.nan
    return LeverageFit(fits, bias, chosen.share, error, chosen.sample, accounts.sample)


def _arguable(bias: Bias) -> list[Bias]:
    """Corrections between which the truth can be argued to lie."""
    winners = [Bias(winners=True, share=share) for share in ((0.0, 0.5, 1.0) if bias.winners else (0.0,))]
    return winners + [one._replace(split=bias.split) for one in winners if bias.split]


def _groups(accounts: AccountFile, assets: tuple[str, ...]) -> dict[Key, np.ndarray]:
    """Rows by asset, class and side."""
    kind = np.where(accounts.value >= PROFESSIONAL_USD, "professional", "retail")[accounts.holding]
    groups = {}
    for asset in assets:
        for name in ("professional", "retail"):
            for side in ("long", "short"):
                rows = np.flatnonzero((accounts.asset == asset) & (kind == name) & (accounts.side == side))
                if len(rows):
                    groups[asset, name, side] = rows
    return groups


def _one(accounts: AccountFile, rows, plain: Weights, chosen: Weights, others: list[Weights], draws: list) -> Leverage:
    fit = lambda w: dict(zip(("median", "log_sd"), lognormal_fit(w.leverage[rows], w.weight[rows]), strict=True))
    values, uncorrected, range_ = fit(chosen), fit(plain), [fit(other) for other in others]
    centre, spread = log_moments(accounts.notional[rows], chosen.weight[rows])
    errors = np.std(draws, axis=0, ddof=1) if len(draws) > 1 else np.full(2, math.nan)
    by_owner = np.bincount(accounts.owner[rows], chosen.weight[rows])
    by_owner = by_owner[by_owner > 0.0]
    every = [values, *range_]
    found = Leverage(
        values={**values, "size_median": centre, "size_log_sd": spread},
        errors={"median": float(errors[0]), "log_sd": float(errors[1])},
        uncorrected=uncorrected,
        low={name: min(one[name] for one in every) for name in values},
        high={name: max(one[name] for one in every) for name in values},
        accounts=len(by_owner),
        equal_accounts=float(by_owner.sum() ** 2 / np.sum(by_owner**2)),
        problems=(),
    )
    return found._replace(problems=_problems(found, _without_one(accounts, rows, chosen)))


def _without_one(accounts: AccountFile, rows: np.ndarray, chosen: Weights) -> np.ndarray:
    """The spread with each of the heaviest accounts left out in turn, where two rows are left; shape `(accounts,)`."""
    owner = accounts.owner[rows]
    by_owner = np.bincount(owner, chosen.weight[rows])
    left = [rows[owner != one] for one in np.argsort(-by_owner, kind="stable")[:_HEAVIEST] if by_owner[one] > 0.0]
    left = [rest for rest in left if np.count_nonzero(chosen.weight[rest]) > 1]
    return np.array([lognormal_fit(chosen.leverage[rest], chosen.weight[rest])[1] for rest in left])


def _problems(found: Leverage, without_one: np.ndarray) -> tuple[str, ...]:
    problems = []
    if found.accounts < FEWEST:
        problems.append(f"{found.accounts} accounts; at least {FEWEST} are needed")
    elif found.equal_accounts < FEWEST / 2:
        problems.append(
            f"a few accounts decide: they say as much as {found.equal_accounts:.1f} of equal size, "
            f"and at least {FEWEST / 2:g} are needed"
        )
    spread = found.values["log_sd"]
    if spread < 1e-6:
        problems.append("all have the same leverage, which no lognormal describes")
    elif found.accounts >= FEWEST and len(without_one):
        # a spread that one account makes, or hides
        changed = without_one[np.argmax(np.abs(np.log(np.maximum(without_one, 1e-12) / spread)))]
        if not spread / RESTS <= changed <= spread * RESTS:
            problems.append(
                f"the spread rests on one account: log_sd is {spread:.3g} with it and {max(changed, 0.0):.2g} without"
            )
    if found.errors["median"] > found.values["median"]:
        problems.append(f"the median's standard error, {found.errors['median']:.2g}, is larger than the median")
    return tuple(problems)


__all__ = ["FEWEST", "PROFESSIONAL_USD", "Key", "Leverage", "LeverageFit", "fit_leverage"]
