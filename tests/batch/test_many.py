"""Scenarios run together: each result has the bits of a run of its own, whoever runs beside it, and mistakes are said."""

from types import SimpleNamespace

import equinox as eqx
import numpy as np
import pytest
from batch.small_market import small

import jaxrisk as jr
from jaxrisk.batch import many
from jaxrisk.cascade import prepare, together
from jaxrisk.cascade.together import markets, most_together, same_noise, tile_steps


def same(one, other):
    assert set(one.losses) == set(other.losses)
    for name in one.losses:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.slow
def test_each_has_the_bits_of_a_run_of_its_own(monkeypatch):
    """Of limits, of a law and of a venue's rules that differ, in tiles that do not divide the steps."""
    monkeypatch.setattr(together, "LONGEST", 3)
    scenarios = [small(), small(cap=5.0), small(volatility=0.9), small(tranches=(1.0,))]
    assert [one.cells for one in markets([prepare(one) for one in scenarios])] == [(0, 1, 3), (2,)]
    found = jr.simulate_many(scenarios, paths=64, seed=3)
    for scenario, result in zip(scenarios, found, strict=True):
        alone = jr.simulate(scenario, paths=64, seed=3)
        same(result, alone)
        assert all(np.array_equal(result.samples[name], alone.samples[name]) for name in alone.samples)
    assert len({float(result["liquidated_notional"].sum()) for result in found}) == 4


@pytest.mark.slow
def test_who_can_share_what():
    cell = prepare(small())
    bridged = small().replace(settings=type(small().settings)(1 / 365, 4, 1, True))
    assert not same_noise(cell, prepare(bridged))
    assert same_noise(cell, prepare(small(cap=2.0, horizon=2 / 365)))
    assert most_together(cell) == 16
    assert tile_steps(cell, 4096) == 4


@pytest.mark.slow
def test_blocks_of_other_sizes_do_not_share_noise(monkeypatch):
    """A block's size is that of each scenario's own run, whatever the chunk says."""
    cells = [SimpleNamespace(made=SimpleNamespace(chunk=64, engine=SimpleNamespace(prepared=size))) for size in (64, 64, 32)]
    monkeypatch.setattr(many, "block_size", lambda prepared: prepared)
    monkeypatch.setattr(many, "same_noise", lambda one, other: True)
    monkeypatch.setattr(many, "most_together", lambda prepared: 16)
    assert many._noise_groups(cells) == [cells[:2], cells[2:]]


def test_a_scenario_that_is_not_finite_does_not_stop_the_others(monkeypatch):
    cells, runs = [SimpleNamespace(place=place) for place in range(4)], []

    def run(left, told, executor):
        runs.append([cell.place for cell in left])
        for place in (2, 1):
            if place in runs[-1]:
                raise many.Stopped(f"of {place}", 7, place)

    monkeypatch.setattr(many, "_run", run)
    sound, wrong = many._run_sound(cells, None, None)
    assert [cell.place for cell in sound] == [0, 3]
    assert (str(wrong), wrong.path) == ("of 2", 7)
    assert runs == [[0, 1, 2, 3], [0, 1, 3], [0, 3]]


def test_a_number_that_is_not_finite_is_said_of_its_scenario(tmp_path):
    good, bad = small(), small(names=None, name="the wild one")
    bad = eqx.tree_at(lambda s: s.market.volatility, bad, np.array([np.nan]))
    with pytest.raises(jr.NonFinite, match="the wild one: path 0"):
        jr.simulate_many([good, bad], paths=64, out=[tmp_path / "good.nc", tmp_path / "bad.nc"])


def test_mistakes_are_said(tmp_path):
    scenario = small()
    with pytest.raises(TypeError, match="takes Scenarios"):
        jr.simulate_many(["btc_24h"])
    with pytest.raises(ValueError, match="out has 1 places for 2"):
        jr.simulate_many([scenario] * 2, out=["a.nc"])
    with pytest.raises(ValueError, match="names one file twice"):
        jr.simulate_many([scenario] * 2, out=[tmp_path / "a.nc"] * 2)
    with pytest.raises(ValueError, match=r"end in \.nc"):
        jr.simulate_many([scenario], out=[tmp_path / "a.zarr"])
    with pytest.raises(ValueError, match="paths"):
        jr.simulate_many([scenario], paths=0)
    assert jr.simulate_many([]) == []
