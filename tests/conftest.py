"""Array shapes and types that annotations promise are checked while the tests run; `tests/oracles` is importable as `oracles`."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import jax
import pytest
from jaxtyping import install_import_hook

_CHECKED = ["jaxrisk.market", "jaxrisk.positions", "jaxrisk.cascade", "jaxrisk.risk"]
install_import_hook(_CHECKED, "beartype.beartype").__enter__()

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True, scope="module")
def _forget_compiled_programs():
    """Compiled programs of a module are of no use to the next, and add up to gigabytes."""
    yield
    jax.clear_caches()
