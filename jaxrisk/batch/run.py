"""Run a scenario: blocks of paths on threads, gathered in order, checked, and summarised as a result."""

import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._interrupt import answer, threads
from .._whole import whole, within
from ..cascade import fragility, record_block, seed_key
from ..cascade.blocks import block_size, chunks, in_precision, numbers
from ..cascade.engine import COUNTERS
from ..observables import DIMS, MOST_SAMPLE_PATHS
from ..report import Result, ResultWriter, writable
from ..risk.sample import prepare_lean
from ..risk.sobol import BITS, REPLICATES, sobol
from ..scenario import Scenario, coordinates
from ..start_words import start_kind, where_from
from .problems import NonFinite, locate


def simulate(
    scenario,
    paths: int | None = None,
    seed: int | None = None,
    *,
    steps: int | None = None,
    feedback: bool | float | None = None,
    precision: str | None = None,
    sampling: str = "plain",
    sample_paths: int | None = None,
    first_path: int = 0,
    chunk: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    out: str | os.PathLike | None = None,
) -> Result:
    """Simulate a scenario and return its losses.

    **Arguments:** where None, the scenario says.

    - `paths`: how many, a whole number, as `1e5` is; `first_path`: index of the first, so that a run can be continued or one path
      replayed.
    - `seed`: a whole number of up to 64 bits. A path is a function of the scenario, the seed and its index alone.
    - `steps`: over the same horizon.
    - `feedback`: multiplier of all price impact, in [0, 1]; `False` switches it off with the same random numbers.
    - `precision`: `"float32"` or `"float64"`.
    - `sampling`: `"plain"`, or `"sobol"`: Sobol points on what matters most in a path, in independent replicates whose spread
      is the error (`jaxrisk.risk.sobol`): standard errors of a quarter of the plain ones for means, of half for 99% expected
      shortfall, for 1.3 times the time. Best 16 times a power of two paths. Laws with driving normals only.
    - `sample_paths`: how many of the first paths are kept whole, at most all; a scenario that says more keeps all.
    - `chunk`: paths between two calls of `progress(done, total)` and two appends to `out`. Results do not depend on it.
    - `out`: write to this file as chunks finish; memory then does not grow with `paths`. A result that is there is replaced;
      nothing else is.

    A scenario with other words or numbers does not compile anew, nor do other `paths`, `seed` or `feedback`. JAX has threads, so
    that a process forked from one that has simulated hangs: start others with `multiprocessing.get_context("spawn")`
    (docs/python.md).

    **Raises:** `ValueError` for an argument out of range or a scenario that does not fit together; `jaxrisk.NonFinite` where a
    number was not finite, with what was finished; `OSError`, in words, where `out` is not replaced, another run is writing it, or
    the disk is full: then `out.partial` has what was finished, and can be loaded.

    >>> import jaxrisk as jr
    >>> result = jr.simulate(jr.load("btc_24h"), paths=1000, steps=96, seed=1)
    >>> result.losses["max_drawdown_index"].shape
    (1000,)
    """
    if not isinstance(scenario, Scenario):
        raise TypeError(f"simulate takes a Scenario, which jaxrisk.load makes of a file, and not {scenario!r}")
    scenario, run = _configure(scenario, paths, seed, steps, feedback, precision, sampling, sample_paths, first_path, chunk)
    begun = time.time()
    if out is not None:
        writable(out)
    if problems := scenario.problems():
        raise ValueError("the scenario does not fit together: " + "; ".join(problems))
    double = run.precision == "float64"
    with numbers(double), threads(1) as aside:
        prepared = prepare_lean(scenario, jnp.dtype(run.precision))
        source = sobol(prepared) if run.sampling == "sobol" else COUNTERS
        # the fragility map and the whole paths are compiled and run beside the first blocks, on a core that has nothing to do yet
        mapped = aside.submit(in_precision, double, fragility, prepared)
        sampled = aside.submit(in_precision, double, sample, prepared, run.seed, first_path, run.sample_paths, source)
        coords = coordinates(scenario)
        info = describe(scenario, run, prepared)
        writer = None if out is None else ResultWriter(out, DIMS, coords, run.paths, info)
        kept: list[dict[str, np.ndarray]] = []
        done = 0

        def finish(samples, curve) -> Result:
            finished = sum(len(next(iter(part.values()))) for part in kept) if writer is None else writer.finished
            closing = {"wall_seconds": round(time.time() - begun, 3), "finished_paths": finished, **criticality(curve)}
            closing |= {"planned_paths": run.paths} if finished < run.paths else {}
            if writer is not None:
                return Result.load(writer.close(samples, _curves(curve), closing))
            losses = {name: np.concatenate([part[name] for part in kept]) for name in kept[0]} if kept else {}
            dims = {name: DIMS.get(name, ()) for name in losses}
            return Result(losses, dims, coords, samples=samples, curves=_curves(curve), info={**info, **closing})

        try:
            size = int(chunk or 8 * block_size(prepared))
            for losses in chunks(prepared, run.seed, first_path, run.paths, size, source):
                count = len(losses["max_drawdown_index"])
                good = _finite_paths(losses)
                spoiled, losses = losses, {name: values[:good] for name, values in losses.items()}
                if good:
                    kept.append(losses) if writer is None else writer.append(done, losses)
                done += good
                if good < count:
                    names = [name for name, values in spoiled.items() if not np.isfinite(values[good]).all()]
                    raise NonFinite(locate(prepared, run.seed, first_path + done, names, source), first_path + done)
                if progress is not None:
                    progress(done, run.paths)
            return finish(answer(sampled), answer(mapped))
        except (NonFinite, KeyboardInterrupt) as stop:
            # what was finished stays; whoever interrupts does not wait for a map that is still being compiled
            waits = isinstance(stop, NonFinite) or mapped.done()
            some = kept or (writer is not None and writer.finished)
            stop.result = finish({}, mapped.result() if waits else None) if some else None
            raise
        finally:
            if writer is not None:
                writer.release()


class Run(eqx.Module):
    """The settings of one run, all decided."""

    paths: int
    seed: int
    precision: str
    sampling: str
    sample_paths: int
    first_path: int


def _configure(scenario, paths, seed, steps, feedback, precision, sampling, sample_paths, first_path, chunk):
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
    return type(settings)(settings.horizon, steps, settings.rounds, settings.bridge, settings.index_weight, settings.support)


def sample(prepared, seed: int, first: int, count: int, source=COUNTERS) -> dict[str, np.ndarray]:
    """The first paths whole: log prices, marks and open interest, time zero included, shape `(sample, steps + 1, ...)`."""
    if count == 0:
        return {}
    indices = first + np.minimum(np.arange(block_size(prepared)), count - 1)
    recorded = record_block(prepared, seed_key(seed), jnp.asarray(indices, jnp.uint32), count, source)
    held = prepared.book.open_interest(prepared.book.init())[..., 0]
    start = {"price": 0.0, "fundamental": 0.0, "mark": 0.0, "open_interest": np.asarray(held)}
    samples = {}
    for name, values in recorded._asdict().items():
        values = np.moveaxis(np.asarray(values), 0, 1)
        begin = np.broadcast_to(np.asarray(start[name], values.dtype), values[:, :1].shape)
        samples[name] = np.concatenate([begin, values], axis=1)
    return samples


def describe(scenario, run: Run, prepared) -> dict:
    """What a result says of how it came about."""
    held = prepared.book.open_interest(prepared.book.init())[..., 0]
    settings, said = scenario.settings, scenario.description
    info = {
        "name": said.name,
        "title": said.title,
        "question": said.question,
        "scenario_toml": said.source_text,
        "seed": str(run.seed),
        "paths": run.paths,
        "first_path": run.first_path,
        "steps": settings.steps,
        "horizon_years": settings.horizon,
        "rounds": settings.rounds,
        "bridge": int(settings.bridge),
        "precision": run.precision,
        "sampling": run.sampling,
        "replicates": REPLICATES if run.sampling == "sobol" else 1,
        "device": f"{jax.devices()[0].device_kind} ({jax.default_backend()})",
        "block": block_size(prepared),
        "versions": ", ".join(f"{name} {_version(name)}" for name in ("jaxrisk", "jax", "jaxlib", "equinox", "numpy")),
        "python": platform.python_version(),
        "start": start_kind(scenario),
        "starts_from": where_from(scenario),
        "feedback": float(scenario.channels.feedback),
        "open_interest_usd": float(jnp.sum(held)),
        "dropped_open_interest_usd": float(jnp.sum(prepared.book.dropped)),
        "dropped_by": _by_place(prepared.book.dropped, scenario.names),
        "balancing_open_interest_usd": float(jnp.sum(prepared.book.balancing)),
    }
    info |= {f"initial_price.{name}": float(p) for name, p in zip(scenario.names.assets, scenario.price, strict=True)}
    if scenario.impact.temporary is not None:
        info["temporary_impact"] = 1
    if settings.support is not None:
        info["support_usd"] = [float(p * np.exp(s)) for p, s in zip(scenario.price, settings.support, strict=True)]
    return info


def criticality(curve) -> dict:
    """The fragility map's headline, by asset; nothing where there is no map."""
    if curve is None:
        return {}
    lists = {"peak": curve.peak, "peak_log_price": curve.peak_log_price, "runaway_log_price": curve.runaway_log_price}
    return {f"criticality_{name}": [float(x) for x in values] for name, values in lists.items()}


def _by_place(quantity, names) -> list[str]:
    """Where there is any of a quantity, in words."""
    quantity = np.asarray(quantity, np.float64)
    places = [(*place, quantity[tuple(place)]) for place in np.argwhere(quantity > 0)]
    sides = ("long", "short")
    return [f"{names.venues[v]} {names.assets[a]} {sides[s]}: {usd / 1e6:,.3g} USD M" for v, a, s, usd in places]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _finite_paths(losses: dict[str, np.ndarray]) -> int:
    """How many paths come before the first with a number that is not finite."""
    finite = np.ones(len(losses["max_drawdown_index"]), bool)
    for values in losses.values():
        finite &= np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    return len(finite) if finite.all() else int(np.argmin(finite))


def _curves(fragility) -> dict[str, np.ndarray]:
    """The fragility map over one axis of log prices, longs below spot and shorts above, up to half and double the price."""
    if fragility is None:
        return {}
    near = np.asarray(fragility.log_price[1]) < np.log(2.0)
    level, number = np.asarray(fragility.log_price)[:, near], np.asarray(fragility.number)[..., near]
    joined = lambda longs, shorts: np.concatenate([longs[..., ::-1], shorts], axis=-1)
    return {"level": joined(level[0], level[1]), "value": joined(number[:, 0], number[:, 1])}
