"""Fitting a proposal: from the most likely paths at first, then to weighted paths of the event (cross-entropy).

The likelihood-weighted paths of the event are a sample of the law that samples it best; the mixture nearest to that law in
Kullback-Leibler divergence has their weighted moments (Rubinstein and Kroese, 2004, *The cross-entropy method*), and for a
mixture expectation-maximisation finds it.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp, ndtr

from .drivers import Drivers
from .proposal import DEFENSIVE, Proposal, log_densities
from .stress_surface import Candidate

LEAST_SHARE = 0.02
"""Share that a component keeps whatever the pilot says."""
CALM_SHIFT = 4.0
"""Paths' worth of weight by which a fitted shift is drawn to the last one: a pilot of few paths in the event says little."""
MOST_JUMPS = 6.0
"""Most expected jumps of a source along a path."""
SWEEPS = 8


class Drawn(NamedTuple):
    """Paths drawn from a proposal: what the fit needs of them. Shapes `(paths, profiles, normals)`, `(paths, sources)` twice,
    `(paths,)` twice."""

    projection: np.ndarray
    jumps: np.ndarray
    sizes: np.ndarray
    log_weight: np.ndarray
    loss: np.ndarray


def first_order(candidate: Candidate) -> float:
    r"""First-order estimate of the probability: that of the number of jumps times $\Phi(-|y|)$, exact for a loss that is linear
    in normals."""
    return float(np.exp(-candidate.cost) * ndtr(-np.linalg.norm(candidate.point)))


def of_paths(candidates: list[Candidate], driven: Drivers, shape: tuple[int, int], profiles: int, steps: int) -> Proposal:
    """A component for each of the most likely paths, and the scenario's own law: shares in proportion to the roots of their
    first-order probabilities."""
    normals, sources = len(driven.normals), len(driven.jump_uniforms)
    own = Proposal.own_law(driven, profiles)
    shift, probability, size = list(own.shift), list(own.jump_probability), list(own.size_shift)
    used = min(profiles, shape[0])
    for one in candidates:
        coefficients = np.zeros((profiles, normals))
        coefficients[:used] = one.point[: shape[0] * shape[1]].reshape(shape)[:used]
        jump, moved = driven.survival[:, 0].copy(), np.zeros(sources)
        sizes = one.point[shape[0] * shape[1] :]
        for source in set(one.kind):
            mine = (one.sources == source) & (one.times >= 0.0)
            jump[source] = np.clip(mine.sum() / steps, jump[source], 0.5)
            moved[source] = sizes[mine].mean()
        shift.append(coefficients)
        probability.append(jump)
        size.append(moved)
    root = np.sqrt(np.maximum([first_order(one) for one in candidates], 1e-300))
    share = np.concatenate([[DEFENSIVE], (1.0 - DEFENSIVE) * floored(root / root.sum())])
    return Proposal(share, np.stack(shift), np.stack(probability), np.stack(size))


def floored(share: np.ndarray, least: float = LEAST_SHARE) -> np.ndarray:
    """Shares that sum to one, none below `least` by more than the rescaling.

    >>> floored(np.array([1.0, 0.0])).round(3).tolist()
    [0.98, 0.02]
    """
    raised = np.maximum(share, least)
    return raised / raised.sum()


def responsibilities(proposal: Proposal, driven: Drivers, drawn: Drawn, steps: int) -> np.ndarray:
    """Probability of each component given a path, shape `(paths, components)`."""
    constant, per_jump = log_densities(proposal, driven, steps)
    density = constant + np.einsum("nbd,kbd->nk", drawn.projection, proposal.shift)
    density = density + drawn.jumps @ per_jump.T + drawn.sizes @ proposal.size_shift.T
    return np.exp(density - logsumexp(density, axis=1, keepdims=True))


def refitted(proposal: Proposal, driven: Drivers, drawn: Drawn, level: float, steps: int) -> Proposal:
    """The proposal fitted to the drawn paths whose loss is above the level; its first component stays the scenario's own law."""
    event = drawn.loss > level
    if event.sum() < 2:
        return proposal
    inside = Drawn(*(x[event] for x in drawn))
    weight = np.exp(inside.log_weight - inside.log_weight.max())
    effective = weight.sum() ** 2 / np.sum(weight**2)
    weight = weight * (effective / weight.sum())  # in paths' worth
    own = driven.survival[:, 0]
    for _ in range(SWEEPS):
        # the defensive component explains nothing: else it would keep what the others should learn
        steered = proposal._replace(share=np.concatenate([[1e-12], proposal.share[1:]]))
        each = responsibilities(steered, driven, inside, steps)[:, 1:] * weight[:, None]
        total = each.sum(axis=0)
        mean = lambda x, each=each: np.einsum("nk,n...->k...", each, x)
        last = Proposal(*(x[1:] for x in proposal))
        pull = lambda x, like, total=total: (x + CALM_SHIFT * like) / (total.reshape(-1, *[1] * (x.ndim - 1)) + CALM_SHIFT)
        shift = pull(mean(inside.projection), last.shift)
        jumps = mean(inside.jumps)
        expected = pull(jumps, last.jump_probability * steps)
        sizes = (mean(inside.sizes) + CALM_SHIFT * last.size_shift) / (jumps + CALM_SHIFT)
        probability = np.clip(expected, np.minimum(own * steps, 0.05), MOST_JUMPS) / steps
        probability = np.where(own > 0.0, np.minimum(probability, 0.5), probability)
        share = (1.0 - DEFENSIVE) * floored(total / total.sum())
        join = lambda first, rest: np.concatenate([first[:1], rest])
        proposal = Proposal(
            join(np.array([DEFENSIVE]), share),
            join(proposal.shift, shift),
            join(proposal.jump_probability, probability),
            join(proposal.size_shift, sizes),
        )
    return proposal


def in_event(log_weight: np.ndarray, event: np.ndarray) -> tuple[float, float, float]:
    r"""Effective paths in the event, $(\sum w 1)^2 / \sum (w 1)^2$; the share of the largest in the estimate; and the variance of
    a path's contribution over its squared mean, by which the paths that an error needs are reckoned.

    >>> in_event(np.zeros(4), np.array([True, True, False, False]))
    (2.0, 0.5, 1.0)
    """
    if not event.any():
        return 0.0, 1.0, float("inf")
    weight = np.exp(np.where(event, log_weight - log_weight[event].max(), -np.inf))
    effective = weight.sum() ** 2 / np.sum(weight**2)
    return float(effective), float(weight.max() / weight.sum()), float(len(weight) / effective - 1.0)


__all__ = ["Drawn", "first_order", "floored", "in_event", "of_paths", "refitted", "responsibilities"]
