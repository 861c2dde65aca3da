"""`jaxrisk attribute`: what is asked of, a scenario or unwinds; check all of it, work, show, write."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .arguments import overrides_of
from .asked import PLOTS, Asked, folder_of
from .attribute_arguments import Attribute
from .exit_codes import INTERRUPTED, NON_FINITE, NOT_WRITTEN, OK, complain, doubtful
from .progress import Progress, show
from .writing import write_all

_TABLES = (".csv", ".json")
_CAP = "limits.cap"


def attribute(command: Attribute, wrong: list[str]) -> int:
    """`jaxrisk attribute`; the exit code.

    **Arguments:** `wrong`: lines on what is wrong with the command itself.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    asked = Asked(wrong)
    names = _targets(command, asked)
    observed = command.events or any(map(_is_event, names))
    _apart(command, asked, observed)
    if not observed and len(names) > 1:
        asked.wrong("SCENARIO", " ".join(names[1:]), "one scenario is attributed at a time; several go with unwinds only")
    asked.file("--out", command.out, _TABLES, command.force)
    asked.file("--plot", command.plot, PLOTS, command.force)
    asked.apart(command.out, command.plot)
    if observed:
        work = _unwinds(command, asked, names)
    elif names:
        work = _scenario(command, asked, names[0])
    else:
        work = None
    if asked.problems or work is None:
        return complain(asked.problems)
    for path in (command.out, command.plot):
        if path is not None:
            folder_of(path)
    return _work(command, work)


def _targets(command: Attribute, asked: Asked) -> list[str]:
    from ..backtest.events.event import shipped_events

    names = list(command.targets)
    if command.events:
        names += [name for name in shipped_events() if name not in names]
    if not names:
        asked.wrong("SCENARIO|EVENT", None, "missing; a scenario, an unwind such as 2024-08-05, or --events is needed")
    return names


def _is_event(name: str) -> bool:
    """Whether a name is a shipped unwind's, or a file's that has what an event has and no scenario."""
    from ..backtest.events.event import shipped_events
    from ..paths import exists
    from ..toml import read_toml

    if name.removesuffix(".toml") in shipped_events():
        return True
    path = Path(name)
    if not exists(path):
        return False
    document, _ = read_toml(path)
    return document is not None and "window" in document and "run" not in document


def _apart(command: Attribute, asked: Asked, observed: bool) -> None:
    """Options that go with the other kind of question."""
    for_unwinds = {"--what-if": command.what_if, "--draws": command.draws}
    for_scenarios = {"--measure": command.measure, "--since": command.since, "--to": command.to, "--paths": command.paths,
                     "--steps": command.steps, "--set": command.set}  # fmt: skip
    for option, value in (for_scenarios if observed else for_unwinds).items():
        if value:
            text = value if isinstance(value, str) else " ".join(value)
            asked.wrong(option, text, "goes with a scenario, not with unwinds" if observed else "goes with unwinds")


def _unwinds(command: Attribute, asked: Asked, names: list[str]) -> Callable[[Any], Any] | None:
    from threading import Lock

    from .._interrupt import answers, threads
    from ..backtest.attribution.attributed import CAPS, DRAWS, Attributions, attributed, runs
    from ..backtest.attribution.unwind import unwind_of, without_effect
    from ..backtest.events.event import read_event
    from ..cascade.blocks import workers
    from ..config import ConfigError
    from ..paths import is_folder

    count = asked.count("--draws", command.draws, 32) or DRAWS
    count = 2 ** (count - 1).bit_length()
    seed = asked.count("--seed", command.seed, 0)
    seed = 1 if seed is None else seed
    caps, others = _what_if(command, asked)
    caps = caps if command.what_if else list(CAPS)
    if not is_folder(command.data):
        asked.wrong("--data", str(command.data), "is not a folder; it has to be the one with the unwinds' price files")
        return None
    found: dict[str, Any] = {}
    told: list[tuple[str, str]] = []
    for name in names:
        try:
            event = read_event(name, command.data)
            unwind = unwind_of(event)
        except ConfigError as error:
            asked.problems += [problem for problem in error.problems if problem not in asked.problems]
            continue
        more = {}
        for text, key, value in others:
            try:
                reason = without_effect(event, key, value)
                more[text] = unwind_of(event, overrides={key: value}).scenario if reason is None else None
            except ConfigError as error:
                asked.problems += [problem for problem in error.problems if problem not in asked.problems]
                continue
            if reason is not None and (text, reason) not in told:
                told.append((text, reason))
                asked.wrong("--what-if", text, reason)
        if event.name in found:
            asked.wrong("EVENT", name, f"has the name {event.name}, which another unwind has")
        found[event.name] = (event, unwind, more)

    def work(progress):
        total, done = len(found) * runs(len(caps), len(others)), 0

        lock = Lock()

        def tell() -> None:
            nonlocal done
            with lock:
                done += 1
                progress(done, total)

        def one(given):
            event, unwind, more = given
            return attributed(event.name, event.title, unwind, count=count, seed=seed, caps=caps, others=more, progress=tell)

        with threads(min(workers(), len(found))) as pool:
            answered = answers(pool, one, list(found.values()))
        notes = dict.fromkeys(text for event, _, _ in found.values() for text in event.findings)
        return Attributions(answered, list(notes), {"draws": count, "seed": seed})

    return work


def _what_if(command: Attribute, asked: Asked) -> tuple[list[float], list[tuple[str, str, str]]]:
    """Caps for everybody, and other settings as text, key and value."""
    caps, others = [], []
    for text in command.what_if:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not (equals and key and value):
            asked.wrong("--what-if", text, "has to be KEY=VALUE, such as limits.cap=20 or limits.file=eu_retail_cfd")
        elif key == _CAP:
            cap = asked.number("--what-if", value, 0.999999, 1e6, "limits.cap has to be a leverage from 1 to 1e6")
            caps += [] if cap is None else [cap]
        else:
            others.append((text, key, value))
    return caps, others


def _scenario(command: Attribute, asked: Asked, name: str) -> Callable[[Any], Any] | None:
    from ..studies.attribution import MEASURES

    overrides, settings = overrides_of(command)
    asked.problems += settings
    prepared = asked.prepared(name, overrides)
    asked.scenario = None if prepared is None else prepared.scenario()
    measures = [asked.measure(text) for text in command.measure or MEASURES]
    for measure in measures:
        asked.known("--measure", getattr(measure, "observable", None))
    structures = _structures(command, asked)
    if prepared is None or asked.problems:
        return None
    doubtful(prepared.doubts())
    paths = asked.scenario.description.paths if command.paths else None

    def work(progress):
        if structures is not None:
            from ..studies.maturity import matured

            return matured(asked.scenario, *structures, measures, paths=paths, progress=progress)
        from ..studies.attribution import attribute as run

        return run(asked.scenario, measures, paths=paths, progress=progress)

    return work


def _structures(command: Attribute, asked: Asked) -> tuple[Any, Any] | None:
    """Two dated structures, or None where none are asked for."""
    from ..config import ConfigError
    from ..studies.maturity import read_structure

    if command.since is None and command.to is None:
        return None
    found = []
    for option, given in (("--since", command.since), ("--to", command.to)):
        if given is None:
            asked.wrong(option, None, "missing; --since and --to belong together")
            continue
        try:
            found.append(read_structure(given))
        except ConfigError as error:
            asked.problems += error.problems
    return (found[0], found[1]) if len(found) == 2 else None


def _work(command: Attribute, work: Callable[[Any], Any]) -> int:
    from ..batch import use_compilation_cache
    from ..storage.outputs import save_figure
    from ..storage.study_files import write

    use_compilation_cache()
    try:
        with Progress(sys.stderr, "attribution") as progress:
            result = work(progress)
    except KeyboardInterrupt:
        print("interrupted; nothing was finished", file=sys.stderr)
        return INTERRUPTED
    except ValueError as error:
        from .commands import said_by_us

        if command.debug or not said_by_us(error):
            raise
        complain(f"stopped: {line}" for line in str(error).splitlines())
        return NON_FINITE if "not finite" in str(error) else 2
    show(result.summary(), sys.stdout)
    save, draw = lambda path: write(result, path), lambda path: save_figure(result.plot(), path)
    return OK if write_all([("result", command.out, save), ("plot", command.plot, draw)]) else NOT_WRITTEN


__all__ = ["attribute"]
