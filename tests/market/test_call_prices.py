"""European calls under each process against Fourier prices: martingale and distribution at once.

Every comparison is of a mean with its standard error at |z| < 5: a right formula fails 6e-7 of the time, the file 2e-5.
"""

import numpy as np
import pytest
from scipy.integrate import quad

from jaxrisk.market import GBM, Bates, Heston, Kou, Merton

HESTON = {"kappa": 1.5768, "theta": 0.0398, "xi": 0.5751, "v0": 0.0175, "rho": -0.5711}
NORMAL = {"rate": 1.0, "mean": -0.1, "sd": 0.15}
PATHS = 100_000


def heston_exponent(u, years, kappa, theta, xi, v0, rho):
    """Log characteristic function of the log of the martingale, in the form without a branch cut (Albrecher et al., 2007)."""
    b = kappa - 1j * rho * xi * u
    d = np.sqrt(b * b + xi * xi * (1j * u + u * u))
    g = (b - d) / (b + d)
    decay = np.exp(-d * years)
    level = kappa * theta / xi**2 * ((b - d) * years - 2 * np.log((1 - g * decay) / (1 - g)))
    return level + v0 / xi**2 * (b - d) * (1 - decay) / (1 - g * decay)


def brownian_exponent(u, years, sigma):
    return -0.5 * sigma**2 * years * (1j * u + u * u)


def jump_exponent(u, years, rate, transform):
    return rate * years * (transform(u) - 1 - 1j * u * (transform(-1j) - 1))


def normal_jumps(u, years, rate, mean, sd):
    return jump_exponent(u, years, rate, lambda w: np.exp(1j * w * mean - 0.5 * sd**2 * w * w))


def kou_jumps(u, years, rate, up, up_rate, down_rate):
    transform = lambda w: up * up_rate / (up_rate - 1j * w) + (1 - up) * down_rate / (down_rate + 1j * w)
    return jump_exponent(u, years, rate, transform)


def call(exponent, years, strike, drift=0.0, spot=100.0):
    """Price by the integral of Lewis (2001)."""
    forward = spot * np.exp(drift * years)
    moneyness = np.log(forward / strike)
    integrand = lambda u: (np.exp(1j * u * moneyness + exponent(u - 0.5j))).real / (u * u + 0.25)
    integral = quad(integrand, 0, 400, limit=800)[0]
    return np.exp(-drift * years) * (forward - np.sqrt(forward * strike) / np.pi * integral)


def controlled(log_price, years, strike, drift, spot=100.0):
    """Discounted payoffs less their regression on the price, whose mean is known: a third of the standard error."""
    price = spot * np.exp(log_price - drift * years)
    payoff = np.maximum(price - strike * np.exp(-drift * years), 0.0)
    slope = np.cov(payoff, price)[0, 1] / price.var()
    return payoff - slope * (price - spot)


def heston(scheme="qe", rho=HESTON["rho"]):
    return Heston([0.0], [0.0175], [0.0398], [1.5768], [0.5751], [rho], [[1.0]], scheme=scheme)


CASES = {
    "heston 1y": (heston(), 1.0, 32, 100.0, 0.0, 5.785155, lambda u: heston_exponent(u, 1.0, **HESTON)),
    "heston 10y": (heston(), 10.0, 80, 100.0, 0.0, 22.318946, lambda u: heston_exponent(u, 10.0, **HESTON)),
    "heston full truncation": (
        heston("full_truncation"), 1.0, 200, 100.0, 0.0, 5.785155, lambda u: heston_exponent(u, 1.0, **HESTON),
    ),
    "bates": (
        Bates([0.0], [0.0175], [0.0398], [1.5768], [0.5751], [-0.5711], [[1.0]], [1.0], [-0.1], [0.15], 0.0, max_jumps=5),
        1.0, 32, 100.0, 0.0, 9.010754, lambda u: heston_exponent(u, 1.0, **HESTON) + normal_jumps(u, 1.0, **NORMAL),
    ),
    "merton": (
        Merton([0.05], [0.2], [[1.0]], [1.0], [-0.1], [0.15], 0.0, max_jumps=10),
        1.0, 2, 100.0, 0.05, 12.761289, lambda u: brownian_exponent(u, 1.0, 0.2) + normal_jumps(u, 1.0, **NORMAL),
    ),
    "kou": (
        Kou([0.05], [0.16], [[1.0]], [1.0], [0.4], [10.0], [5.0], 0.0, max_jumps=8),
        0.5, 2, 98.0, 0.05, 9.14732, lambda u: brownian_exponent(u, 0.5, 0.16) + kou_jumps(u, 0.5, 1.0, 0.4, 10.0, 5.0),
    ),
    "gbm": (GBM([0.05], [0.2], [[1.0]]), 1.0, 1, 100.0, 0.05, 10.450584, lambda u: brownian_exponent(u, 1.0, 0.2)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_reference_prices_are_right(name):
    """The Fourier integral agrees with the published figure to its digits."""
    _, years, _, strike, drift, published, exponent = CASES[name]
    assert call(exponent, years, strike, drift) == pytest.approx(published, abs=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_call_price_and_martingale(driver, name):
    """A bias of 5 standard errors shows: 1.5% of the price. False failures 6e-7 each of two comparisons."""
    market, years, steps, strike, drift, price, _ = CASES[name]
    paths = driver.simulate(market, years, steps, PATHS, seed=11)
    sample = controlled(paths.log_price[:, 0], years, strike, drift)
    assert 5 * sample.std() / np.sqrt(PATHS) < 0.015 * price
    driver.within(sample, price)
    driver.within(np.exp(paths.log_price[:, 0]), np.exp(drift * years))


@pytest.mark.slow
def test_wrong_formulas_fail(driver):
    """Without the jumps' compensator, with the leverage's sign flipped, with jumps too rare, each comparison fails."""
    market, years, steps, strike, drift, price, _ = CASES["merton"]
    log_price = driver.simulate(market, years, steps, PATHS, seed=11).log_price[:, 0]
    uncompensated = log_price + np.expm1(-0.1 + 0.5 * 0.15**2)
    assert abs(driver.z_score(np.exp(uncompensated), np.exp(drift * years))) > 10
    assert abs(driver.z_score(controlled(uncompensated, years, strike, drift), price)) > 5

    _, years, steps, strike, drift, price, _ = CASES["heston 1y"]
    flipped = driver.simulate(heston(rho=0.5711), years, steps, PATHS, seed=11).log_price[:, 0]
    assert abs(driver.z_score(controlled(flipped, years, strike, drift), price)) > 10

    _, years, steps, strike, drift, price, _ = CASES["bates"]
    rarer = Bates([0.0], [0.0175], [0.0398], [1.5768], [0.5751], [-0.5711], [[1.0]], [0.7], [-0.1], [0.15], 0.0, max_jumps=5)
    log_price = driver.simulate(rarer, years, steps, PATHS, seed=11).log_price[:, 0]
    assert abs(driver.z_score(controlled(log_price, years, strike, drift), price)) > 5


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 4])
def test_jump_processes_are_exact_for_any_step(driver, steps):
    """One step a year gives the same price as four. False failures 6e-7 each of two comparisons."""
    for name in ("merton", "kou"):
        market, years, _, strike, drift, price, _ = CASES[name]
        log_price = driver.simulate(market, years, steps, PATHS // 2, seed=12).log_price[:, 0]
        driver.within(controlled(log_price, years, strike, drift), price)
