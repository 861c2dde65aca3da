"""The README is a screen and a half and its links lead somewhere; the reference has every public name; no page is left out."""

import re
from importlib import import_module
from pathlib import Path

import pytest

import jaxrisk

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_is_a_screen_and_a_half():
    assert len(README.splitlines()) <= 90
    assert "](docs/report.png)" in README


def test_links_of_the_readme_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README)
    assert len(links) > 20
    assert [link for link in links if not link.startswith("http") and not (ROOT / link).exists()] == []


def referred():
    pages = (ROOT / "docs" / "reference" / "api").glob("*.md")
    return [name for page in pages for name in re.findall(r"^::: (jaxrisk\S+)$", page.read_text(), flags=re.MULTILINE)]


def found(name):
    """A thing by its dotted name; a function before the module of its name."""
    module, _, last = name.rpartition(".")
    try:
        return getattr(import_module(module), last)
    except (AttributeError, ModuleNotFoundError):
        return import_module(name)


def test_the_reference_has_every_public_name():
    names = {id(found(name)) for name in referred()}
    assert [name for name in jaxrisk.__all__ if id(getattr(jaxrisk, name)) not in names] == []


@pytest.mark.parametrize("room", ["market", "risk", "studies"])
def test_the_reference_has_what_a_room_shows(room):
    shown = {id(found(name)) for name in referred()}
    modules = {name for name in referred() if name.startswith(f"jaxrisk.{room}.")}
    whole = import_module(f"jaxrisk.{room}")
    listed = lambda one: id(one) in shown or getattr(one, "__module__", "") in modules
    left_out = [name for name in whole.__all__ if not listed(getattr(whole, name))]
    assert left_out == []


def test_docstrings_name_pages_that_are_there():
    named = {page for file in (ROOT / "jaxrisk").rglob("*.py") for page in re.findall(r"docs/[\w/-]+\.md", file.read_text())}
    assert named
    assert [page for page in named if not (ROOT / page).exists()] == []
