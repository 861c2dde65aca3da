"""Versions of what a path's bits depend on."""

from importlib.metadata import PackageNotFoundError, version

NAMES = ("jaxrisk", "jax", "jaxlib", "equinox", "numpy")


def versions() -> dict[str, str]:
    """What is installed, by name."""
    return {name: _version(name) for name in NAMES}


def here() -> dict[str, str]:
    """What is installed in this process, and on what kind of device it runs."""
    import jax

    return {**versions(), "platform": jax.default_backend()}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


__all__ = ["NAMES", "here", "versions"]
