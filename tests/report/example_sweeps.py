"""Studies of settings and of ranges, made of drawn losses: nothing is simulated."""

import numpy as np

from jaxrisk.config.ranges import Range
from jaxrisk.observables import DIMS
from jaxrisk.report import Result
from jaxrisk.risk.measure import Measure
from jaxrisk.studies.over_ranges import Index, OverRanges, Spread
from jaxrisk.studies.study import finished
from jaxrisk.studies.study_file import read_study
from jaxrisk.studies.study_plan import Work

PATHS = 1000
CAPS = {"scenario": "btc_24h", "title": "A cap for everybody", "question": "What does a lower cap change?",
        "measures": ["mean(open_interest_loss_usd)", "expected_shortfall(max_drawdown_index, 0.95)"],
        "grid": [{"name": "cap", "key": "limits.cap", "values": [5, 20, 100], "labels": ["cap 5", "cap 20", "cap 100"]}],
        "reference": "cap 100"}  # fmt: skip
BRANCHES = [
    {"group": "impact", "name": "half", "weight": 0.25, "set": {"impact.coefficient": 0.5}},
    {"group": "impact", "name": "as it is", "weight": 0.75},
    {"group": "depth", "name": "thin", "weight": 0.5, "set": {"depth.floor": 0.05}},
    {"group": "depth", "name": "deep", "weight": 0.5, "set": {"depth.floor": 0.3}},
]


class _Drawn:
    """In place of runs: losses that grow with the cap and with what the branch says; with who owes and who paid, `followed`."""

    def __init__(self, followed: bool = False):
        self.followed = followed
        random = np.random.default_rng(1)
        self.wild, self.fall = random.exponential(size=(2, PATHS))

    def result(self, work: Work) -> Result:
        cap = float(work.cell.settings["limits.cap"])
        size = (1.0 - np.exp(-cap / 20.0)) * (
            1.0 + 0.3 * len(work.leaf.settings) + 0.1 * ("impact.coefficient" in work.leaf.settings)
        )
        closed = np.stack([40.0 * size * self.wild, 5.0 * size * self.fall], axis=-1)
        losses = {
            "open_interest_loss_usd": 1e7 * size * (self.wild + 0.2 * self.fall),
            "max_drawdown_index": 0.02 * self.wild + 0.01 * size * self.fall,
            "accounts_closed_out": closed,
            "collateral_lost": 5e4 * closed,
        }
        coords = {"classes": ["retail", "professional"]}
        if self.followed:
            owed = 2e4 * np.maximum(closed - 30.0 * size, 0.0)
            losses |= {"negative_balances": 0.2 * closed, "negative_balance_usd": owed, "deleveraging_loss_by_class": 0.25 * owed}
            losses |= {"insurance_fund_used_by_class": 0.75 * owed, "socialised_loss_by_class": 0.0 * owed}
            losses["accounts_closed_out_by_leverage"] = np.stack([0.1 * closed.sum(axis=1), 0.9 * closed.sum(axis=1)], axis=-1)
            coords["leverages"] = ["up to 10", "above 10"]
        dims = {name: DIMS[name] for name in losses if name in DIMS and losses[name].ndim > 1}
        return Result(losses, dims, coords, info={"open_interest_usd": 1e9 * (1.0 - 0.2 * np.exp(-cap / 10.0))})


def caps(branches: bool = False, followed: bool = False):
    """Three caps, in four branches or none."""
    document = CAPS | ({"branches": BRANCHES} if branches else {})
    plan, problems = read_study(document, {})
    assert not problems
    works = [Work(cell, leaf, _Prepared(), (), f"{cell.name} {leaf.name}") for cell in plan.cells for leaf in plan.leaves]
    return finished(plan, works, _Drawn(followed))


class _Prepared:
    """As far as a study asks: what its runs have alike."""

    text = ""

    @staticmethod
    def scenario():
        from jaxrisk.config import load

        return load("btc_24h", {"run.paths": PATHS, "run.steps": 48})


def over_ranges():
    """Three ranges and two measures, one of which is the same in every cell."""
    first, second = Measure.of("mean(open_interest_loss_usd)"), Measure.of("mean(max_drawdown_index)")
    ranges = [Range("impact.coefficient", 0.5, 3.0), Range("impact.resilience_half_life", 300.0, 14400.0, True),
              Range("depth.floor", 0.05, 0.2)]  # fmt: skip
    rows = [(0.62, 0.11, 0.71, 0.09), (-0.03, 0.12, 0.24, 0.08), (0.08, 0.09, 0.11, 0.03)]
    indices = [Index(first, one.key, *row) for one, row in zip(ranges, rows, strict=True)]
    indices += [Index(second, one.key, *[float("nan")] * 4) for one in ranges]
    spreads = [Spread(first, 3.2e7, 4.1e6, 2.6e7, 3.9e7, 2.9e6, 0.67), Spread(second, 0.03, 0.0, 0.03, 0.03, 1e-4, float("nan"))]
    return OverRanges("example", "An example", ranges, 32, indices, spreads, caps())
