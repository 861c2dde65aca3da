"""What a result says beside its losses: how it came about, whole paths, and the fragility map."""

import platform

import jax
import jax.numpy as jnp
import numpy as np

from ..cascade import record_block, seed_key
from ..cascade.blocks import block_size
from ..cascade.engine import COUNTERS
from ..risk.sobol import REPLICATES
from ..start_words import start_kind, where_from
from .configure import Run
from .versions import versions


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
        "block": block_size(prepared, run.kernel),
        "versions": ", ".join(f"{name} {number}" for name, number in versions().items()),
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
    if settings.steps < said.file_steps:
        info["file_steps"] = said.file_steps
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


def curves(fragility) -> dict[str, np.ndarray]:
    """The fragility map over one axis of log prices, longs below spot and shorts above, up to half and double the price."""
    if fragility is None:
        return {}
    near = np.asarray(fragility.log_price[1]) < np.log(2.0)
    level, number = np.asarray(fragility.log_price)[:, near], np.asarray(fragility.number)[..., near]
    joined = lambda longs, shorts: np.concatenate([longs[..., ::-1], shorts], axis=-1)
    return {"level": joined(level[0], level[1]), "value": joined(number[:, 0], number[:, 1])}


__all__ = ["criticality", "curves", "describe", "sample"]
