"""What else a law has to say: where the engine, the file's tables and the list of parameters meet."""

import dataclasses

import pytest

from jaxrisk import market
from jaxrisk.config.tables import PROCESSES
from jaxrisk.market import AbstractMarket
from jaxrisk.parameter.market import _MARKET

LAWS = {law.__name__: law for law in AbstractMarket.__subclasses__() if law.__module__.startswith("jaxrisk.market.")}
NO_NUMBERS = {"align", "correlation", "log_prices", "log_returns", "max_jumps", "recentre", "scheme", "start"}
"""Prices, words, counts, and what has names of its own."""


def test_each_law_is_shown_and_has_a_table_of_a_file_with_its_name():
    assert {model.__name__ for model in PROCESSES.values()} == LAWS.keys()
    assert LAWS.keys() <= set(market.__all__)


@pytest.mark.parametrize("name", LAWS)
def test_each_number_of_a_law_can_be_varied(name):
    """A number that is not listed is left out of every sensitivity without a word."""
    fields = {field.name for field in dataclasses.fields(LAWS[name])}
    assert fields - NO_NUMBERS - _MARKET.keys() == set()


def test_laws_that_remember_nothing():
    assert {name for name, law in LAWS.items() if law.every_day_alike} == {"GBM", "Merton", "Kou", "Bootstrap"}
