"""Names that files of the package import from each other are there."""

import ast
from importlib import import_module
from importlib.util import find_spec, resolve_name
from pathlib import Path

import jaxrisk

ROOT = Path(jaxrisk.__file__).parent


def _names():
    """Every name that a file imports from another, at its head or when it is needed: where, module, name."""
    for path in sorted(ROOT.rglob("*.py")):
        package = ".".join(path.relative_to(ROOT.parent).parts[:-1])
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                module = resolve_name("." * node.level + (node.module or ""), package)
                yield from ((f"{path.relative_to(ROOT)}:{node.lineno}", module, one.name) for one in node.names)


def test_every_name_that_is_imported_is_there():
    """One that is imported when it is needed fails in a user's hands otherwise, and not before."""
    there = lambda module, name: hasattr(import_module(module), name) or find_spec(f"{module}.{name}") is not None
    names = list(_names())
    assert len(names) > 1000
    assert [one for one in names if not there(*one[1:])] == []
