"""GARCH(1,1) with Student-t innovations, by maximum likelihood of hourly returns."""

import math
import warnings
from typing import Any, NamedTuple

import numpy as np

from .law import HOURS_PER_YEAR, LawFit, NotFitted, hourly_returns, residual_checks, sample_of
from .price_file import PriceFile

_STARTS = ((0.01, 0.05, 0.94), (0.02, 0.1, 0.88), (0.05, 0.2, 0.75))
"""Share of the variance that is constant, alpha, beta. On hourly Bitcoin the optimiser calls some starts an answer, and stays."""
_SAME = 0.5  # log-likelihood: what a parameter one standard error off costs
_EDGE = 0.9995
"""Persistence an hour from which the mean variance is not told from none: half of a deviation lasts 58 days."""
_NOTE = (
    "maximum likelihood with zero mean (arch), standard errors robust to a wrong law (Bollerslev and Wooldridge, 1992); "
    "mean_variance by the delta method; the best of four starts, of which two have to agree"
)


class GarchEstimate(NamedTuple):
    """What `arch` found.

    **Fields:** `result`: its result object, in units of returns times `scale`; `agree`: starts that led to this likelihood,
    of four; one alone is no optimum that one can trust.
    """

    result: Any
    scale: float
    agree: int


def estimate(returns: np.ndarray) -> GarchEstimate:
    """The likeliest GARCH(1,1)-t with zero mean, of hourly log returns without missing values, from four starts.

    Raises `ImportError` without the package arch.
    """
    from arch import arch_model

    scale = 10.0 / float(np.std(returns))
    model = arch_model(returns * scale, mean="Zero", vol="GARCH", p=1, q=1, dist="t", rescale=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        starts = [np.array([100.0 * constant, alpha, beta, 4.0]) for constant, alpha, beta in _STARTS]
        fits = [model.fit(disp="off", starting_values=x, show_warning=False, options={"maxiter": 500}) for x in (None, *starts)]
    result = max(fits, key=lambda fit: fit.loglikelihood)
    return GarchEstimate(result, scale, sum(fit.loglikelihood > result.loglikelihood - _SAME for fit in fits))


def fit_garch(prices: PriceFile) -> LawFit:
    """The estimate as a law; raises `NotFitted` where arch is not installed, or the returns are too few.

    Returns are taken as one series; where a gap was, the variance goes on from the hour before. Where the mean variance is not
    identified, the sample's is put in its place, with alpha + beta at most 0.9995, so that there is a law to look at.
    """
    returns = hourly_returns(prices)
    returns = returns[np.isfinite(returns)]
    try:
        result, scale, agree = estimate(returns)
    except ImportError:
        raise NotFitted("GARCH is fitted by the package arch: pip install 'jaxrisk[calibrate]'") from None
    annual = HOURS_PER_YEAR / scale**2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        covariance = np.asarray(result.param_cov)
    omega, alpha, beta, degrees = (float(value) for value in result.params)
    persistence = alpha + beta
    problems = []
    if agree < 2:
        problems.append("the optimiser did not converge: of four starts no two lead to the same likelihood")
    if alpha < 1e-4:
        problems.append("alpha is at its bound of 0: the returns show no clustering, and beta is not identified")
    if degrees < 2.1 or degrees > 200.0:
        problems.append(f"degrees_of_freedom is {degrees:.3g}, {'at its bound' if degrees < 2.1 else 'a normal law'}")
    room = max(1.0 - persistence, 1e-12)
    mean = omega / room
    slope = np.array([1.0 / room, mean / room, mean / room, 0.0])
    deviations = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    mean_error = math.sqrt(max(float(slope @ covariance @ slope), 0.0))
    errors = {"alpha": float(deviations[1]), "beta": float(deviations[2]), "degrees_of_freedom": float(deviations[3])}
    if persistence > _EDGE or mean_error > mean:
        problems.append(
            f"alpha + beta is {persistence:.5f}{', at the bound of 1 (integrated GARCH)' if persistence > _EDGE else ''}: "
            "mean_variance is not identified"
        )
        mean, beta = float(np.var(returns)) * scale**2, min(beta, _EDGE - alpha)
    else:
        errors["mean_variance"] = annual * mean_error
    last = float(result.conditional_volatility[-1]) ** 2
    following = omega + alpha * (scale * returns[-1]) ** 2 + beta * last
    standard = np.asarray(result.resid) / np.asarray(result.conditional_volatility)
    checks = {
        "log_likelihood": float(result.loglikelihood) + len(returns) * math.log(scale),
        "observations": float(len(returns)), "persistence": persistence, "starts_that_agree": float(agree),
    }  # fmt: skip
    return LawFit(
        process="garch",
        values={
            "variance": annual * float(following), "mean_variance": annual * mean, "alpha": alpha, "beta": beta,
            "degrees_of_freedom": degrees,
        },
        errors=errors,
        converged=agree >= 2,
        problems=tuple(problems),
        checks=checks | residual_checks(result.model.distribution.cdf(standard, np.array([degrees]))),
        sample=f"{sample_of(prices)}, {len(returns)} hourly returns",
        note=_NOTE,
        words={"reference_step": "1h"},
    )  # fmt: skip


__all__ = ["GarchEstimate", "estimate", "fit_garch"]
