"""Print how often 95% intervals hold, and how right their standard errors are, over many samples from laws that are known.

Laws: normal, Student with four degrees of freedom, an atom at zero on 97% of the paths, and drawdowns drawn again from a large
run of a shipped scenario; each plain and importance-weighted. A true coverage of 95% shows as 95% ± 0.7% (1,000 replications).
"""

import argparse
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from jaxrisk import risk

PATHS, REPLICATIONS, POOL = 20_000, 1_000, 1_048_576
BAND_PATHS = 2_000
MEASURES = ("mean", "VaR 99%", "ES 99%", "expectile 99%", "exceedance", "mean excess", "Pareto VaR", "Pareto ES", "band")


class Law(NamedTuple):
    """A law of losses: `draw(random, n)` gives losses and log-weights; `tail`, `quantile`, `shortfall`, `excess` are the truth.

    `deep`: level of the Pareto figures; `mean` and `expectile` at 99% are numbers, NaN where the interval is not claimed.
    """

    name: str
    draw: Callable[[np.random.Generator, int], tuple[np.ndarray, Any]]
    mean: float
    expectile: float
    tail: Callable[[Any], Any]
    quantile: Callable[[float], float]
    shortfall: Callable[[float], float]
    deep: float


def expectile_of(mean: float, excess: Callable[[float], float], least: float, most: float, level: float = 0.99) -> float:
    """The expectile of a law by bisection of its definition; `excess(x)` is the expected loss beyond x, E[(L - x)+]."""
    for _ in range(200):
        middle = 0.5 * (least + most)
        above = (2.0 * level - 1.0) * excess(middle) > (1.0 - level) * (middle - mean)
        least, most = (middle, most) if above else (least, middle)
    return middle


def from_continuous(name: str, law: Any, draw: Callable, deep: float, mean_known: bool = True) -> Law:
    """A law of SciPy's with everything by quadrature of its tail."""
    shortfall = lambda level: law.expect(lb=law.ppf(level)) / (1.0 - level)
    excess = lambda x: law.expect(lambda loss: loss - x, lb=x)
    mean = float(law.mean())
    expectile = expectile_of(mean, excess, mean, law.ppf(0.9999)) if mean_known else np.nan
    return Law(name, draw, mean if mean_known else np.nan, expectile, law.sf, law.ppf, shortfall, deep)


def tilted_normal(random: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    losses = random.standard_normal(n) + 1.0
    return losses, 0.5 - losses


def scaled_student(random: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    losses = 2.0 * random.standard_t(4, n)
    return losses, np.log(2.0) + 2.5 * (np.log1p(losses**2 / 16.0) - np.log1p(losses**2 / 4.0))


def with_atom(share: float, stretch: float) -> Callable:
    """Zero but for `share` of the paths, exponential with mean `stretch` there; weighted to 3% and mean 1."""

    def draw(random: np.random.Generator, n: int) -> tuple[np.ndarray, Any]:
        losses = np.where(random.random(n) < share, stretch * random.exponential(size=n), 0.0)
        zero, other = np.log(0.97 / (1.0 - share)), np.log(0.03 / share * stretch) - losses * (1.0 - 1.0 / stretch)
        return losses, None if stretch == 1.0 else np.where(losses > 0.0, other, zero)

    return draw


def atom_law(name: str, draw: Callable, deep: float) -> Law:
    """Zero on 97% of the paths, else exponential with mean 1."""
    tail = lambda x: np.where(np.asarray(x) < 0.0, 1.0, 0.03 * np.exp(-np.asarray(x)))
    quantile = lambda level: float(np.log(0.03 / (1.0 - level)))  # for levels beyond the atom
    expectile = expectile_of(0.03, lambda x: 0.03 * np.exp(-x), 0.0, 20.0)
    return Law(name, draw, 0.03, expectile, tail, quantile, lambda level: quantile(level) + 1.0, deep)


def pool_law(name: str, pool: np.ndarray, share: float, deep: float) -> Law:
    """Draws from a pool; of them `share` from its worst 5%, the rest from all, weighted accordingly (a defensive mixture)."""
    pool = np.sort(pool)
    worst = pool.size - pool.size // 20

    def draw(random: np.random.Generator, n: int) -> tuple[np.ndarray, Any]:
        place = random.integers(0, pool.size, n)
        place = np.where(random.random(n) < share, random.integers(worst, pool.size, n), place)
        ratio = np.where(place >= worst, 1.0 - share + share * pool.size / (pool.size - worst), 1.0 - share)
        return pool[place], None if share == 0.0 else -np.log(ratio)

    def quantile(level: float) -> float:
        return float(pool[min(int(np.ceil(level * pool.size * (1.0 - 1e-12))) - 1, pool.size - 1)])

    def shortfall(level: float) -> float:
        return quantile(level) + float(np.maximum(pool - quantile(level), 0.0).mean()) / (1.0 - level)

    tail = lambda x: 1.0 - np.searchsorted(pool, x, side="right") / pool.size
    expectile = expectile_of(float(pool.mean()), lambda x: float(np.maximum(pool - x, 0.0).mean()), pool[0], pool[-1])
    return Law(name, draw, float(pool.mean()), expectile, tail, quantile, shortfall, deep)


def plain(draw: Callable) -> Callable:
    return lambda random, n: (draw(random, n), None)


def laws(pool: np.ndarray) -> dict[str, Law]:
    """All laws; the losses of importance-weighted ones are drawn from another law that reaches further."""
    normal, student = stats.norm(), stats.t(4)
    found = [
        from_continuous("normal", normal, plain(lambda random, n: random.standard_normal(n)), 0.999),
        from_continuous("Student (4)", student, plain(lambda random, n: random.standard_t(4, n)), 0.999),
        atom_law("atom at zero", with_atom(0.03, 1.0), 0.9999),
        from_continuous("normal, weighted", normal, tilted_normal, 1.0 - 1e-5),
        from_continuous("Student (4), weighted", student, scaled_student, 1.0 - 1e-4),
        atom_law("atom at zero, weighted", with_atom(0.2, 2.0), 1.0 - 1e-5),
    ]
    if pool.size:
        found.insert(3, pool_law("drawdowns", pool, 0.0, 0.999))
        found.append(pool_law("drawdowns, weighted", pool, 0.1, 0.999))
    return {law.name: law for law in found}


def replicate(law: Law, replications: int, seed: int, paths: int = PATHS) -> tuple[np.ndarray, np.ndarray]:
    """Shares of intervals that hold, and stated over observed standard errors; one number a measure but the band."""
    excess_over = law.quantile(0.98)
    probability = float(law.tail(excess_over))
    truth = (
        law.mean, law.quantile(0.99), law.shortfall(0.99), law.expectile, probability,
        law.shortfall(1.0 - probability) - excess_over, law.quantile(law.deep), law.shortfall(law.deep),
    )  # fmt: skip
    random = np.random.default_rng(seed)
    found = np.zeros((replications, len(truth), 4))
    for row in found:
        losses, log_weights = law.draw(random, paths)
        tail = risk.pareto_tail(losses, log_weights)
        estimates = (
            risk.mean(losses, log_weights), risk.value_at_risk(losses, 0.99, log_weights),
            risk.expected_shortfall(losses, 0.99, log_weights), risk.expectile(losses, 0.99, log_weights),
            risk.exceedance_probability(losses, excess_over, log_weights), risk.mean_excess(losses, excess_over, log_weights),
            tail.quantile(law.deep), tail.expected_shortfall(law.deep),
        )  # fmt: skip
        row[:] = [estimate[:4] for estimate in estimates]
    held = (found[:, :, 2] <= truth) & (truth <= found[:, :, 3])
    shares = np.where(np.isnan(truth), np.nan, held.mean(axis=0))
    return shares, found[:, :, 1].mean(axis=0) / found[:, :, 0].std(axis=0)


def band_coverage(law: Law, replications: int, seed: int, paths: int = BAND_PATHS) -> float:
    """Share of samples whose simultaneous band holds at every loss: just before and at each loss seen."""
    random, held = np.random.default_rng(seed), 0
    for _ in range(replications):
        losses, log_weights = law.draw(random, paths)
        seen = np.unique(losses)
        levels = np.concatenate([seen, np.nextafter(seen, -np.inf)])
        band = risk.exceedance_curve(losses, levels, log_weights, simultaneous=True)
        truth = np.append(law.tail(seen), law.tail(np.nextafter(seen, -np.inf)))
        held += bool(((band.low <= truth) & (truth <= band.high)).all())
    return held / replications


def drawdown_pool() -> np.ndarray:
    """Index drawdowns of a day of the shipped scenario, in quarter-hour steps."""
    import jaxrisk as jr

    return jr.simulate(jr.load("btc_24h"), paths=POOL, steps=96, seed=11, sample_paths=0)["max_drawdown_index"].astype(float)


def _task(task: tuple[str, np.ndarray, int]) -> tuple[np.ndarray, np.ndarray, float]:
    name, pool, replications = task
    law = laws(pool)[name]
    band = band_coverage(law, max(replications // (5 if "weighted" in name else 2), 1), seed=3)
    return *replicate(law, replications, seed=2), band


def report(replications: int = REPLICATIONS) -> None:
    """Print coverage, and standard errors stated over observed, law by law."""
    pool = drawdown_pool()
    names = list(laws(pool))
    print(f"\nCoverage of 95% intervals in {replications:,} samples of {PATHS:,} paths (%); aim: 93 to 97. Below: stated over")
    print("observed standard error. Pareto: at 99.9% or, where that is not beyond the threshold, further out. Band: all losses")
    print(f"at once, half as many samples of {BAND_PATHS:,} paths, a fifth where weighted")
    print(f"{'':23}" + "".join(f"{measure:>15}" for measure in MEASURES))
    context = multiprocessing.get_context("spawn")  # a forked child would share the threads of the run above
    with ProcessPoolExecutor(2, mp_context=context) as workers:
        for name, (shares, ratios, band) in zip(names, workers.map(_task, [(n, pool, replications) for n in names]), strict=True):
            cells = [f"{100 * share:.1f}" + ("" if 0.93 <= share <= 0.97 else " !") for share in (*shares, band)]
            print(f"{name:23}" + "".join(f"{cell:>15}" for cell in cells), flush=True)
            print(f"{'':23}" + "".join(f"{ratio:15.2f}" for ratio in ratios), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=REPLICATIONS)
    report(parser.parse_args().replications)
