r"""Merton's jump diffusion, by maximum likelihood of hourly returns.

An hour has $n$ jumps with a Poisson probability of mean $\lambda\,\Delta t$, and its return is then normal with mean $c + n m$
and variance $s^2 + n d^2$ (Merton, 1976). The gradient of each hour's log-likelihood is in closed form, from the probabilities
of $n$ given the return; the information is a difference of gradients.
"""

import math

import numpy as np

from ...data.price_file import PriceFile
from .fit import HOURS_PER_YEAR, LawFit, hourly_returns, residual_checks, sample_of

_NAMES = ("volatility", "jump_rate", "jump_mean", "jump_sd")
_MOST = 12
_HIGHEST = 2.0  # jumps an hour: beyond, twelve are too few, and they are no jumps
_LEFT = 0.01  # log-likelihood: a seventh of a standard error from the maximum
_NOTE = (
    "maximum likelihood of independent hourly returns with a free mean (the scenario's drift stays), standard errors of the "
    "sandwich form with scores summed over days, so that volatility may cluster"
)


def parts(theta: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, ...]:
    """Log joint density of each return with 0 to 12 jumps, `(13, hours)`, and means and variances, `(13, 1)`."""
    mean, s, rate, m, d = theta[0], *np.exp(theta[1:3]), theta[3], math.exp(theta[4])
    n = np.arange(_MOST + 1)[:, None]
    log_factorial = np.cumsum(np.log(np.maximum(n, 1)), axis=0)
    centre, variance = mean + n * m, s**2 + n * d**2
    weight = n * math.log(rate) - rate - log_factorial - 0.5 * np.log(2.0 * math.pi * variance)
    return weight - 0.5 * (x - centre) ** 2 / variance, centre, variance


def likelihood(theta: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihood of each hour, `(hours,)`, and its gradient, `(5, hours)`.

    `theta`: mean of an hour, log of its deviation without jumps, log of the jumps expected in it, mean of a jump, log of its
    deviation.
    """
    joint, centre, variance = parts(theta, x)
    top = joint.max(axis=0)
    total = top + np.log(np.sum(np.exp(joint - top), axis=0))
    share = np.exp(joint - total)
    n = np.arange(_MOST + 1)[:, None]
    by_centre = share * (x - centre) / variance
    by_variance = 0.5 * share * ((x - centre) ** 2 / variance - 1.0) / variance
    s2, rate, d2 = math.exp(2.0 * theta[1]), math.exp(theta[2]), math.exp(2.0 * theta[4])
    count = np.sum(n * share, axis=0)
    gradient = [by_centre.sum(axis=0), 2.0 * s2 * by_variance.sum(axis=0), count - rate]
    return total, np.array([*gradient, (n * by_centre).sum(axis=0), 2.0 * d2 * (n * by_variance).sum(axis=0)])


def information(theta: np.ndarray, x: np.ndarray, step: float = 1e-4) -> np.ndarray:
    """Observed information, `(5, 5)`: the negative of the Hessian, by central differences of the gradient."""
    scale = np.array([math.exp(theta[1]), 1.0, 1.0, math.exp(theta[4]), 1.0])  # the two means are in units of returns
    rows = []
    for k in range(5):
        shift = np.zeros(5)
        shift[k] = step * scale[k]
        difference = likelihood(theta + shift, x)[1].sum(axis=1) - likelihood(theta - shift, x)[1].sum(axis=1)
        rows.append(-difference / (2.0 * shift[k]))
    return 0.5 * (np.array(rows) + np.array(rows).T)


def fit_merton(prices: PriceFile) -> LawFit:
    """Fit from three starts; raises `NotFitted` for too few returns."""
    from scipy.optimize import minimize

    returns = hourly_returns(prices)
    hours = np.flatnonzero(np.isfinite(returns))
    x = returns[hours]
    unit = float(np.std(x))
    y, core = x / unit, 1.4826 * float(np.median(np.abs(x))) / unit
    bounds = [(-5.0, 5.0), (-5.0, 3.0), (math.log(1e-6), math.log(_HIGHEST)), (-20.0, 20.0), (-4.0, 5.0)]

    def loss(theta):
        value, gradient = likelihood(theta, y)
        return -value.mean(), -gradient.mean(axis=1)

    fits = []
    for rate, size in ((0.003, 5.0), (0.05, 2.0), (0.5, 1.0)):
        first = np.array([0.0, math.log(max(core, 0.1)), math.log(rate), 0.0, math.log(size)])
        fits.append(minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2000, "ftol": 1e-13}))
    best = min(fits, key=lambda fit: fit.fun)
    theta, problems, converged = best.x, [], True
    plain = float(np.sum(-0.5 * (y - y.mean()) ** 2 / y.var() - 0.5 * np.log(2.0 * math.pi * y.var())))
    value = -best.fun * len(y)
    sample = f"{sample_of(prices)}, {len(y)} hourly returns"
    if 2.0 * (value - plain) < 16.3:  # chi-squared, 3 degrees of freedom, 0.1%
        return _without_jumps(y, plain, unit, sample)
    matrix = information(theta, y)
    if at_bounds := _at_bounds(theta, bounds):
        problems += at_bounds
    elif not (converged := bool(best.success) or _left(matrix, likelihood(theta, y)[1].sum(axis=1)) < _LEFT):
        problems.append(f"the optimiser stopped without converging: {best.message}")
    covariance = _covariance(matrix, likelihood(theta, y)[1], hours // 24)
    if covariance is None and not problems:
        problems.append("the information is singular: the parameters are not told apart")
    values, errors = _natural(theta, covariance, unit)
    for name in ("jump_rate", "jump_sd", "volatility"):
        if not problems and errors[name] > values[name]:
            text = f"{name} is {values[name]:.3g} with a standard error of {errors[name]:.2g}: it is not identified"
            problems.append(text)
    checks = {"log_likelihood": float(value) - len(y) * math.log(unit), "observations": float(len(y))}
    checks["likelihood_ratio_to_no_jumps"] = 2.0 * float(value - plain)
    checks["mean_return_of_a_year"] = float(theta[0] + math.exp(theta[2]) * theta[3]) * unit * HOURS_PER_YEAR
    return LawFit(
        process="merton",
        values=values,
        errors=errors,
        converged=converged,
        problems=tuple(problems),
        checks=checks | residual_checks(_probability(theta, y)),
        sample=sample,
        note=_NOTE,
    )


def _without_jumps(y: np.ndarray, plain: float, unit: float, sample: str) -> LawFit:
    """The normal law, in which there is nothing of where an optimiser stopped on a flat likelihood."""
    from scipy.special import ndtr

    volatility = float(np.std(y)) * unit * math.sqrt(HOURS_PER_YEAR)
    checks = {"log_likelihood": plain - len(y) * math.log(unit), "observations": float(len(y))}
    return LawFit(
        process="merton",
        values={"volatility": volatility, "jump_rate": 0.0, "jump_mean": 0.0, "jump_sd": 0.0},
        errors={"volatility": volatility * math.sqrt(0.5 / len(y))},
        converged=True,
        problems=("the returns show no jumps: jump_rate, jump_mean and jump_sd are not identified",),
        checks=checks | residual_checks(ndtr((y - y.mean()) / np.std(y))),
        sample=sample,
        note=_NOTE,
    )


def _at_bounds(theta: np.ndarray, bounds) -> list[str]:
    names = ("mean", *_NAMES)
    found = []
    for name, value, (low, high) in zip(names, theta, bounds, strict=True):
        if min(value - low, high - value) < 1e-6:
            found.append(f"{name} is at its bound: it is not identified")
    return found


def _positive(matrix: np.ndarray) -> bool:
    """Whether an information matrix has an inverse that means something."""
    return bool(np.all(np.isfinite(matrix)) and np.linalg.eigvalsh(matrix)[0] > 1e-9 * np.trace(matrix))


def _left(matrix: np.ndarray, gradient: np.ndarray) -> float:
    """Log-likelihood that a step to the top of the parabola would still gain; infinite where there is none.

    A line search gives up at the last bits of the likelihood, at the maximum or not; this tells which.
    """
    return 0.5 * float(gradient @ np.linalg.solve(matrix, gradient)) if _positive(matrix) else math.inf


def _covariance(matrix: np.ndarray, scores: np.ndarray, day: np.ndarray) -> np.ndarray | None:
    """Sandwich of the inverse information around the scores summed by day; None where the information is not positive."""
    if not _positive(matrix):
        return None
    sums = np.array([np.bincount(day - day[0], score) for score in scores])
    inverse = np.linalg.inv(matrix)
    return inverse @ (sums @ sums.T) @ inverse


def _natural(theta: np.ndarray, covariance: np.ndarray | None, unit: float) -> tuple[dict[str, float], dict[str, float]]:
    """Annual values and standard errors, by the delta method on the logs."""
    root = math.sqrt(HOURS_PER_YEAR)
    s, rate, d = (math.exp(theta[k]) for k in (1, 2, 4))
    values = {
        "volatility": s * unit * root,
        "jump_rate": rate * HOURS_PER_YEAR,
        "jump_mean": float(theta[3]) * unit,
        "jump_sd": d * unit,
    }
    if covariance is None:
        return values, dict.fromkeys(values, math.nan)
    error = np.sqrt(np.diag(covariance))
    scales = (values["volatility"], values["jump_rate"], unit, values["jump_sd"])
    return values, {name: float(scale * e) for name, scale, e in zip(values, scales, error[1:], strict=True)}


def _probability(theta: np.ndarray, y: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr
    from scipy.stats import poisson

    _, centre, variance = parts(theta, y)
    weight = poisson.pmf(np.arange(_MOST + 1), math.exp(theta[2]))[:, None]
    return np.sum(weight * ndtr((y - centre) / np.sqrt(variance)), axis=0)


__all__ = ["fit_merton", "information", "likelihood"]
