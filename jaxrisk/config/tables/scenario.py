"""A scenario file as a whole, and its JSON Schema."""

import math
from typing import Annotated, Any

from pydantic import Field

from .exchange import Call, Flow, Funding, Stop
from .impact import Law, TemporaryImpact
from .limits import Limits
from .market import Process
from .populations import Kind
from .run import Asset, Channels, Depth, Run
from .sentences import schema_of
from .shock import Shock
from .table import Table
from .values import Word
from .venues import Venue

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Heading(Table):
    """What a scenario is, in words."""

    name: Word = Field("scenario", description="short name, which names the result; by default the file's")
    title: str = Field("", description="title")
    question: str = Field("", description="the question that this scenario answers")
    sources: list[str] = Field([], description="where the numbers are from", json_schema_extra={"allowed": "a list of texts"})


class Scenario(Heading):
    """A leveraged market and a horizon, as a configuration file."""

    run: Run
    assets: dict[str, Asset]
    market: Annotated[Process, Field(discriminator="process")]
    shock: Shock | None = None
    impact: Annotated[Law, Field(discriminator="law")]
    temporary_impact: TemporaryImpact | None = None
    depth: Depth | None = None
    channels: Channels | None = None
    venues: dict[str, Venue]
    populations: dict[str, Annotated[Kind, Field(discriminator="kind")]]
    limits: Limits | None = None
    calls: Call | dict[str, Call] | None = None
    stops: dict[str, Stop] = Field({}, description="stop orders by name")
    funding: Funding | None = None
    flow: Flow | None = None
    ranges: dict[str, Any] = Field(
        {}, description="between which ends numbers that nobody knows may lie, by dotted name of the key: [lowest, highest]"
    )


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a scenario file, with descriptions, units, bounds and defaults.

    >>> schema()["$defs"]["Asset"]["properties"]["price"]["unit"]
    'USD a coin'
    """
    return {"$schema": _DIALECT} | _finite(schema_of(Scenario))


def _finite(node: Any) -> Any:
    """Without defaults that stand for "not given", and infinities, which JSON cannot write."""
    if isinstance(node, list):
        return [_finite(item) for item in node]
    if not isinstance(node, dict):
        return node
    default = node.get("default", 0)
    absent = default is None or (isinstance(default, list) and math.inf in default)
    return {key: _finite(item) for key, item in node.items() if not (absent and key == "default")}
