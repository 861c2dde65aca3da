"""The table of commands: each has options, a function that answers it, and a line in the list of all."""

import re
from importlib import import_module
from inspect import signature

import pytest

from jaxrisk.cli import main
from jaxrisk.cli.arguments import COMMANDS, answered_by, options_of, summary_of


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_answered(name):
    """By a function of its options and of the lines on what is wrong with them."""
    options, answer = COMMANDS[name]
    module, _, function = answer.partition(".")
    assert list(signature(getattr(import_module(f"jaxrisk.cli.{module}"), function)).parameters) == ["command", "wrong"]
    assert answered_by(object.__new__(options)) == answer
    assert options_of(name) is options


def test_all_commands_are_listed_with_their_first_lines(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    main(["--help"])
    said = re.sub(r"[\s│]+", " ", capsys.readouterr().out)
    assert [name for name in COMMANDS if f" {name} {summary_of(options_of(name))} " not in said] == []


def test_a_word_that_is_no_command_has_no_options():
    assert options_of("runn") is None
