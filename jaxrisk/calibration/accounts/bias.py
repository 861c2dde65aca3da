r"""What a leaderboard's choice of accounts does to their leverage, and how that is taken back.

Two corrections, in this order; each can be asked for alone.

**Winners.** An account is listed because it has gained, and its gains are in its value, so that its leverage, notional over
value, is too low. A perpetual is zero-sum: over all its holders unrealised gains and losses are about equal, but in a list of
winners the gains $G = \sum_i u_i^+$ exceed the losses $B = \sum_i u_i^-$. The share

$$s = 1 - \min(1, B / G)$$

of every unrealised gain is taken off the account's value, after which the sample's gains and losses are equal too:
$L = N / (V - s \sum u^+)$. Nobody is taken to have more leverage than the account has set, or than it has anyway. Gains that were
realised before are in the values as well and are not seen: the rest of the bias has that sign.

**Split.** Where the open interest of the whole venue is known by bands of leverage, the accounts of band $b$ are given the weight
$w_b = T_b / S_b$, the published share over the sample's (post-stratification: Holt and Smith, 1979, J. R. Stat. Soc. A 142,
33-46). This corrects for any selection by leverage, of large accounts too, but not for one within a band.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np

from ...holdings.account_file import AccountFile

SPLIT = ((0.0, 3.0, 2.77e9), (3.0, 7.0, 3.7e9), (7.0, math.inf, 1.16e9))
"""Open interest of one on-chain venue by effective leverage, USD: 2.77 of 7.63 billion at 0-3x, 3.7 at 3-7x, the rest above."""
SPLIT_SOURCE = "published split of 7.63bn USD of an on-chain venue's open interest, February 2026"
NAMES = ("winners", "split", "none")


class Bias(NamedTuple):
    """Which corrections: `winners`, with `share` of the gains, None to measure it; `split`: rows of (from, to, USD)."""

    winners: bool = False
    share: float | None = None
    split: tuple[tuple[float, float, float], ...] = ()


class Weights(NamedTuple):
    """Corrected `leverage` and `weight` (USD) of every position, shape `(positions,)`; the `share` of gains that was taken off,
    and the split's shares in the `sample` before it was applied."""

    leverage: np.ndarray
    weight: np.ndarray
    share: float
    sample: tuple[float, ...]


def parse_bias(words) -> tuple[Bias, list[tuple[str, str]]]:
    """Corrections as written, and what is wrong with them: (word, what is allowed).

    `winners`, or `winners=0.7` for a share of one's own; `split`, the published one, or `split=0-3:2.77e9,3-7:3.7e9,7-inf:1.2e9`;
    `none`.

    >>> parse_bias(["winners", "split=0-5:3,5-inf:1"])[0]
    Bias(winners=True, share=None, split=((0.0, 5.0, 3.0), (5.0, inf, 1.0)))
    """
    bias, wrong = Bias(), []
    for word in words:
        name, equals, value = word.partition("=")
        try:
            if name == "winners":
                share = float(value) if equals else None
                if share is not None and not 0.0 <= share <= 1.0:
                    raise ValueError
                bias = bias._replace(winners=True, share=share)
            elif name == "split":
                bias = bias._replace(split=_bands(value) if equals else SPLIT)
            elif word != "none" or len(words) > 1:
                wrong.append((word, f"has to be one of {', '.join(NAMES)}" + (", none alone" if word == "none" else "")))
        except ValueError:
            allowed = (
                "a share between 0 and 1" if name == "winners" else "bands that join, from 0 to inf: 0-3:2e9,3-inf:1e9 (USD)"
            )
            wrong.append((word, f"has to be {name}, or {name}= with {allowed}"))
    return bias, wrong


def _bands(text: str) -> tuple[tuple[float, float, float], ...]:
    bands = []
    for part in text.split(","):
        ends, _, usd = part.partition(":")
        low, _, high = ends.partition("-")
        bands.append((float(low), float(high or "inf"), float(usd)))
    joined = [a[1] == b[0] for a, b in itertools.pairwise(bands)]
    if (
        not all(joined)
        or bands[0][0] != 0.0
        or bands[-1][1] != math.inf
        or not all(a < b and 0.0 < usd < math.inf for a, b, usd in bands)
    ):
        raise ValueError
    return tuple(bands)


def gains_share(accounts: AccountFile, times: np.ndarray | None = None) -> float:
    """The share of unrealised gains beyond what losses make up for; `times`: how often each owner counts."""
    many = 1.0 if times is None else times[accounts.owner]
    gains = np.sum(many * np.maximum(accounts.unrealised, 0.0))
    losses = np.sum(many * np.maximum(-accounts.unrealised, 0.0))
    return float(1.0 - min(losses / gains, 1.0)) if gains > 0.0 else 0.0


def corrected(accounts: AccountFile, bias: Bias, times: np.ndarray | None = None) -> Weights:
    """Leverage and weight of every position under some corrections.

    **Arguments:** `times`: how often each account counts, by owner, as in a bootstrap; once where not given.
    """
    a = accounts
    many = 1.0 if times is None else times[a.owner]
    share = 0.0
    if bias.winners:
        share = gains_share(a, times) if bias.share is None else bias.share
    gains = np.bincount(a.holding, np.maximum(a.unrealised, 0.0), len(a.value))
    plain = a.total / a.value
    left = a.value - share * gains
    # what an account would be worth says nothing where hardly anything is left; it cannot have opened beyond what it has set
    most = np.maximum(plain, np.where(np.isfinite(a.set_leverage), a.set_leverage, np.max(plain)))
    holding = np.minimum(a.total / np.maximum(left, 1e-9 * a.value), most)
    leverage, weight = holding[a.holding], many * a.notional
    found: tuple[float, ...] = ()
    if bias.split:
        inside = [(leverage >= low) & (leverage < high) for low, high, _ in bias.split]
        whole = math.fsum(usd for _, _, usd in bias.split)
        found = tuple(float(weight[rows].sum() / weight.sum()) for rows in inside)
        scale = np.zeros(len(weight))
        for rows, (_, _, usd), sample in zip(inside, bias.split, found, strict=True):
            scale[rows] = usd / whole / sample if sample > 0.0 else 0.0
        weight = weight * scale
    return Weights(leverage, weight, share, found)


__all__ = ["NAMES", "SPLIT", "SPLIT_SOURCE", "Bias", "Weights", "corrected", "gains_share", "parse_bias"]
