"""A page as PDF, printed by a Chromium that is installed; none is downloaded, and nothing is asked of a network."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge")
CHOSEN = "JAXRISK_CHROMIUM"
"""The environment variable that names another."""


LONGEST = 300
"""Seconds that a page may take to print."""


class NoBrowser(OSError):
    """There is nothing to print with."""


def browser() -> str | None:
    """The program that prints, None where there is none."""
    chosen = os.environ.get(CHOSEN)
    if chosen:
        return shutil.which(chosen)
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def missing() -> str:
    """What is said where there is none."""
    return (f"a PDF is printed by Chromium, and none of {', '.join(NAMES[:3])} was found: install it, name it by {CHOSEN}, or "
            f"print the "
            ".html from any browser")  # fmt: skip


def printed(html: str) -> bytes:
    """The page as PDF, A4.

    **Raises:** `NoBrowser` where there is none; `OSError` where it fails, with what it says.
    """
    program = browser()
    if program is None:
        raise NoBrowser(missing())
    with tempfile.TemporaryDirectory(prefix="jaxrisk-print-") as folder:
        page, out = Path(folder) / "page.html", Path(folder) / "page.pdf"
        page.write_text(html, encoding="utf-8")
        # root, as in a container, has no sandbox to make; the page is ours, and may ask for nothing
        alone = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        command = [program, "--headless", "--disable-gpu", *alone, "--disable-dev-shm-usage", "--no-pdf-header-footer",
                   f"--user-data-dir={folder}/profile", "--no-first-run", "--disable-extensions",
                   "--disable-background-networking",
                   "--virtual-time-budget=5000", f"--print-to-pdf={out}", page.as_uri()]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST)
        except subprocess.TimeoutExpired:
            raise OSError(f"{program} did not print it within {LONGEST} s, and was stopped") from None
        if done.returncode != 0 or not out.is_file():
            last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
            raise OSError(f"{program} could not print it" + "".join(f": {line.strip()}" for line in last))
        content = out.read_bytes()
    # so that a report that stands there is known to be ours
    return content.replace(b"%%EOF", b"%/Creator (jaxrisk)\n%%EOF", 1) if content.count(b"%%EOF") else content


__all__ = ["CHOSEN", "NoBrowser", "browser", "missing", "printed"]
