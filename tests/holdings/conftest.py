"""A scenario whose files a test replaces, as tests of the configuration have it."""

from ..config.conftest import folder

__all__ = ["folder"]
