"""Every block of code of the README and the pages: what it says exists, and it runs, small, unless the page says why not.

A block that is not run has a comment before it in the page, `<!-- skip: next "why" -->`.
"""

import ast
import contextlib
import functools
import io
import os
import re
import shlex
import tomllib
import unittest
from pathlib import Path

import pytest
from docs.small import PATHS, small

pytest.importorskip("sybil", reason="the extra `test` is not installed whole")

import sybil
from sybil.parsers.markdown import CodeBlockParser, SkipParser
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

from jaxrisk.cli import NO, OK, main
from jaxrisk.cli.arguments import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LANGUAGES = {"sh", "python", "toml", "text"}
SECTIONS = (
    "run",
    "market",
    "shock",
    "impact",
    "temporary_impact",
    "depth",
    "channels",
    "venues",
    "populations",
    "limits",
    "ranges",
)
NOT_TRIED = ("source ", "pip install ")
"""Lines of a shell that are of the reader's own machine."""


def name_of(page):
    return str(page.relative_to(ROOT))


def blocks(page):
    """Language and source of each fenced block of a page; what is a picture's own file is tried in test_pictures.py."""
    document = sybil.document.Document(page.read_text(encoding="utf-8"), str(page))
    for found in FencedCodeBlockLexer(".*", mapping={"language": "language", "source": "source"})(document):
        if not found.lexemes["source"].startswith("--8<--"):
            yield found.lexemes["language"], found.lexemes["source"]


def lines(source):
    """Commands of a block of a shell, as words, without comments."""
    for line in source.replace("\\\n", " ").splitlines():
        if words := shlex.split(line, comments=True):
            yield words


@functools.cache
def options(command):
    """What a command's help names."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        main([*command, "--help"])
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", said.getvalue()))


def check(words):
    """Raise where a command, an option or a script is not there."""
    if words[0] == "jaxrisk":
        command = words[1:3] if words[1] == "import" else words[1:2]
        assert words[1] in COMMANDS, f"jaxrisk {words[1]}: no such command"
        known = options(tuple(command))
        for word in words[2:]:
            if word.startswith("--"):
                option = word.split("=")[0]
                place = option.removeprefix("--").split(".")[0]
                assert option in known or ("." in option and place in SECTIONS), f"jaxrisk {words[1]}: no option {option}"
    elif words[0].startswith("scripts/") or (words[0] == "python" and words[1].startswith("scripts/")):
        script = ROOT / (words[0] if words[0] != "python" else words[1])
        assert script.exists(), f"{script}: no such script"
        if words[0] != "python" and words[0] != "scripts/test":
            named = set(re.findall(r"--[a-z][a-z-]*", script.read_text() + _beside(script)))
            assert {w.split("=")[0] for w in words[1:] if w.startswith("--")} <= named, (
                f"{script}: an option that it does not name"
            )
    else:
        assert words[0] in ("pip", "source"), f"{words[0]}: what is it?"


def _beside(script):
    python = script.with_suffix(".py")
    return python.read_text() if python.exists() and python != script else ""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_blocks_name_exists(page):
    for language, source in blocks(page):
        assert language in LANGUAGES, f"{language}: a block whose language the tests do not know"
        if language == "python":
            ast.parse(source)
        elif language == "toml":
            tomllib.loads(source)
        elif language == "sh":
            for words in lines(source):
                check(words)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_sentences_exist(page):
    for code in re.findall(
        r"`(jaxrisk [a-z][^`\n]*)`", re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    ):
        words = [word for word in code.replace("...", "").split() if word]
        if not words[1].isupper():
            check(words)


@pytest.mark.parametrize(
    "line", ["jaxrisk runn btc_24h", "jaxrisk run btc_24h --pahts 3", "jaxrisk run btc_24h --markt.variance 1", "scripts/nowhere",
             "scripts/nightly --price x"],
)  # fmt: skip
def test_what_does_not_exist_is_seen(line):
    with pytest.raises(AssertionError):
        check(line.split())


def run_shell(example):
    """Run the commands of a block that are jaxrisk's, small, in the present folder."""
    for words in lines(example.parsed):
        if words[0] == "jaxrisk":
            into = words.index(">") if ">" in words else len(words)
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                code = main(_small(words[1:into]))
            assert code in (OK, NO), f"{shlex.join(words)}: exit code {code}"
            if into < len(words):
                Path(words[into + 1]).write_text(said.getvalue())
        else:
            assert shlex.join(words).startswith(NOT_TRIED), f"{shlex.join(words)} cannot be run here: say so in the page"


def _small(words):
    known = options(tuple(words[:1]))
    for option, size in (("--paths", PATHS), ("--steps", 24)):
        if option in words:
            place = words.index(option) + 1
            words[place] = str(min(int(float(words[place])), size))
        elif option in known and "--run.step" not in words and words[0] != "attribute":
            words = [*words, option, str(size)]
    return words


def run_python(example):
    """With files that a block includes in their place."""
    source = re.sub(
        r'^--8<-- "(.+)"$', lambda found: (ROOT / found[1]).read_text(encoding="utf-8"), example.parsed, flags=re.MULTILINE
    )
    exec(compile(small(source), example.path, "exec"), example.namespace)


PARSERS = sybil.Sybil(
    [CodeBlockParser("python", run_python), CodeBlockParser("sh", run_shell), SkipParser()],
    encoding="utf-8",
)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_is_not_run_says_why(page):
    for comment in re.findall(r"<!--+ *skip.*?-->", page.read_text(encoding="utf-8")):
        assert re.fullmatch(r'<!-- skip: next "[^"]{4,}" -->', comment), comment


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if any(one in ("sh", "python") for one, _ in blocks(page))], ids=name_of)
def test_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.environ.setdefault("MPLBACKEND", "agg")
    ran = 0
    for example in PARSERS.parse(page).examples():
        with contextlib.suppress(unittest.SkipTest):
            example.evaluate()
            ran += 1
    if not ran:
        pytest.skip("no block of this page is run; each says why")
