"""Ctrl-C and SIGTERM: heard at every moment, never lost, and what they leave to whoever asked for something else."""

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_cli import SCENARIO

import jaxrisk
from jaxrisk._interrupt import answer, answers, ask, forget, look, threads
from jaxrisk.cli.signals import GRACE

HEARING = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a suite in the background starts would inherit another
from jaxrisk.cli import signals
from jaxrisk._interrupt import look
entered = signals.Watch.__enter__
def enter(watch):
    entered(watch)
    os.write(1, b"x")
    return watch
signals.Watch.__enter__ = enter
"""
"""A program that says when it listens."""


def started(code, *arguments):
    """A program, once it listens."""
    here = os.pathsep.join([str(Path(jaxrisk.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", HEARING + code, *arguments]
    # XLA's pages on programs from a cache would fill the pipe before anybody reads it
    environment = os.environ | {"PYTHONPATH": here, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout.read(1) == "x"
    return process


def ended(process, *signals, pause=0.5):
    """Exit code, standard error, and seconds until the end since the first of some signals."""
    begun = time.monotonic()
    for place, signum in enumerate(signals):
        time.sleep(pause if place else 0.0)
        process.send_signal(signum)
    _, err = process.communicate(timeout=60)
    return process.returncode, err, time.monotonic() - begun


def dropped():
    """An interruption in a callback of the garbage collector, where Python drops it."""

    def press(phase, info):
        if phase == "start":
            raise KeyboardInterrupt

    gc.callbacks.append(press)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(press)


def test_an_interruption_in_a_callback_of_the_collector_is_not_lost(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: seen.append(unraisable.exc_type))
    dropped()
    assert seen == [KeyboardInterrupt]  # Python says so, and goes on
    look()
    with pytest.raises(KeyboardInterrupt), threads(1) as pool:  # noqa: PT012
        dropped()
        answers(pool, time.sleep, [0.0])
    assert len(seen) == 1
    look()  # once


def test_a_wait_on_threads_ends_when_asked_and_what_waits_is_not_begun():
    done = []
    with pytest.raises(KeyboardInterrupt), threads(1) as pool:  # noqa: PT012
        begun = time.monotonic()
        pool.submit(time.sleep, 0.3)
        pool.submit(lambda: (time.sleep(0.1), ask()))
        answers(pool, lambda item: (time.sleep(0.5), done.append(item)), range(20))
    assert time.monotonic() - begun < 5.0
    time.sleep(0.7)
    assert len(done) <= 1
    forget()


def test_without_an_interruption_answers_come_in_order():
    with threads(4) as pool:
        assert answers(pool, lambda x: (time.sleep(0.01 * (5 - x)), x)[1], range(5)) == [0, 1, 2, 3, 4]
        assert answer(pool.submit(lambda: 7)) == 7
        with pytest.raises(ZeroDivisionError):
            answers(pool, lambda x: 1 / x, [1, 0])


AT_ONCE = "with signals.Watch():\n    time.sleep(60)"
DEAF = "with signals.Watch():\n    signals.keep(lambda: 'interrupted; kept')\n    os.write(1, b'y')\n    time.sleep(60)"
LOOKING = """
with signals.Watch():
    signals.keep()
    os.write(1, b'y')
    try:
        while True:
            time.sleep(0.05)
            look()
    except KeyboardInterrupt:
        code = signals.heard()
        print("kept", file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_before_there_is_anything_to_lose_the_process_ends_at_once(signum):
    code, err, seconds = ended(started(AT_ONCE), signum)
    assert (code, err) == (128 + signum, "interrupted; nothing was finished\n")
    assert seconds < GRACE


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_work_that_looks_ends_by_itself(signum):
    process = started(LOOKING)
    assert process.stdout.read(1) == "y"
    assert ended(process, signum)[:2] == (128 + signum, "kept\n")


def test_work_that_does_not_look_is_ended():
    process = started(DEAF)
    assert process.stdout.read(1) == "y"
    code, err, seconds = ended(process, signal.SIGINT)
    assert (code, err) == (130, "interrupted; kept\n")
    assert 0.9 * GRACE < seconds < GRACE + 5.0


def test_a_second_press_ends_at_once():
    process = started(DEAF)
    assert process.stdout.read(1) == "y"
    code, err, seconds = ended(process, signal.SIGINT, signal.SIGINT)
    assert (code, err) == (130, "interrupted; kept\n")
    assert seconds < GRACE


def test_what_is_ignored_stays_ignored_and_handlers_are_put_back():
    code = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
before = signal.getsignal(signal.SIGINT)
with signals.Watch():
    assert signal.getsignal(signal.SIGINT) is not before
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.3)
assert signal.getsignal(signal.SIGINT) is before
assert signal.set_wakeup_fd(-1) == -1
"""
    process = started(code)
    assert (process.communicate(timeout=60)[1], process.returncode) == ("", 0)


def test_a_command_called_from_python_leaves_signals_alone(capsys):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert jaxrisk.cli.main(["--version"]) == 0
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.parametrize("wait", [0.0, 0.05, 0.2, 0.5, 1.0])
def test_a_press_while_modules_are_imported_and_the_command_is_read(tmp_path, wait):
    (tmp_path / "tiny.toml").write_text(SCENARIO.replace("paths = 32", "paths = 100000000"))
    code = "from jaxrisk.cli import main\nmain()"
    process = started(code, "run", str(tmp_path / "tiny.toml"), "--out", str(tmp_path / "r.nc"))
    time.sleep(wait)
    code, err, seconds = ended(process, signal.SIGINT)
    assert code == 130
    assert err.startswith("interrupted")
    assert len(err.splitlines()) == 1
    assert seconds < GRACE + 5.0


@pytest.mark.slow
def test_what_was_finished_is_kept_at_sigterm(tmp_path):
    (tmp_path / "tiny.toml").write_text(SCENARIO.replace("paths = 32", "paths = 100000000"))
    code = """
from jaxrisk.cli import main, progress
counted = progress.Progress.__call__
def count(bar, done, total):
    os.write(1, b"y")
    counted(bar, done, total)
progress.Progress.__call__ = count
main()
"""
    process = started(code, "run", str(tmp_path / "tiny.toml"), "--out", str(tmp_path / "r.nc"))
    assert process.stdout.read(1) == "y"  # the first paths are finished
    code, err, _ = ended(process, signal.SIGTERM)
    assert code == 143
    result = jaxrisk.Result.load(tmp_path / "r.nc")
    assert err == f"interrupted; the {result.paths:,} paths finished until then are in {tmp_path / 'r.nc'}\n"
    assert result.losses["max_drawdown_index"].min() > 0.0
