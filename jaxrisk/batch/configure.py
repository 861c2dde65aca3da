"""The settings of a run, all decided, and checked all at once."""

import dataclasses

import equinox as eqx
import numpy as np

from .._whole import whole, within
from ..cascade.kernel import KERNELS
from ..observables import MOST_SAMPLE_PATHS
from ..risk.sobol import BITS, REPLICATES


class Run(eqx.Module):
    """The settings of one run, all decided."""

    paths: int
    seed: int
    precision: str
    sampling: str
    sample_paths: int
    first_path: int
    kernel: str = "scan"


def configure(scenario, paths, seed, steps, feedback, precision, sampling, sample_paths, first_path, chunk, kernel="scan"):
    """The scenario as it is to be run, and the settings; arguments as of `simulate`, None where the scenario says.

    **Raises:** `ValueError` that names everything that is out of range.
    """
    said = scenario.description
    choose = lambda given, default: default if given is None else given
    problems: list[str] = []
    count = whole("paths", choose(paths, said.paths), problems, 1)
    # where the scenario says how many are kept, few paths are kept all; where it is asked for, more than there are is a mistake
    most = MOST_SAMPLE_PATHS if sample_paths is None else max(0, min(count, MOST_SAMPLE_PATHS))
    limits = f"from 0 to {most} is allowed" + (", as many as there are paths" if most < MOST_SAMPLE_PATHS else "")
    kept = whole("sample_paths", choose(sample_paths, said.sample_paths), problems, 0, most, limits)
    run = Run(
        count,
        whole("seed", choose(seed, said.seed), problems, 0, 2**64 - 1, "from 0 to 2^64 - 1 is allowed"),
        choose(precision, said.precision),
        sampling,
        min(kept, count),
        whole("first_path", first_path, problems),
        kernel,
    )
    steps = None if steps is None else whole("steps", steps, problems, 1)
    feedback = None if feedback is None else within("feedback", feedback, 0.0, 1.0, problems)
    if chunk is not None:
        whole("chunk", chunk, problems, 1)
    problems += [
        message
        for wrong, message in (
            (run.precision not in ("float32", "float64"), f'precision = "{run.precision}": float32 or float64 is allowed'),
            (run.sampling not in ("plain", "sobol"), f'sampling = "{run.sampling}": plain or sobol is allowed'),
            (run.kernel not in KERNELS, f'kernel = "{run.kernel}": auto, scan or fused is allowed'),
            (
                run.sampling == "sobol" and run.first_path + run.paths > REPLICATES << BITS,
                f"paths = {run.paths}: Sobol points repeat after path {REPLICATES << BITS}",
            ),
            (not 0 <= run.first_path <= 2**32 - run.paths, f"first_path = {run.first_path}: path indices are 32 bits"),
        )
        if wrong
    ]
    if problems:
        raise ValueError("; ".join(problems))
    if steps is not None:
        scenario = scenario.replace(settings=_with_steps(scenario.settings, steps))
    if feedback is not None:
        value = np.float64(feedback)
        scenario = eqx.tree_at(lambda s: s.channels.feedback, scenario, value)
    return scenario, run


def _with_steps(settings, steps: int):
    return dataclasses.replace(settings, steps=steps)


__all__ = ["Run", "configure"]
