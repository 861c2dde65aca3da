"""The commands that ask questions of a scenario: check all that is asked, work, show, write."""

import os
import sys
from collections.abc import Callable
from typing import Any

from .arguments import overrides_of
from .asked import PLOTS, Asked, folder_of
from .exit_codes import INTERRUPTED, NO, NON_FINITE, NOT_WRITTEN, OK, complain, told
from .progress import Progress, show
from .study_arguments import PARAMETERS, Design, Parameters, RareEvent, ReverseStress, Sensitivity, Study
from .writing import write_all

_TABLES = (".csv", ".json")
_ENDINGS = {Design: (".toml", *_TABLES), RareEvent: (".nc", *_TABLES)}
_NAMES = {Sensitivity: "sensitivity", Design: "design", ReverseStress: "reverse stress", RareEvent: "rare event"}


def study(command: Study, wrong: list[str]) -> int:
    """`jaxrisk sensitivity`, `design`, `reverse-stress` and `rare-event`; the exit code.

    **Arguments:** `wrong`: lines on what is wrong with the command itself.
    """
    overrides, settings = overrides_of(command)
    asked = Asked([*wrong, *settings])
    prepared = asked.prepared(command.scenario, overrides)
    asked.file("--out", command.out, _ENDINGS.get(type(command), _TABLES), command.force)
    asked.file("--plot", command.plot, PLOTS, command.force)
    asked.apart(command.out, command.plot)
    read = {Sensitivity: _sensitivity, Design: _design, ReverseStress: _reverse_stress, RareEvent: _rare_event}[type(command)]
    # XLA calls it an error when a program from the cache names a tuning preference that the machine does not list
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    asked.scenario = None if prepared is None else prepared.scenario()
    work = read(command, asked)
    if asked.problems:
        return complain(asked.problems)
    if prepared is not None:
        told(prepared)
    for path in (command.out, command.plot):
        if path is not None:
            folder_of(path)
    return _work(command, work, prepared.text if prepared else "")


def _wrt(command: Sensitivity, asked: Asked) -> list[Any]:
    """What is to be differentiated."""
    if asked.scenario is not None and not command.wrt and not asked.scenario.limits.account_class:
        text = "missing, and the scenario has no limits; name parameters of `jaxrisk parameters`, or limits by --limits.file"
        asked.wrong("--wrt", None, text)
        return []
    return asked.named("--wrt", command.wrt or PARAMETERS)


def _sensitivity(command: Sensitivity, asked: Asked) -> Callable[[Any], Any]:
    method = asked.choice("--method", command.method, ("auto", "pathwise", "bump"))
    measure = asked.measure(command.measure)
    asked.known("--measure", getattr(measure, "observable", None))
    stepped = [one.name for one in _wrt(command, asked) if not one.pathwise]
    if method == "pathwise" and stepped:
        more = f" and {len(stepped) - 2} more" if len(stepped) > 2 else ""
        asked.wrong("--method", method, f"a path's derivative is no sensitivity in {', '.join(stepped[:2])}{more}; auto or bump")
    for name in command.cross or ():
        found = asked.named("--cross", (name,))
        if len(found) > 1:
            asked.wrong("--cross", name, f"means {len(found)} parameters; one is needed, such as {found[0].name}")
    change = _change(command, asked)
    asked.enough_paths(measure, derivative=True)

    def work(progress):
        from ..studies.sensitivity import sensitivity

        more: dict[str, Any] = {"check": command.check, "cross": [command.cross] if command.cross else (), "progress": progress}
        more["change"] = change
        return sensitivity(asked.scenario, measure, list(command.wrt or PARAMETERS), method, **more)

    return work


def _change(command: Sensitivity, asked: Asked) -> dict[str, list[float]]:
    """Parameters and what they are set to."""
    read: dict[str, list[float]] = {}
    for text in command.change:
        name, _, value = text.rpartition("=")
        try:
            to = float(value)
        except ValueError:
            asked.wrong("--change", text, "has to be like limits.cap[retail,*,*]=10")
        else:
            read.setdefault(name.strip(), []).append(to)
    if read and asked.scenario is not None:
        from ..risk.slopes.change import change_problems

        for line in change_problems(asked.scenario, read)[1]:
            asked.lines("--change", ValueError(line.removeprefix("change ")))
    return read


def _design(command: Design, asked: Asked) -> Callable[[Any], Any]:
    measure = asked.measure(command.measure)
    budget = asked.budget(command.budget, measure)
    verify = asked.count("--verify-paths", command.verify_paths, 1_000)
    asked.known("--measure", getattr(measure, "observable", None))
    # where there are no limits at all, one for each class is designed
    if command.wrt or (asked.scenario is not None and asked.scenario.limits.account_class):
        for parameter in asked.named("--wrt", command.wrt or PARAMETERS):
            if not parameter.name.startswith("limits.cap["):
                asked.wrong("--wrt", parameter.name, "is no cap; what can be designed is limits.cap")
    asked.enough_paths(measure)

    def work(progress):
        from ..studies.design import design_limits

        paths = None if command.paths is None else asked.scenario.description.paths
        more: dict[str, Any] = {} if verify is None else {"verify_paths": verify}
        wrt = list(command.wrt or PARAMETERS)
        return design_limits(asked.scenario, measure, budget, wrt, paths=paths, progress=progress, **more)

    return work


def _reverse_stress(command: ReverseStress, asked: Asked) -> Callable[[Any], Any]:
    level = asked.level(command.level, command.observable)
    restarts = asked.count("--restarts", command.restarts, 1)
    asked.known("--observable", command.observable)

    def work(progress):
        from ..studies.reverse_stress import reverse_stress

        more: dict[str, Any] = {} if restarts is None else {"restarts": restarts}
        return reverse_stress(asked.scenario, command.observable, level, progress=progress, **more)

    return work


def _rare_event(command: RareEvent, asked: Asked) -> Callable[[Any], Any]:
    level = asked.level(command.level, command.observable)
    method = asked.choice("--method", command.method, ("auto", "plain", "importance", "splitting"))
    relative = asked.number("--relative-error", command.relative_error, 0.0, 1.0, "has to lie strictly between 0 and 1")
    most = asked.count("--max-paths", command.max_paths, 2_048)
    asked.known("--observable", command.observable)

    def work(progress):
        from ..studies.rare_event import rare_event

        more: dict[str, Any] = {} if most is None else {"max_paths": most}
        return rare_event(asked.scenario, command.observable, level, method, relative_error=relative, progress=progress, **more)

    return work


def _work(command: Study, work: Callable[[Any], Any], text: str) -> int:
    """Do what was asked, show it, and write it; what fails to be written was shown before."""
    from ..batch import NonFinite, use_compilation_cache

    use_compilation_cache()
    try:
        with Progress(sys.stderr, _NAMES[type(command)]) as progress:
            result = work(progress)
    except NonFinite as error:
        print(f"stopped: {error}", file=sys.stderr)
        return NON_FINITE
    except KeyboardInterrupt:
        print("interrupted; nothing was finished", file=sys.stderr)
        return INTERRUPTED
    except ValueError as error:
        if _out_of_reach(error):
            complain([error])
            return NO
        if command.debug or not said_by_us(error):
            raise
        return complain(f"stopped: {line}" for line in str(error).splitlines())
    show(result.summary(), sys.stdout)
    save, draw = lambda path: _save(result, path, text), lambda path: _draw(result, path)
    fine = write_all([("result", command.out, save), ("plot", command.plot, draw)])
    return NO if fine and _answered_no(result) else OK if fine else NOT_WRITTEN


def _out_of_reach(error: ValueError) -> bool:
    """Whether a level cannot be reached, which is an answer; the error says what can."""
    from ..risk.rare.stress_path import Unreachable

    return isinstance(error, Unreachable) or isinstance(error.__context__, Unreachable)


def said_by_us(error: ValueError) -> bool:
    """Whether an error is one of ours on the input, and not a library's, which would be our mistake."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == "jaxrisk"


def _answered_no(result: Any) -> bool:
    """Whether what was asked for cannot be had: a budget, or a level."""
    if hasattr(result, "feasible"):
        return not result.feasible
    if hasattr(result, "answers"):
        return not any(answer.loss >= result.level * (1.0 - 1e-6) for answer in result.answers)
    return False


def _save(result: Any, path: Any, text: str) -> None:
    from ..storage.study_files import write

    write(result, path, text)


def _draw(result: Any, path: Any) -> None:
    from ..storage.outputs import save_figure

    save_figure(result.plot(), path)


def parameters(command: Parameters, wrong: list[str]) -> int:
    """`jaxrisk parameters`; the exit code."""
    overrides, settings = overrides_of(command)
    asked = Asked([*wrong, *settings])
    prepared = asked.prepared(command.scenario, overrides)
    asked.file("--out", command.out, _TABLES, command.force)
    if prepared is None:
        return complain(asked.problems)
    from ..parameter import parameters as all_parameters
    from ..report.studies import parameters as table

    asked.scenario = prepared.scenario()
    found = asked.named("--match", command.match) if command.match else all_parameters(asked.scenario)
    if asked.problems:
        return complain(asked.problems)
    summary = table(found, f"{prepared.name}: {len(found):,} parameters", prepared.checked.ranges)
    show(summary, sys.stdout)
    if command.out is not None:
        from ..storage.study_files import write

        folder_of(command.out)
        return OK if write_all([("result", command.out, lambda path: write(summary, path))]) else NOT_WRITTEN
    return OK
