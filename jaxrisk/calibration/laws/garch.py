r"""GARCH(1,1) with Student-t innovations, by maximum likelihood of hourly returns.

Whether there is anything to estimate is asked first, of likelihoods that are maxima without doubt: the Student-t law against the
normal one, of which it is the limit, and variance that clusters against one that is constant. Where the one adds less than chance
may, the likelihood is flat, the optimiser stops anywhere on it, and neither where nor how many starts agree says anything.
"""

import math
import warnings
from typing import Any, NamedTuple

import numpy as np

from ...data.price_file import PriceFile
from .fit import HOURS_PER_YEAR, LawFit, NotFitted, hourly_returns, residual_checks, sample_of

_STARTS = ((0.01, 0.05, 0.94), (0.02, 0.1, 0.88), (0.05, 0.2, 0.75))
"""Share of the variance that is constant, alpha, beta. On hourly Bitcoin the optimiser calls some starts an answer, and stays."""
_SAME = 0.5  # log-likelihood: what a parameter one standard error off costs
_TAILS = 9.55
"""Of twice a log-likelihood: 0.1% of half a chi-square with one degree of freedom, as no tails are thinner than normal ones."""
_CLUSTERS = 13.82
"""0.1% of the chi-square with two, alpha and beta; the ratio itself is smaller, as alpha is at its end (Andrews, 2001)."""
_NORMAL = 200.0
"""Degrees of freedom that stand for a normal law."""
_EDGE = 0.9995
"""Persistence an hour from which the mean variance is not told from none: half of a deviation lasts 58 days."""
_NOTE = (
    "maximum likelihood with zero mean (arch), standard errors robust to a wrong law (Bollerslev and Wooldridge, 1992); "
    "mean_variance by the delta method; the best of four starts, of which two have to agree"
)


class GarchEstimate(NamedTuple):
    """What `arch` found, in units of returns times `scale`.

    **Fields:** `result`: its result object, of the Student-t law, or of the normal one where `tails` is not above `_TAILS`;
    `agree`: starts that led to this likelihood, of four; one alone is no optimum that one can trust; `tails`, `clusters`: twice
    what Student's law adds to the normal one's log-likelihood, and clusters to that of constant variance; `degrees`: of freedom,
    where variance is constant, infinite for a normal law; `log_likelihood`: of the law, of constant variance where `clusters` is
    not above `_CLUSTERS`.
    """

    result: Any
    scale: float
    agree: int
    tails: float
    clusters: float
    degrees: float
    log_likelihood: float


def estimate(returns: np.ndarray) -> GarchEstimate:
    """The likeliest GARCH(1,1)-t with zero mean, of hourly log returns without missing values, from four starts.

    Raises `ImportError` without the package arch.
    """
    from arch import arch_model

    scale = 10.0 / float(np.std(returns))
    starts = [np.array([100.0 * constant, alpha, beta, 4.0]) for constant, alpha, beta in _STARTS]

    def fits(law: str) -> list[Any]:
        model = arch_model(returns * scale, mean="Zero", vol="GARCH", p=1, q=1, dist=law, rescale=False)
        firsts = [None, *(start if law == "t" else start[:3] for start in starts)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return [model.fit(disp="off", starting_values=x, show_warning=False, options={"maxiter": 500}) for x in firsts]

    likelihood = lambda fit: float(fit.loglikelihood)
    student, normal = fits("t"), fits("normal")
    tails = 2.0 * (max(map(likelihood, student)) - max(map(likelihood, normal)))
    chosen = student if tails > _TAILS else normal
    result = max(chosen, key=likelihood)
    constant, degrees = _constant(returns * scale, heavy=tails > _TAILS)
    agree = sum(likelihood(fit) > likelihood(result) - _SAME for fit in chosen)
    clusters = 2.0 * (likelihood(result) - constant)
    highest = likelihood(result) if clusters > _CLUSTERS else constant
    return GarchEstimate(result, scale, agree, tails, clusters, degrees, highest)


def _constant(x: np.ndarray, heavy: bool) -> tuple[float, float]:
    """The highest log-likelihood of values with zero mean and constant variance, and the degrees of freedom; of a normal law if
    the tails are not `heavy`."""
    from scipy import optimize, stats

    variance = float(np.mean(x**2))
    normal = -0.5 * len(x) * (math.log(2.0 * math.pi * variance) + 1.0)
    if not heavy:
        return normal, math.inf

    def negative(theta):
        return -float(np.mean(stats.t.logpdf(x, math.exp(theta[1]), scale=math.exp(theta[0]))))

    first = 0.5 * math.log(variance)
    bounds = [(first - 8.0, first + 1.0), (math.log(1.0), math.log(500.0))]
    best = optimize.minimize(negative, [first - 0.3, math.log(5.0)], method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-13})
    return max(normal, -best.fun * len(x)), float(math.exp(best.x[1]))


def fit_garch(prices: PriceFile) -> LawFit:
    """The estimate as a law; raises `NotFitted` where arch is not installed, or the returns are too few.

    Returns are taken as one series; where a gap was, the variance goes on from the hour before. So that there is a law to look at
    where something is not identified: without clusters it is the one of constant variance, tails that are not told from a normal
    law's have 200 degrees of freedom, and a mean variance that is not identified is the sample's, with alpha + beta at most
    0.9995.
    """
    returns = hourly_returns(prices)
    returns = returns[np.isfinite(returns)]
    try:
        found = estimate(returns)
    except ImportError:
        raise NotFitted("GARCH is fitted by the package arch: pip install 'jaxrisk[calibrate]'") from None
    values, errors, problems = _clustered(found, returns) if found.clusters > _CLUSTERS else _steady(found, returns)
    if found.tails <= _TAILS:
        text = f"Student's law adds no more than {0.5 * _TAILS:.2g} to the log-likelihood of a normal one, as chance may"
        problems.insert(0, f"degrees_of_freedom is not identified: {text}")
    elif values["degrees_of_freedom"] < 2.1:
        problems.append(f"degrees_of_freedom is {values['degrees_of_freedom']:.3g}, at its bound")
    return LawFit(
        process="garch",
        values=values,
        errors=errors,
        converged=found.clusters <= _CLUSTERS or found.agree >= 2,
        problems=tuple(problems),
        checks=_checks(found, values, returns),
        sample=f"{sample_of(prices)}, {len(returns)} hourly returns",
        note=_NOTE,
        words={"reference_step": "1h"},
    )


def _steady(found: GarchEstimate, returns: np.ndarray) -> tuple[dict[str, float], dict[str, float], list[str]]:
    """Values, errors and problems of a law without clusters, in which there is nothing of where the optimiser stopped."""
    variance = HOURS_PER_YEAR * float(np.mean(returns**2))
    degrees = float(np.clip(found.degrees, 2.05, _NORMAL))
    values = {"variance": variance, "mean_variance": variance, "alpha": 0.0, "beta": 0.0, "degrees_of_freedom": degrees}
    text = f"clusters add no more than {0.5 * _CLUSTERS:.2g} to the log-likelihood of constant variance, as chance may"
    return values, {}, [f"alpha, beta and mean_variance are not identified: {text}"]


def _clustered(found: GarchEstimate, returns: np.ndarray) -> tuple[dict[str, float], dict[str, float], list[str]]:
    """Values, errors and problems of a law with clusters."""
    result, scale, problems = found.result, found.scale, []
    annual = HOURS_PER_YEAR / scale**2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        covariance = np.asarray(result.param_cov)
    omega, alpha, beta, *tails = map(float, np.asarray(result.params))
    persistence = alpha + beta
    if found.agree < 2:
        problems.append("the optimiser did not converge: of four starts no two lead to the same likelihood")
    if alpha < 1e-4:
        problems.append(
            "alpha is at its bound of 0: the variance changes, but not with the returns; alpha and beta are not identified"
        )
    following = omega + alpha * (scale * returns[-1]) ** 2 + beta * float(result.conditional_volatility[-1]) ** 2
    room = max(1.0 - persistence, 1e-12)
    mean = omega / room
    slope = np.zeros(len(covariance))
    slope[:3] = 1.0 / room, mean / room, mean / room
    with np.errstate(invalid="ignore"):
        deviations = np.sqrt(np.diag(covariance))
        mean_error = float(np.sqrt(slope @ covariance @ slope))
    names = ("alpha", "beta", "degrees_of_freedom")
    errors = dict(zip(names, map(float, deviations[1:]), strict=False))  # a normal law has no degrees of freedom
    unknown = [name for name, error in errors.items() if not 0.0 < error < math.inf]
    if unknown:
        problems.append(f"{' and '.join(unknown)}: no standard error, the likelihood has no peak there: not identified")
    if persistence > _EDGE or not mean_error <= mean:
        problems.append(
            f"alpha + beta is {persistence:.5f}{', at the bound of 1 (integrated GARCH)' if persistence > _EDGE else ''}: "
            "mean_variance is not identified"
        )
        mean, beta = float(np.var(returns)) * scale**2, min(beta, _EDGE - alpha)
    else:
        errors["mean_variance"] = annual * mean_error
    values = {
        "variance": annual * following, "mean_variance": annual * mean, "alpha": alpha, "beta": beta,
        "degrees_of_freedom": tails[0] if tails else _NORMAL,
    }  # fmt: skip
    return values, {name: error for name, error in errors.items() if name not in unknown}, problems


def _checks(found: GarchEstimate, values: dict[str, float], returns: np.ndarray) -> dict[str, float]:
    """Log-likelihood, residuals and what the data say of tails and clusters, each only where it is no matter of chance."""
    from scipy import stats

    count, degrees = len(returns), values["degrees_of_freedom"]
    checks = {"log_likelihood": found.log_likelihood + count * math.log(found.scale), "observations": float(count)}
    if found.clusters > _CLUSTERS:
        deviation = np.asarray(found.result.conditional_volatility) / found.scale
        checks |= {"persistence": float(np.sum(np.asarray(found.result.params)[1:3])), "starts_that_agree": float(found.agree)}
        checks["likelihood_ratio_to_constant_variance"] = found.clusters
    else:
        deviation = math.sqrt(values["variance"] / HOURS_PER_YEAR)
    standard = returns / deviation
    if found.tails > _TAILS:
        checks["likelihood_ratio_to_normal_innovations"] = found.tails
        return checks | residual_checks(stats.t.cdf(standard * math.sqrt(degrees / (degrees - 2.0)), degrees))
    return checks | residual_checks(stats.norm.cdf(standard))


__all__ = ["GarchEstimate", "estimate", "fit_garch"]
