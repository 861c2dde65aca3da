"""Errors that come from the environment that a command is started in, and not from us."""

import os
import re
import sys


def environment_problem(error: Exception) -> str | None:
    """One line on what is wrong with the environment, if an error came from that: a device that there is not, or a setting of
    JAX's that it does not take."""
    first = (str(error).strip().splitlines() or [""])[0]
    for name in re.findall(r"\bJAX_[A-Z0-9_]+", first, re.IGNORECASE):
        if name.upper() in os.environ and name.upper() != "JAX_PLATFORMS":
            return f'environment: {name.upper()} = "{os.environ[name.upper()]}": {first}'
    asked = next((name for name in ("JAX_PLATFORMS", "JAX_PLATFORM_NAME") if os.environ.get(name)), None)
    if asked is None or "jax" not in sys.modules:
        return None
    try:
        sys.modules["jax"].devices()
    except Exception:  # of any kind: where a plug-in is missing it is an AssertionError without a word
        text = "there is no such device here, or JAX has no support for it; leave it out, or give cpu"
        return f'environment: {asked} = "{os.environ[asked]}": {text}'
    return None


__all__ = ["environment_problem"]
