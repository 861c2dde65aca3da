r"""The generalised Pareto law: its fit by (weighted) maximum likelihood, and an Anderson-Darling test of the fit.

An excess $y$ over a threshold has $P(Y > y) = (1 + \xi y/\sigma)^{-1/\xi}$, with shape $\xi$ and scale $\sigma$. In
$\theta = \xi/\sigma$ the data enter the likelihood through one function of one number only, $s(\theta)$, the mean of
$\log(1 + \theta y_i)$ (Grimshaw, 1993, *Computing maximum likelihood estimates for the generalized Pareto distribution*):

$$\ell = -K\,[\log\sigma + (1 + 1/\xi)\,s(\theta)], \qquad \hat\xi(\theta) = s(\theta),$$

with $K$ the sum of the weights, the number of excesses where there are none.
"""

import functools
from typing import NamedTuple

import numpy as np

LEAST_SHAPE = -1.0
"""Below it the likelihood has no greatest value (Grimshaw, 1993)."""
GREATEST_SHAPE = 6.0
COMPONENTS = 40
"""Terms kept of the Anderson-Darling statistic, whose term j has mean 1/(j(j+1)): what is left out adds up to 1/41."""


class ParetoFit(NamedTuple):
    """Excesses over a threshold and the law that fits them.

    **Fields:** `shape`, and `scale` in the unit of the losses; `excess`, `weights`: shape `(excesses,)`; `median` excess.
    """

    shape: float
    scale: float
    excess: np.ndarray
    weights: np.ndarray
    median: float

    @property
    def position(self) -> float:
        """The coordinate of `at`: the shape that the median of the excesses would imply."""
        return float(np.log2(1.0 + self.shape / self.scale * self.median))

    def at(self, position: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        r"""The best shape and scale for each $\theta = (2^x - 1)/\mathrm{median}$, and their log-likelihood over $K$.

        The coordinate $x$ is near the shape for any law of this family, so that one grid serves all.
        """
        theta = np.expm1(np.log(2.0) * position) / self.median
        share = self.weights / self.weights.sum()
        with np.errstate(invalid="ignore", divide="ignore"):
            shape = np.log1p(np.multiply.outer(theta, self.excess)) @ share
            scale = np.where(np.abs(theta) * self.excess.max() > 1e-7, shape / theta, share @ self.excess)
        return shape, scale, -np.log(scale) - 1.0 - shape

    def range(self) -> tuple[float, float]:
        """Positions from where the best shape is `LEAST_SHAPE` (or the law would end at the greatest excess) upward."""
        from scipy.optimize import brentq

        end = float(np.log2(1.0 - self.median / self.excess.max()))
        low, high = end + 1e-9 * (1.0 + abs(end)), GREATEST_SHAPE
        if not self.at(np.array([low]))[0][0] >= LEAST_SHAPE:
            low = float(brentq(lambda x: self.at(np.array([x]))[0][0] - LEAST_SHAPE, low, high))  # type: ignore[arg-type]
        return low, high


def fit_pareto(excess: np.ndarray, weights: np.ndarray | None = None) -> ParetoFit:
    """Maximum likelihood on a grid of positions that is refined around the best.

    **Arguments:** `excess`: shape `(excesses,)`, positive, not all equal; `weights`: shape `(excesses,)`, or None.

    >>> excess = -np.log1p(-(np.arange(500) + 0.5) / 500)  # quantiles of the exponential law: shape 0, scale 1
    >>> fit = fit_pareto(excess)
    >>> round(fit.shape, 3), round(fit.scale, 3)
    (-0.005, 1.004)
    """
    data = ParetoFit(0.0, 1.0, excess, np.ones_like(excess) if weights is None else weights, float(np.median(excess)))
    low, high = data.range()
    for _ in range(5):
        grid = np.linspace(low, high, 25)
        shape, scale, likelihood = data.at(grid)
        best = int(np.argmax(likelihood))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    return data._replace(shape=float(shape[best]), scale=float(scale[best]))


def scores(shape: float, scaled: np.ndarray) -> np.ndarray:
    """Derivatives of the log-density to the shape and to the log of the scale, at excesses over the scale.

    **Returns:** shape `(2, excesses)`.
    """
    shape = shape if abs(shape) > 1e-5 else 1e-5  # where the formula would lose its digits
    inside = np.maximum(1.0 + shape * scaled, 1e-12)
    return np.stack([np.log(inside) / shape**2 - (1.0 + 1.0 / shape) * scaled / inside, (1.0 + shape) * scaled / inside - 1.0])


def information(shape: float) -> np.ndarray:
    """Fisher information of shape and log scale in one excess (Smith, 1984), for shapes above -1/2.

    >>> information(0.0)
    array([[2., 1.],
           [1., 1.]])
    """
    return np.array([[2.0, 1.0], [1.0, 1.0 + shape]]) / ((1.0 + shape) * (1.0 + 2.0 * shape))


def anderson_darling(fit: ParetoFit) -> tuple[float, float]:
    r"""Anderson and Darling's statistic of a fit and the probability of a greater one if the law is right.

    With Legendre polynomials $P_j$ and the fitted probabilities $u_i$ the statistic is a sum of squares (Anderson and
    Darling, 1952; Durbin and Knott, 1972):

    $$A^2 = \sum_{j\ge1} \frac{z_j^2}{j(j+1)}, \qquad z_j = \sqrt{m}\,\sum_i w_i \sqrt{2j+1}\,P_j(2u_i - 1) \Big/ \sum_i w_i,$$

    where $m$ is Kish's effective number of excesses. Fitting takes its share out of each $z_j$: the part that the scores
    explain. The covariance of what is left gives the weights of the chi-squares that the statistic is a sum of, for the law
    itself (plain) or measured on the sample (weighted); this is what Choulakian and Stephens (2001) tabulate. The
    probability is that of the gamma law with the sum's first three moments. The first `COMPONENTS` terms are kept.

    **Returns:** statistic and p-value.
    """
    from scipy.special import gammaincc

    shape, weights = max(fit.shape, -0.45), fit.weights  # below -1/2 the scores have no variance
    scaled = fit.excess / fit.scale
    below = -np.expm1(-np.log1p(np.maximum(fit.shape * scaled, -1.0 + 1e-12)) / fit.shape) if fit.shape else -np.expm1(-scaled)
    terms = _components(below)
    kish = weights.sum() ** 2 / (weights**2).sum()
    number = np.arange(1.0, COMPONENTS + 1.0)
    spread = np.sqrt(number * (number + 1.0))
    statistic = float(kish * ((terms @ weights / weights.sum() / spread) ** 2).sum())
    explained, remaining = _fitted_out(round(shape, 3))
    if np.ptp(weights) > 1e-9 * weights.max():
        left = terms - explained @ scores(shape, scaled)
        remaining = (left * weights**2) @ left.T / (weights**2).sum()
    kernel = remaining / np.outer(spread, spread)
    squared = kernel @ kernel
    first, second, third = np.trace(kernel), np.trace(squared), (squared * kernel).sum()  # the weights' power sums
    degrees = second**3 / third**2
    standard = (statistic - first) / np.sqrt(2.0 * second)
    return statistic, float(gammaincc(degrees / 2.0, max(standard * np.sqrt(2.0 * degrees) + degrees, 0.0) / 2.0))


def _components(below: np.ndarray) -> np.ndarray:
    """Orthonormal Legendre polynomials of orders 1 to `COMPONENTS` on (0, 1), shape `(COMPONENTS, points)`."""
    x = 2.0 * below - 1.0
    terms = [np.ones_like(x), x]
    for j in range(1, COMPONENTS):
        terms.append(((2 * j + 1) * x * terms[j] - j * terms[j - 1]) / (j + 1))
    return np.stack(terms[1:]) * np.sqrt(2.0 * np.arange(1.0, COMPONENTS + 1.0) + 1.0)[:, None]


@functools.lru_cache(maxsize=512)
def _fitted_out(shape: float) -> tuple[np.ndarray, np.ndarray]:
    """What the scores explain of each component, and the covariance of the rest, when the law is right."""
    exponential, weighted = _nodes()
    scaled = np.expm1(shape * exponential) / shape if shape else exponential
    shared = weighted @ scores(shape, scaled).T
    explained = np.linalg.solve(information(shape), shared.T).T
    return explained, np.eye(COMPONENTS) - explained @ shared.T


@functools.cache
def _nodes() -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes in -log(1 - u), in which the scores are smooth, and the weighted components there."""
    nodes, weight = np.polynomial.legendre.leggauss(400)
    exponential = 20.0 * (nodes + 1.0)
    return exponential, _components(-np.expm1(-exponential)) * 20.0 * weight * np.exp(-exponential)


__all__ = ["ParetoFit", "anderson_darling", "fit_pareto", "information", "scores"]
