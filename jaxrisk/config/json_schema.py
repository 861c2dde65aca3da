"""The JSON Schema of a scenario file."""

import math
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from .containers import ListOf
from .exchange import Call, FlowTable, FundingTable, StopOrders
from .holders import AccountHolders, CrossHolders, HistogramHolders, LognormalHolders, MapHolders
from .processes import GBM, Bates, Bootstrap, Garch, Heston, Kou, LogVariance, Merton, Replay, Shock
from .sections import Asset, Cap, ChannelsTable, DepthTable, LinearLaw, PowerLaw, Run, TableLaw, TemporaryTable
from .values import Text
from .venues import Venue

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class LimitsTable(BaseModel):
    """Leverage limits: those of a file, and rows of the scenario's own."""

    model_config = ConfigDict(extra="forbid")
    file: Annotated[str | None, Text("name of a shipped limit file, or a path")] = None
    caps: list[Cap] = []


class ScenarioFile(BaseModel):
    """A leveraged market and a horizon, as a configuration file."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Text("short name, which names the result; by default the file's", word=True)] = "scenario"
    title: Annotated[str, Text("title")] = ""
    question: Annotated[str, Text("the question that this scenario answers")] = ""
    sources: Annotated[list[str], ListOf("where the numbers are from", Text(""))] = []
    run: Run
    assets: dict[str, Asset]
    market: Annotated[
        GBM | Merton | Kou | Heston | Bates | LogVariance | Garch | Bootstrap | Replay, Field(discriminator="process")
    ]
    shock: Shock | None = None
    impact: Annotated[LinearLaw | PowerLaw | TableLaw, Field(discriminator="law")]
    temporary_impact: TemporaryTable | None = None
    depth: DepthTable | None = None
    channels: ChannelsTable = ChannelsTable()
    venues: dict[str, Venue]
    populations: dict[
        str,
        Annotated[LognormalHolders | HistogramHolders | MapHolders | AccountHolders | CrossHolders, Field(discriminator="kind")],
    ]
    calls: Call | dict[str, Call] | None = None
    stops: dict[str, StopOrders] = {}
    funding: FundingTable | None = None
    flow: FlowTable | None = None
    limits: LimitsTable = LimitsTable()
    ranges: Annotated[
        dict[str, Any],
        Field(description="between which ends numbers that nobody knows may lie, by dotted name of the key: [lowest, highest]"),
    ] = {}


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a scenario file, with descriptions, units, bounds and defaults.

    >>> schema()["$defs"]["Asset"]["properties"]["price"]["unit"]
    'USD a coin'
    """
    whole = ScenarioFile.model_json_schema(by_alias=True)
    _finite(whole)
    return {"$schema": _DIALECT} | whole


def _finite(node: Any) -> None:
    """Drop defaults that stand for "not given", and infinities, which JSON cannot write."""
    if isinstance(node, dict):
        default = node.get("default", 0)
        if default is None or (isinstance(default, list) and math.inf in default):
            del node["default"]
        for item in node.values():
            _finite(item)
    elif isinstance(node, list):
        for item in node:
            _finite(item)
