"""Chunks as spans and counts of OpenTelemetry, where its interface is installed and the user has set up where they go.

Without `opentelemetry-api` (`pip install 'jaxrisk[telemetry]'`), or without a provider, nothing is noted and nothing is sent.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_FACTS = ("seconds", "paths_a_second", "device", "memory_bytes", "parts_of_a_block")


@functools.cache
def _instruments() -> tuple[Any, Any, Any] | None:
    """A tracer, a counter of paths and a histogram of seconds; None where OpenTelemetry is not installed."""
    try:
        from opentelemetry import metrics, trace  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    meter = metrics.get_meter("jaxrisk")
    paths = meter.create_counter("jaxrisk.paths", unit="{path}", description="paths simulated")
    seconds = meter.create_histogram("jaxrisk.chunk.duration", unit="s", description="time to simulate a chunk")
    return trace.get_tracer("jaxrisk"), paths, seconds


@contextlib.contextmanager
def chunk_span(first: int, until: int, seed: int) -> Iterator[Callable[[Mapping[str, Any], str | None], None]]:
    """A span around a chunk of paths; what it yields takes the chunk's facts, and what is wrong with it or None."""
    instruments = _instruments()
    if instruments is None:
        yield lambda facts, problem: None
        return
    tracer, paths, seconds = instruments
    with tracer.start_as_current_span("jaxrisk.chunk") as span:

        def told(facts: Mapping[str, Any], problem: str | None) -> None:
            said = {f"jaxrisk.{name}": facts[name] for name in _FACTS if name in facts}
            span.set_attributes({"jaxrisk.first": first, "jaxrisk.until": until, "jaxrisk.seed": str(seed), **said})
            if problem is not None:
                span.add_event("jaxrisk.problem", {"words": problem})
            paths.add(until - first, {"device": str(facts.get("device"))})
            seconds.record(float(facts.get("seconds", 0.0)), {"device": str(facts.get("device"))})

        yield told


__all__ = ["chunk_span"]
