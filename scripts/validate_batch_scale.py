"""Sizes and speeds of batch runs, for `scripts/validate_batch.py`: plans, overhead, workers, memory."""

import argparse
import resource
import time
from pathlib import Path
from typing import Any

PLANS: dict[str, dict[str, Any]] = {
    "a grid of keys of the file": {
        "grid": [
            {"key": "impact.coefficient", "values": [round(0.5 + 0.02 * k, 2) for k in range(100)]},
            {"key": "depth.floor", "values": [round(0.05 + 0.002 * k, 3) for k in range(100)]},
        ]
    },
    "a Latin hypercube of keys and parameters": {
        "sample": {"cells": 10_000, "seed": 1, "ranges": {"market.volatility": [0.3, 1.2], "impact.coefficient": [0.5, 2.0]}}
    },
    "a venue's key, other in every cell": {
        "grid": [{"key": "venues.binance.insurance_fund", "values": [1e8 + 1000.0 * k for k in range(10_000)]}]
    },
}


def plan(folder: Path, asked: argparse.Namespace) -> bool:
    """10,000 cells of a study read, checked, made scenarios and given their digests."""
    from jaxrisk.studies.study import planned

    fine = True
    for name, cells in PLANS.items():
        begun, busy = time.perf_counter(), time.process_time()
        works = planned({"scenario": "btc_24h", "run": {"paths": 1000, "steps": 96}, **cells}, {}, many=True)[1]
        seconds, processor = time.perf_counter() - begun, time.process_time() - busy
        different = len({work.digest for work in works})
        print(f"{len(works):,} cells, {name}: {seconds:.2f} s, {processor:.2f} s of processor time; {different:,} digests")
        fine &= processor < 5.0 and different == len(works) == 10_000
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB at most")
    return fine


__all__ = ["plan"]
