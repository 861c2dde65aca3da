"""Spans and counts of chunks, told to a stand-in for OpenTelemetry's interface; and nothing where there is none."""

import contextlib
import sys
from types import ModuleType, SimpleNamespace

import pytest

from jaxrisk.batch import telemetry


@pytest.fixture
def heard(monkeypatch):
    """What is told, by kind."""
    told: dict[str, list] = {"span": [], "event": [], "paths": [], "seconds": []}
    span = SimpleNamespace(set_attributes=told["span"].append, add_event=lambda *words: told["event"].append(words))
    tracer = SimpleNamespace(start_as_current_span=lambda name: contextlib.nullcontext(span))
    instrument = lambda kind: SimpleNamespace(add=lambda *x: told[kind].append(x), record=lambda *x: told[kind].append(x))
    meter = SimpleNamespace(
        create_counter=lambda *a, **k: instrument("paths"), create_histogram=lambda *a, **k: instrument("seconds")
    )
    made = ModuleType("opentelemetry")
    made.trace = SimpleNamespace(get_tracer=lambda name: tracer)  # type: ignore[attr-defined]
    made.metrics = SimpleNamespace(get_meter=lambda name: meter)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "opentelemetry", made)
    telemetry._instruments.cache_clear()
    yield told
    telemetry._instruments.cache_clear()


def test_a_chunk_is_a_span_and_counts(heard):
    with telemetry.chunk_span(256, 512, 7) as told:
        told({"seconds": 0.5, "device": "cpu", "host": "h"}, "path 300 is not finite")
    said = {"jaxrisk.first": 256, "jaxrisk.until": 512, "jaxrisk.seed": "7", "jaxrisk.seconds": 0.5, "jaxrisk.device": "cpu"}
    assert heard["span"] == [said]
    assert heard["paths"] == [(256, {"device": "cpu"})]
    assert heard["seconds"] == [(0.5, {"device": "cpu"})]
    assert heard["event"] == [("jaxrisk.problem", {"words": "path 300 is not finite"})]


def test_without_it_nothing_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    telemetry._instruments.cache_clear()
    with telemetry.chunk_span(0, 1, 1) as told:
        told({}, None)
    assert telemetry._instruments() is None
    telemetry._instruments.cache_clear()
