"""A progress bar: what a notebook is given, and that nothing is written where there is neither a notebook nor a terminal."""

import re
from html.parser import HTMLParser

import pytest

from jaxrisk.report import bar as module
from jaxrisk.report.bar import NotebookBar, progress_bar


class Handle:
    """Stands for what a notebook shows."""

    def __init__(self):
        self.shown = []

    def update(self, one):
        self.shown.append(one._repr_html_())


@pytest.fixture
def notebook(monkeypatch):
    handle = Handle()
    monkeypatch.setattr(module, "_notebook", lambda: lambda one, display_id: handle)
    monkeypatch.setattr(module, "PAUSE", 0.0)
    return handle.shown


def test_a_notebook_is_shown_how_far_it_is_and_the_end(notebook):
    with progress_bar("paths & cells") as bar:
        bar(5, 1000)
        bar(999, 1000)
    ends = [re.search(r'value="(\d+)" max="(\d+)"', one).groups() for one in notebook]
    assert ends == [("5", "1000"), ("999", "1000"), ("1000", "1000")]
    assert all("paths &amp; cells: " in one for one in notebook)
    HTMLParser().feed(notebook[-1])


def test_an_interruption_leaves_the_bar_where_it_stands(notebook):
    def interrupted():
        with progress_bar() as bar:
            bar(5, 1000)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert 'value="5" max="1000"' in notebook[-1]


def test_pictures_of_a_bar_are_not_more_than_a_browser_wants(monkeypatch):
    handle = Handle()
    bar = NotebookBar("paths", lambda one, display_id: handle)
    for done in range(10_000):
        bar(done, None)
    assert 1 <= len(handle.shown) < 1_000
    assert "max" not in handle.shown[0]


def test_nothing_is_written_elsewhere(capfd):
    with progress_bar() as bar:
        bar(1, 2)
    assert capfd.readouterr() == ("", "")


def test_a_terminal_has_a_line_that_goes(monkeypatch):
    import io

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(module.sys, "stderr", screen)
    with progress_bar("paths") as bar:
        bar(1, 2)
    assert "1/2" in screen.getvalue()
