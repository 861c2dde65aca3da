"""A scenario whose program compiles in seconds, in blocks small enough for many of them."""

import pytest
from test_cli import SCENARIO

import jaxrisk as jr
from jaxrisk.cascade import blocks


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Two hours of one market."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.toml"
    path.write_text(SCENARIO)
    return jr.load(path)


@pytest.fixture(scope="module")
def blocks_of_256():
    """Blocks of 256 paths."""
    patch = pytest.MonkeyPatch()
    patch.setitem(blocks.BLOCK, "cpu", 256)
    yield
    patch.undo()
