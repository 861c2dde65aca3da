"""Sixteen leverage caps run together beside one run: part of benchmark.py (`--only together`)."""

import statistics

import equinox as eqx
import numpy as np

from jaxrisk._interrupt import threads
from jaxrisk.cascade import blocks, prepare, together
from jaxrisk.positions import Limits

CAPS = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 75.0, 100.0)
AIM = 9.0


def together_cost(scenario, timed, repeats: int, paths: int) -> None:
    """What a sweep costs in runs, its cells on common noise and one by one; and whether their bits are those of single runs."""
    capped = scenario.replace(limits=Limits.single(CAPS[0], share_downsize=0.8))
    cells = [prepare(eqx.tree_at(lambda one: one.limits.cap, capped, np.array([cap]))) for cap in CAPS]
    with threads(blocks.workers()) as pool:
        alone = lambda some: [blocks.range_losses(pool, cell, 1, 0, paths) for cell in some]
        calls = {
            "one run": lambda: alone(cells[:1]),
            "16, together": lambda: together.range_losses(pool, cells, 1, 0, paths),
            "16, one by one": lambda: alone(cells),
        }
        results = {name: call() for name, call in calls.items()}
        rounds = [{name: timed(call) for name, call in calls.items()} for _ in range(repeats)]
    same = all(
        np.array_equal(one[name], other[name])
        for one, other in zip(results["16, together"], results["16, one by one"], strict=True)
        for name in one
    )
    print(f"sixteen caps, {paths} paths: bits {'as of single runs' if same else 'DIFFER from single runs'}")
    for name in calls:
        wall, cores = (
            statistics.median(getattr(one[name], of) / getattr(one["one run"], of) for one in rounds) for of in ("wall", "cores")
        )
        aim = f", aim at most {AIM:.0f}" if "together" in name else ""
        print(f"  {name:<16}{wall:6.2f} times one run by the clock, {cores:6.2f} by cores{aim}", flush=True)
