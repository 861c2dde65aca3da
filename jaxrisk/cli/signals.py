"""Ctrl-C and SIGTERM on the command line: heard at once whatever the main thread does, and never lost.

A signal handler of Python's runs only when the main thread gets back from C++, where it may be for half a minute, and what it
raises is dropped where that happens in a callback of the garbage collector. So ours raises nothing. The signal's number is
written to a pipe as it arrives, a thread reads it there: before there is anything to lose the process ends at once; afterwards
a flag is set that is looked at between blocks of work, and where nobody looks for `GRACE` seconds, or there is a second signal,
the process ends then.
"""

import os
import signal
import time

INTERRUPTED = 130
GRACE = 2.0
"""Seconds that the work has to see that it is to stop, or to come to its end."""
SAME = 0.25
"""Seconds within which two signals are one press, which the terminal and a wrapper have both passed on."""
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

_current: "Watch | None" = None


def code_of(signum: int) -> int:
    """A process's exit code after a signal."""
    return 128 + signum


def _early(signum: int, frame: object) -> None:
    """Before there is a thread to listen: nothing has been begun."""
    _end(signum, "interrupted")


def _end(signum: int, words: str, restored: str = "") -> None:
    """The process ends here, without asking any lock: what it prints to may be held by a thread that is stuck."""
    import select

    try:
        if not select.select([], [2], [], 0)[1]:
            os._exit(code_of(signum))
        os.write(2, f"{restored}{words}\n".encode(errors="replace"))
    except (OSError, ValueError):
        pass
    os._exit(code_of(signum))


class Watch:
    """Listens while the command line works; signals that are ignored, as in the background of a shell, stay so.

    `signum`: of what was heard first; None while nothing was.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        self.orderly = False
        self.words = lambda: "interrupted; nothing was finished"
        self.restored = ""
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Watch":
        global _current
        for signum in SIGNALS:
            if signal.getsignal(signum) not in (signal.SIG_IGN, None):
                self._before[signum] = signal.signal(signum, _early)
        import threading

        self._ears, self._mouth = os.pipe()
        os.set_blocking(self._mouth, False)
        thread = threading.Thread(target=self._listen, name="jaxrisk signals", daemon=True)
        self._fd_before = signal.set_wakeup_fd(self._mouth, warn_on_full_buffer=False)
        thread.start()
        for signum in self._before:
            signal.signal(signum, lambda signum, frame: None)
        _current = self
        return self

    def __exit__(self, *error: object) -> None:
        global _current
        _current = None
        for signum, before in self._before.items():
            signal.signal(signum, before)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._fd_before)
        os.write(self._mouth, b"\0")  # the thread's end
        from .. import _interrupt

        _interrupt.forget()

    def _listen(self) -> None:
        import select

        from .. import _interrupt

        first, patience = 0.0, None
        while True:
            if not select.select([self._ears], [], [], patience)[0]:
                patience = None
                if _interrupt.asked():
                    _end(self.signum or signal.SIGINT, self.words(), self.restored)
                continue
            for signum in os.read(self._ears, 64):
                if signum == 0:
                    os.close(self._ears)
                    os.close(self._mouth)
                    return
                if signum not in self._before or (self.signum is not None and time.monotonic() - first < SAME):
                    continue
                if self.signum is not None or not self.orderly:
                    _end(signum, self.words(), self.restored)
                self.signum, first = signum, time.monotonic()
                _interrupt.ask()
                patience = GRACE


def keep(words=None) -> None:
    """From here on there is something to lose: work gets its time to stop by itself.

    **Arguments:** `words`: returns what is said where it does not.
    """
    if _current is not None:
        _current.orderly = True
        if words is not None:
            _current.words = words


def restore(codes: str) -> None:
    """What a terminal is sent first where the process ends at once."""
    if _current is not None:
        _current.restored = codes


def heard() -> int | None:
    """The exit code of the signal that was heard, if any was."""
    return None if _current is None or _current.signum is None else code_of(_current.signum)


def deaf() -> None:
    """From here on signals are ignored: all is done, and Python takes its leave."""
    for signum in SIGNALS:
        signal.signal(signum, signal.SIG_IGN)


__all__ = ["Watch", "deaf", "heard", "keep", "restore"]
