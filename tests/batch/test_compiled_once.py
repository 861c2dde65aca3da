"""A scenario that differs from another in words or numbers alone shares its programs, and leaves nothing behind."""

import gc
import importlib
import resource
import sys

import equinox as eqx
import jax
import numpy as np
import pytest
from batch.small_market import small

import jaxrisk as jr
from jaxrisk.scenario import Names

pytestmark = [pytest.mark.slow, pytest.mark.hurried]

ONE, TWO = np.ones(1), np.ones(2)
compiled: list[str] = []


def _count(event: str, seconds: float, **kwargs) -> None:
    if event.endswith("backend_compile_duration"):
        compiled.append(str(kwargs.get("fun_name")))


jax.monitoring.register_event_duration_secs_listener(_count)


@pytest.fixture(scope="module")
def ready():
    """Everything a run needs has been compiled."""
    compiled.clear()
    result = jr.simulate(small())
    assert any("run_block" in name for name in compiled), "compilations are not counted"
    return result


def fresh(call) -> list[str]:
    compiled.clear()
    call()
    return list(compiled)


@pytest.mark.parametrize(
    "other",
    [
        {"name": "another", "title": "of another title", "question": "?", "source_text": "x = 1"},
        {"paths": 50},
        {"seed": 7},
        {"names": Names(("one", "two"), ("XBT",), ("everybody",))},
        {"holders": ("whales", "minnows")},
        {"horizon": 1 / 52},
        {"window": 2 / 8760},
        {"tranches": (0.2, 0.8)},
        {"shocked": 1},
        {"jump_rate": 3.0},
    ],
    ids=lambda other: ",".join(other),
)
def test_words_and_numbers_do_not_compile_anew(ready, other):
    assert fresh(lambda: jr.simulate(small(**other))) == []


def test_what_is_not_compiled_anew_still_counts(ready):
    """The program is one; the numbers and words of each run are its own."""
    drawdown = lambda **other: jr.simulate(small(**other)).losses["max_drawdown_index"]
    assert not np.array_equal(drawdown(), drawdown(horizon=1 / 52))
    assert not np.array_equal(drawdown(), drawdown(seed=7))
    found = lambda name, **other: jr.simulate(small(size=-0.3, volatility=2.0, **other)).losses[name]
    assert not np.array_equal(found("open_interest_loss"), found("open_interest_loss", shocked=1))
    assert not np.array_equal(found("open_interest_loss"), found("open_interest_loss", tranches=(0.2, 0.8)))
    named = jr.simulate(small(names=Names(("one", "two"), ("XBT",), ("everybody",)), title="Mine"))
    assert (named.coords["venues"], named.coords["assets"], named.info["title"]) == (["one", "two"], ["XBT"], "Mine")


def test_arguments_do_not_compile_anew(ready):
    for arguments in (
        {"seed": 3},
        {"feedback": 0.5},
        {"feedback": False},
        {"first_path": 100},
        {"paths": 40},
        {"paths": 100_000},
    ):
        assert fresh(lambda arguments=arguments: jr.simulate(small(), **arguments)) == [], arguments


def test_a_python_number_in_a_leaf_is_a_number(ready):
    """Not a part of the program, whatever puts it there."""
    put = lambda value: eqx.tree_at(lambda s: (s.channels.feedback, s.market.volatility), small(), (value, value * ONE))
    assert fresh(lambda: [jr.simulate(put(value)) for value in (0.25, 0.75)]) == []


def test_a_sweep_compiles_once_and_keeps_nothing(ready):
    """Two hundred runs: fifty caps and fifty volatilities, and a title, seed and number of paths of their own."""

    def run(k):
        jr.simulate(
            small(0.2 + 0.02 * (k % 50), 2.0 + k // 4 % 50, title=f"run {k}", source_text="x" * 10_000, seed=k, paths=40 + k)
        )

    for k in range(20):
        run(k)
    gc.collect()
    before = _resident()
    assert fresh(lambda: [run(k) for k in range(200)]) == []
    gc.collect()
    assert _resident() - before < 24 * 2**20


def _resident() -> int:
    """Bytes of memory in use: the peak where the system does not tell."""
    try:
        with open("/proc/self/statm") as words:
            return int(words.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _with_words(volatility, holders=("a", "b"), names=None):
    return small(volatility, 8.0, holders=holders, names=names, title=f"at {volatility}", size=-0.001)


STUDIES = {
    "sensitivity": lambda s: jr.sensitivity(
        s, "expected_shortfall(max_drawdown_index, 0.9)", ["market.volatility", "limits.cap", "impact.depth"], paths=512
    ),
    "near a level": lambda s: jr.sensitivity(s, "exceedance_probability(max_drawdown_index, 0.04)", "impact.depth", paths=512),
    "reverse stress": lambda s: jr.reverse_stress(s, "max_drawdown_index", 0.3, restarts=1, profiles=2),
    "rare event": lambda s: jr.rare_event(s, "max_drawdown_index", 0.05, relative_error=0.3),
    "sobol": lambda s: jr.simulate(s, sampling="sobol"),
}


def test_any_number_of_ways_to_a_loss_is_followed_in_one_shape(monkeypatch):
    """How many there are hangs on last bits, and each other number would be a program of its own."""
    reverse_stress = importlib.import_module("jaxrisk.studies.reverse_stress")
    shapes, follow, likely = [], reverse_stress.followed, reverse_stress.most_likely
    monkeypatch.setattr(reverse_stress, "followed", lambda *given: shapes.append(len(given[1].sources)) or follow(*given))
    found = {}
    for most in (1, 2):
        monkeypatch.setattr(reverse_stress, "most_likely", lambda *given, **more: (likely(*given, **more) * 2)[:most])
        found[most] = STUDIES["reverse stress"](_with_words(0.6)).answers
    assert [len(answers) for answers in found.values()] == [1, 2]
    assert shapes[0] == shapes[1] > 2
    np.testing.assert_array_equal(found[1][0].price, found[2][0].price)


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_of_other_numbers_compiles_nothing(ready, study):
    STUDIES[study](_with_words(0.6))
    other = Names(("one", "two"), ("XBT",), ("everybody",))
    again = fresh(lambda: STUDIES[study](_with_words(0.63, ("whales", "minnows"), other)))
    assert not again, again
