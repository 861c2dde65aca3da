"""Price laws from price files: known parameters come back, and what the data cannot tell is said.

Laws are simulated by the package's own processes, with fixed seeds. A parameter is compared at 4.5 of its standard errors: 7e-6
false failures each, 1e-4 in the file. Where a moment is known to be off by construction the docstring says so.
"""

import tomllib
from importlib.util import find_spec
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recorded import PRICES

from jaxrisk.calibration.laws import garch as law_garch
from jaxrisk.calibration.laws.fits import PROCESSES, LawFit, fit_law
from jaxrisk.calibration.laws.merton import information, likelihood
from jaxrisk.config import ConfigError
from jaxrisk.config.tables import PROCESSES as MODELS
from jaxrisk.data.price_file import PriceFile, read_price_file

ROOT = Path(__file__).parents[2]
needs_arch = pytest.mark.skipif(find_spec("arch") is None, reason="the package arch is not installed (extra: calibrate)")
HOUR = 1.0 / 8760.0
GARCH = {"variance": 0.4, "mean_variance": 0.4, "alpha": 0.1, "beta": 0.85, "degrees_of_freedom": 5.0}
MERTON = {"volatility": 0.5, "jump_rate": 90.0, "jump_mean": -0.01, "jump_sd": 0.03}
BATES = {
    "variance": 0.3, "mean_variance": 0.3, "reversion": 35.0, "vol_of_variance": 3.5, "leverage_correlation": -0.4,
    "jump_rate": 50.0, "jump_mean": -0.01, "jump_sd": 0.05,
}  # fmt: skip


def price_file(returns, start="2010-01-01T00:00:00", step=3600) -> PriceFile:
    close = 100.0 * np.exp(np.concatenate([[0.0], np.cumsum(returns)]))
    time = np.datetime64(start, "s") + np.arange(len(close)) * np.timedelta64(step, "s")
    return PriceFile("simulated", time, step, close, close, close, close, np.ones(len(close)))


def market(process, values):
    return LawFit(process, values, {}, True, (), {}, "", "").market()


def simulate(process, values, hours, seed=0, substeps=1) -> np.ndarray:
    """Hourly log returns of one path of the package's process."""
    law = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), market(process, values))
    constants, shape = law.prepare(jnp.asarray(HOUR / substeps)), law.noise()

    def body(state, index):
        normal, uniform = jax.random.split(jax.random.fold_in(jax.random.key(seed), index))
        tiny = jnp.finfo(jnp.float32).tiny
        uniforms = jax.random.uniform(uniform, (shape.uniforms,), minval=tiny)
        state, move = law.step(constants, state, jax.random.normal(normal, (shape.normals,)), uniforms, index)
        return state, move.diffusion[0] + move.jump[0]

    run = jax.jit(lambda: jax.lax.scan(body, law.init(constants), jnp.arange(hours * substeps))[1])
    return np.asarray(run(), float).reshape(hours, substeps).sum(axis=1)


def recovered(fit, truth, names=None):
    assert fit.usable, fit.problems
    for name in names or fit.errors:
        assert abs(fit.values[name] - truth[name]) < 4.5 * fit.errors[name], name


@pytest.mark.slow
@needs_arch
def test_garch_is_recovered():
    """All four parameters, with errors small enough to see 20% of each; and the residuals are Student's."""
    returns = simulate("garch", GARCH, 40_000)
    fit = fit_law(price_file(returns), "garch")
    recovered(fit, GARCH)
    for name in fit.errors:
        assert fit.errors[name] < 0.2 * GARCH[name], name
    assert fit.checks["ks"] < 1.63 / np.sqrt(40_000)  # 1% of the Kolmogorov distribution
    path = np.empty(40_001)
    path[0] = fit.values["mean_variance"]
    for i, r in enumerate(returns):  # the variance after the last hour, by hand
        spent, mean, (alpha, beta) = r**2 / HOUR, fit.values["mean_variance"], (fit.values["alpha"], fit.values["beta"])
        path[i + 1] = mean * (1 - alpha - beta) + alpha * spent + beta * path[i]
    assert fit.values["variance"] == pytest.approx(path[-1], rel=1e-4)


@pytest.mark.slow
@needs_arch
def test_integrated_garch_is_not_identified():
    """With alpha + beta = 1.01, stationary without a mean variance, the fit says so; its values still make a law."""
    truth = {**GARCH, "alpha": 0.15, "beta": 0.86, "mean_variance": -2.0}  # a constant of 0.02, as in the other test
    fit = fit_law(price_file(simulate("garch", truth, 40_000)), "garch")
    assert fit.converged
    assert not fit.usable
    assert "mean_variance is not identified" in fit.problems[0]
    assert "mean_variance" not in fit.errors
    assert fit.values["alpha"] + fit.values["beta"] < 1.0
    assert fit.market(0.5).variance[0] == 0.5


@pytest.mark.slow
def test_merton_is_recovered():
    """Rate, mean and size of the jumps and the volatility, with errors that tell 25% of the rate and the size."""
    fit = fit_law(price_file(simulate("merton", MERTON, 40_000)), "merton")
    recovered(fit, MERTON)
    assert fit.errors["jump_rate"] < 0.25 * MERTON["jump_rate"]
    assert fit.errors["jump_sd"] < 0.25 * MERTON["jump_sd"]
    assert fit.checks["ks"] < 1.63 / np.sqrt(40_000)


@pytest.mark.slow
def test_mertons_standard_errors():
    """For independent hours the estimates of the information agree: differences of gradients, of values, outer products.

    And errors by the sandwich are the scatter over twelve samples, within 4.5 relative errors of a scatter of twelve, 0.21.
    """
    x = simulate("merton", MERTON, 40_000)
    theta = np.array([0.0, np.log(0.5 * HOUR**0.5), np.log(90 * HOUR), -0.01, np.log(0.03)])
    value, score = likelihood(theta, x)
    matrix = information(theta, x)
    unit = np.sqrt(np.outer(np.diag(matrix), np.diag(matrix)))
    np.testing.assert_allclose(score @ score.T / unit, matrix / unit, atol=0.4)  # 400 jumps
    steps = 1e-3 / np.sqrt(np.diag(matrix)) * 30.0
    for i in range(5):
        shift = steps * (np.arange(5) == i)
        up, down = (likelihood(theta + sign * shift, x)[0].sum() for sign in (1, -1))
        assert -(up - 2.0 * value.sum() + down) / steps[i] ** 2 == pytest.approx(matrix[i, i], rel=0.01)
        assert (up - down) / (2.0 * steps[i]) == pytest.approx(score[i].sum(), abs=0.02 * np.sqrt(matrix[i, i]))
    grid = np.linspace(-0.3, 0.3, 200_001)
    assert np.exp(likelihood(theta, grid)[0]).sum() * (grid[1] - grid[0]) == pytest.approx(1.0, abs=1e-6)
    fits = []
    for seed in range(12):
        random = np.random.default_rng(seed)
        number = random.poisson(90 * HOUR * 4, 5000)  # four times the rate: as many jumps in fewer hours
        jumps = -0.01 * number + 0.03 * np.sqrt(number) * random.standard_normal(5000)
        fits.append(fit_law(price_file(0.5 * HOUR**0.5 * random.standard_normal(5000) + jumps), "merton"))
    for name in fits[0].errors:
        scatter = np.std([fit.values[name] for fit in fits], ddof=1)
        assert abs(np.log(np.median([fit.errors[name] for fit in fits]) / scatter)) < 4.5 * 0.21, name


@pytest.mark.slow
def test_bates_is_recovered():
    """Level, reversion, volatility of the variance and leverage within 4.5 standard errors, on 20 years of hours.

    The threshold finds the larger jumps only: fewer and larger than the truth, with nearly all of their variance.
    """
    fit = fit_law(price_file(simulate("bates", BATES, 20 * 8760, substeps=4)), "bates")
    recovered(fit, BATES, ("mean_variance", "reversion", "vol_of_variance", "leverage_correlation"))
    assert fit.errors["reversion"] < 0.5 * BATES["reversion"]
    assert fit.errors["vol_of_variance"] < 0.5 * BATES["vol_of_variance"]
    assert 0.4 * BATES["jump_rate"] < fit.values["jump_rate"] < 0.8 * BATES["jump_rate"]
    assert BATES["jump_sd"] < fit.values["jump_sd"] < 1.6 * BATES["jump_sd"]
    truth, found = (v["jump_rate"] * (v["jump_sd"] ** 2 + v["jump_mean"] ** 2) for v in (BATES, fit.values))
    assert 0.7 * truth < found < 1.2 * truth
    assert abs(fit.checks["variance_of_law_over_sample"] - 1.0) < 0.02


@needs_arch
def test_bootstrap_takes_the_files_rows():
    """Blocks are as long as volatility clusters: one for independent returns, days for GARCH; a gap is a problem."""
    random = np.random.default_rng(0)
    independent = fit_law(price_file(random.normal(0.0, 0.01, 5000)), "bootstrap")
    clustered = fit_law(price_file(simulate("garch", GARCH, 5000)), "bootstrap")
    assert independent.usable
    assert independent.values["mean_block"] < 10 < clustered.values["mean_block"]
    law = independent.market(0.25)
    assert np.var(np.asarray(law.log_returns)) * 8760 == pytest.approx(0.25)
    prices = price_file(random.normal(0.0, 0.01, 5000))
    holed = PriceFile("holed", np.delete(prices.time, 99), 3600, *(np.delete(column, 99) for column in prices[3:8]))
    assert "without gaps" in fit_law(holed, "bootstrap").problems[0]


@needs_arch
@pytest.mark.parametrize("process", PROCESSES)
def test_too_little_or_nothing_moves(process):
    """Thirty rows, a constant price, a price that hardly moves, bars of four hours: no values, and the reason in a sentence."""
    quiet = np.zeros(9000)
    quiet[::50] = 0.01
    cases = {
        "30 hourly returns": price_file(np.random.default_rng(0).normal(0.0, 0.01, 30)),
        "does not move in 9000 of 9000": price_file(np.zeros(9000)),
        "does not move in 8820 of 9000": price_file(quiet),
        "do not divide an hour": price_file(np.random.default_rng(0).normal(0.0, 0.01, 900), step=14400),
        "0 hourly returns": price_file(np.zeros(9000)).between("2030-01-01"),
    }
    for words, prices in cases.items():
        fit = fit_law(prices, process)
        assert (fit.converged, fit.usable, fit.values, fit.table()) == (False, False, {}, [])
        assert words in fit.problems[0]
        with pytest.raises(ValueError, match="law:"):
            fit.market()


@pytest.mark.slow
@needs_arch
def test_independent_normal_returns_identify_no_law_of_volatility():
    """Without clusters and jumps: each law says which of its parameters it cannot tell, the same words for every sample.

    By the 0.1% of its two tests a sample has clusters or tails after all: 2e-3 false failures for a new seed. What is said is
    nothing of where an optimiser stopped, which on a flat likelihood is a matter of the last bits.
    """
    words = {
        "garch": ("degrees_of_freedom is not identified", "alpha, beta and mean_variance are not identified"),
        "merton": ("the returns show no jumps",),
    }
    for process, expected in words.items():
        said = set()
        for seed, count in ((3, 6000), (0, 3000), (1, 3000)):
            returns = np.random.default_rng(seed).normal(0.0, 0.005, count)
            fit = fit_law(price_file(returns), process)
            assert fit.converged
            assert not fit.usable
            assert len(fit.problems) == len(expected)
            assert all(map(str.startswith, fit.problems, expected)), fit.problems
            said.add(fit.problems)
            annual = {key: value for key, value in fit.values.items() if key.endswith("variance")}
            annual |= {"volatility": fit.values["volatility"] ** 2} if process == "merton" else {}
            assert annual == pytest.approx(dict.fromkeys(annual, 0.005**2 / HOUR), rel=0.1)  # 4 standard errors of 3,000
        assert len(said) == 1
    bates = fit_law(price_file(np.random.default_rng(3).normal(0.0, 0.005, 20_000)), "bates")
    assert not bates.usable
    assert any(word in problem for problem in bates.problems for word in ("not identified", "no hour is beyond"))


@pytest.mark.slow
@needs_arch
def test_what_is_said_of_a_flat_likelihood_is_not_where_the_optimiser_stopped(monkeypatch):
    """Wherever it starts, and with returns changed in their last bits: the same problems, and the same values to four digits."""
    returns = np.random.default_rng(3).normal(0.0, 0.005, 3000)
    heavy = 0.005 * np.random.default_rng(4).standard_t(5.0, 3000)
    for x, degrees in ((returns, 200.0), (heavy, 5.0)):
        fits = []
        for starts in (law_garch._STARTS, ((0.5, 0.3, 0.2), (0.9, 0.01, 0.09)), ((0.001, 0.001, 0.998),)):
            monkeypatch.setattr(law_garch, "_STARTS", starts)
            fits.append(fit_law(price_file(x), "garch"))
        monkeypatch.undo()
        fits.append(fit_law(price_file(np.nextafter(x, 1.0)), "garch"))
        assert len({fit.problems for fit in fits}) == 1
        assert not any("starts" in problem for problem in fits[0].problems)
        for fit in fits[1:]:
            assert fit.values == pytest.approx(fits[0].values, rel=1e-4)
            assert fit.checks == pytest.approx(fits[0].checks, rel=1e-4)
        assert fits[0].values["degrees_of_freedom"] == pytest.approx(degrees, rel=0.4)  # 4 standard errors
        assert (fits[0].values["alpha"], fits[0].values["beta"], fits[0].errors) == (0.0, 0.0, {})


@needs_arch
def test_one_start_alone_is_no_optimum(monkeypatch):
    """Where there are clusters, starts that lead to different likelihoods are said, and not otherwise."""
    prices = price_file(simulate("garch", GARCH, 5000))
    found = law_garch.estimate(np.diff(np.log(prices.close)))
    assert found.agree == 4
    monkeypatch.setattr(law_garch, "estimate", lambda returns: found._replace(agree=1))
    fit = fit_law(prices, "garch")
    assert not fit.converged
    assert [problem for problem in fit.problems if "of four starts no two" in problem]


def test_unknown_process():
    with pytest.raises(ConfigError, match=r'did you mean "bates"'):
        fit_law(price_file(np.zeros(10)), "batse")


@pytest.mark.slow
def test_dates_cut_the_sample():
    """Only bars closed after `start` and by `end` count, and the sample says which."""
    returns = simulate("merton", MERTON, 9000)
    changed = returns.copy()
    changed[4000:] *= 3.0
    end = np.datetime64("2010-01-01T01:00:00") + np.timedelta64(4000, "h")
    fits = [fit_law(price_file(x), "merton", end=end) for x in (returns, changed)]
    assert fits[0].values == fits[1].values
    assert "2010-01-01 to 2010-06-16, 4000 hourly returns" in fits[0].sample
    assert fit_law(price_file(changed), "merton").values["jump_rate"] > 2.0 * fits[0].values["jump_rate"]


def test_tables_are_what_a_scenario_takes():
    """Every key that `[market]` of the process needs, and none that it does not know, each with its origin."""
    for process, values in (("garch", GARCH), ("merton", MERTON), ("bates", BATES)):
        words = {"reference_step": "1h"} if process == "garch" else {}
        lines = LawFit(process, values, {"jump_rate": 3.0}, True, (), {}, "f.csv, 2020", "", words).table()
        given = {"process": process, **{key: value for key, value, _ in lines}}
        model = MODELS[process].model_validate(given)
        assert given.keys() >= {name for name, field in type(model).model_fields.items() if field.is_required()}
        assert all(origin.startswith("MEASURED: f.csv, 2020") for _, _, origin in lines)
        assert "s.e. 3" in dict((key, origin) for key, _, origin in lines).get("jump_rate", "s.e. 3")


@pytest.mark.slow
@needs_arch
def test_bitcoin():
    """Bates' law is that of the shipped scenario; the optimiser of GARCH does not stay at its start; Merton's jumps are many."""
    if not PRICES.exists():
        pytest.skip(f"no price files in {PRICES}")
    prices = read_price_file(PRICES / "btc_perp_1h_2019_2026.csv.gz")
    shipped = tomllib.loads((ROOT / "configs/scenarios/btc_24h.toml").read_text())["market"]
    bates = fit_law(prices, "bates")
    assert bates.usable
    for name, value in bates.values.items():
        assert shipped[name] == float(f"{value:.3g}"), name
    garch = fit_law(prices, "garch")
    assert garch.checks["log_likelihood"] > 227_900
    assert "integrated" in garch.problems[0]
    assert fit_law(prices, "merton").usable


def test_without_arch(monkeypatch):
    """GARCH and bootstrap say what to install; nothing falls over."""
    import sys

    monkeypatch.setitem(sys.modules, "arch", None)
    monkeypatch.setitem(sys.modules, "arch.bootstrap", None)
    prices = price_file(np.random.default_rng(0).normal(0.0, 0.01, 2000))
    for process in ("garch", "bootstrap"):
        fit = fit_law(prices, process)
        assert not fit.usable
        assert "jaxrisk[calibrate]" in fit.problems[0]
