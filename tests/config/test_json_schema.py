"""The JSON Schema says of valid scenarios that they are, and carries units."""

import copy
import json
import tomllib

import pytest

from jaxrisk.config import schema
from jaxrisk.paths import find, names


def test_it_is_json():
    assert json.loads(json.dumps(schema(), allow_nan=False)) == schema()


def test_it_has_units_bounds_and_descriptions():
    models = schema()["$defs"]
    depth = models["LinearLaw"]["properties"]["depth"]["oneOf"][0]
    assert depth == {"type": "number", "exclusiveMinimum": 0.0, "unit": "USD per unit of log price"}
    assert models["Run"]["properties"]["precision"]["enum"] == ["float32", "float64"]
    target = models["Venue"]["properties"]["margin_target"]
    assert (target["minimum"], target["maximum"]) == (1.0, 100.0)
    assert "policy to_margin" in target["description"]
    assert all("description" in field or "const" in field or "enum" in field
               for model in models.values() for field in model["properties"].values()
               if "$ref" not in field and "items" not in field)  # fmt: skip


def test_it_says_what_shares_and_half_lives_are_of():
    models = schema()["$defs"]
    for law in ("LinearLaw", "PowerLaw", "TableLaw"):
        said = {key: models[law]["properties"][key]["description"] for key in ("permanent_share", "resilience_half_life")}
        assert all("displaced volume" in text for text in said.values())
        assert "32% of the impact" in said["permanent_share"]
    assert "USD at entry" in models["Accounts"]["properties"]["file"]["description"]


def test_references_resolve():
    whole = schema()

    def walk(node):
        if isinstance(node, dict):
            reference = node.get("$ref")
            assert reference is None or reference.removeprefix("#/$defs/") in whole["$defs"]
            for item in node.values():
                walk(item)
        elif isinstance(node, list):
            for item in node:
                walk(item)

    walk(whole)


def test_it_accepts_what_is_valid_and_refuses_what_is_not(folder):
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(schema())
    documents = [tomllib.loads(text) for text in (folder.VALID, folder.EXCHANGE)] + [
        tomllib.loads(find("scenarios", name).read_text()) for name in names("scenarios")
    ]
    for document in documents:
        assert [error.message for error in validator.iter_errors(document)] == []
    for key, value in (("run.paths", 0), ("run.horizn", "1h"), ("market.process", "heton"), ("channels.feedback", 2)):
        spoilt = copy.deepcopy(documents[0])
        section, name = key.split(".")
        spoilt[section][name] = value
        assert list(validator.iter_errors(spoilt)), key
    for path, value in (
        ("run.book", "acount"),
        ("venues.binance.ranking", "fifo"),
        ("venues.binance.insurance_fund", -1.0),
        ("venues.coinm.policy", "to_margn"),
        ("venues.coinm.margin_target", 0.99),
        ("venues.coinm.margin_target", 101.0),
        ("venues.binance.liquidity_leakage", 2.0),
        ("calls.retail.level", 1.0),
        ("stops.support.side", "both"),
        ("funding.rates", 0.1),
        ("populations.book.columns", {"acount": "user"}),
        ("impact.common_holders", {"BTC->NDX": 11.0}),
        ("shock.venue", 5),
    ):
        here = spoilt = copy.deepcopy(documents[1])
        *parts, last = path.split(".")
        for part in parts:
            here = here[part]
        here[last] = value
        assert list(validator.iter_errors(spoilt)), path
