"""A study file: `[[grid]]`, `[[cells]]`, `[sample]` and `[[branches]]`, each a model, and the file as a whole."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag

from ..config.tables.by_name import is_table
from ..config.tables.table import Table, Wrong
from ..config.tables.values import Whole, number

MOST_CELLS = 100_000
Settings = dict[str, Any]
"""Values by dotted key of a scenario file, or by the name of a parameter."""


def flat(table: Mapping[str, Any], prefix: str = "") -> Settings:
    """Tables under names without dots, taken apart: `[set.market]` is the same as names that begin with `market.`.

    What is under a dotted name, which has quotes in a file, is one value.
    """
    found: Settings = {}
    for name, value in table.items():
        nested = isinstance(value, Mapping) and value and not set(str(name)) & set(".[*?")
        found |= flat(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return found


def worded(value: Any) -> str:
    """A value as it stands in a label.

    >>> worded(5.0), worded("eu_retail_cfd"), worded(0.25)
    ('5', 'eu_retail_cfd', '0.25')
    """
    return f"{value:.6g}" if number(value) else value if isinstance(value, str) else str(value)


_SETTINGS = {"allowed": 'a table of settings by dotted name, such as { "limits.file" = "eu_retail_cfd" }'}
_TEXTS = {"allowed": "a list of texts"}
_Settings = Annotated[Settings, AfterValidator(flat), Field(json_schema_extra=_SETTINGS)]
_Label = Annotated[str, Field(min_length=1)]
_Name = Annotated[_Label, Field(json_schema_extra={"allowed": "text, what the cell is called"})]
_NameOfACell = Annotated[_Label, Field(json_schema_extra={"allowed": f"the name of a cell, or {_SETTINGS['allowed']}"})]
_Texts = Annotated[list[_Label], Field(min_length=1, json_schema_extra=_TEXTS)]
_Scenario = Annotated[_Label, Field(json_schema_extra={"allowed": "the name of a shipped scenario, or a path"})]


def _tables(name: str) -> dict[str, Any]:
    return {"allowed": f"tables, each [[{name}]]"}


class Cell(Table):
    """A cell given by itself, or one case of an axis."""

    name: _Name = Field(description="what the cell is called")
    settings: _Settings = Field({}, alias="set", description="what is set in it")


class Axis(Table):
    """One direction of a grid: values of one key."""

    label: str = Field("", alias="name", description="what the axis is called; by default its key")
    key: _Label = Field(
        description="what is varied",
        json_schema_extra={"allowed": "the dotted name of what is varied, or a parameter's"},
    )
    values: list[Any] = Field(
        min_length=1, description="its values", json_schema_extra={"allowed": "a list of at least one value"}
    )
    labels: list[_Label] | None = Field(None, description="what each is called", json_schema_extra=_TEXTS)

    def between(self) -> Iterator[Wrong]:
        """A label for each value, and no two alike."""
        if self.values is None:
            return
        if self.labels is not None and len(self.labels) != len(self.values):
            yield Wrong("labels", self.labels, f"has to be a list of {len(self.values)} texts, one a value")
        elif len(set(self._words)) < len(self.values):
            yield Wrong("labels" if self.labels else "values", self.labels or self.values, "names one twice")

    @property
    def name(self) -> str:
        """What the axis is called."""
        return self.label or self.key

    @property
    def _words(self) -> list[str]:
        return self.labels or [f"{self.name} = {worded(value)}" for value in self.values]

    @property
    def places(self) -> list[tuple[str, Settings]]:
        """Of each place its label, and the settings there."""
        return [(word, {self.key: value}) for word, value in zip(self._words, self.values, strict=True)]


class CaseAxis(Table):
    """One direction of a grid: cases, each with settings of its own."""

    name: str = Field("", description="what the axis is called")
    cases: list[Cell] = Field(
        min_length=1, description="its cases", json_schema_extra={"allowed": "tables, each [[grid.cases]], at least one"}
    )

    @property
    def places(self) -> list[tuple[str, Settings]]:
        """Of each place its label, and the settings there."""
        return [(case.name, case.settings) for case in self.cases]


def _kind_of_axis(row: Any) -> str:
    return "cases" if isinstance(row, CaseAxis) or (isinstance(row, dict) and "cases" in row) else "key"


class Sample(Table):
    """A Latin hypercube."""

    cells: Whole = Field(ge=2, le=MOST_CELLS, description="how many cells")
    seed: Whole = Field(0, ge=0, description="seed of the points")
    ranges: dict[str, Any] = Field(
        min_length=1,
        description="between which values each key lies, by dotted name",
        json_schema_extra={
            "allowed": 'a table of a lowest and a highest value by name, such as { "impact.coefficient" = [0.5, 3] }'
        },
    )
    log: list[str] = Field([], description="names that are spread evenly in their logarithm", json_schema_extra=_TEXTS)

    def between(self) -> Iterator[Wrong]:
        """Ends in order, and logarithms of what there is."""
        known = self.ranges or {}
        if any(name not in known for name in self.log or ()):
            yield Wrong("log", self.log, f"has to be a list of names out of ranges: {', '.join(known) or 'none'}")
        for name, ends in known.items():
            log = name in (self.log or ())
            lowest = 0.0 if log else -math.inf
            if not isinstance(ends, list) or len(ends) != 2 or not all(map(number, ends)) or not lowest < ends[0] < ends[1]:
                text = "has to be a list of two numbers, the lowest and the highest" + (", above 0" if log else "")
                yield Wrong(f"ranges.{name}", ends, text)


class Branch(Cell):
    """What may be so, with a weight: one of its `group`, whose weights sum to one."""

    group: str = Field("", description="of which the weights sum to 1")
    weight: float = Field(gt=0, le=1, description="its weight")


class StudyRun(Table):
    """`[run]` or `[quick]` of a study; what the numbers may be is for the scenario's own check to say."""

    paths: Any = Field(None, description="number of paths")
    seed: Any = Field(None, description="seed of the random numbers")
    steps: Any = Field(None, description="number of time steps")
    precision: Any = Field(None, description="floating-point precision")

    @property
    def said(self) -> Settings:
        """What is said of it."""
        return {name: getattr(self, name) for name in StudyRun.model_fields if name in self.model_fields_set}


class StudyFile(Table):
    """A study file as written; see `docs/studies.md`."""

    name: str = Field("", description="short name, which names the result")
    title: str = Field("", description="title")
    question: str = Field("", description="the question that this study answers")
    sources: Any = Field(None, description="where the numbers are from")
    scenario: _Scenario | None = Field(None, description="a scenario; this or scenarios")
    several: _Texts | None = Field(None, alias="scenarios", description="several scenarios; this or scenario")
    settings: _Settings = Field({}, alias="set", description="what is set everywhere")
    run: StudyRun = Field(StudyRun(), description="how each cell is run")
    quick: StudyRun = Field(StudyRun(), description="how a quick look is run")
    grid: list[Annotated[Annotated[Axis, Tag("key")] | Annotated[CaseAxis, Tag("cases")], Discriminator(_kind_of_axis)]] = Field(
        [], description="axes, whose every combination is a cell", json_schema_extra=_tables("grid")
    )
    cells: list[Cell] = Field([], description="cells given by themselves", json_schema_extra=_tables("cells"))
    sample: Sample | None = Field(None, description="cells drawn")
    branches: list[Branch] = Field([], description="a tree of what may be so", json_schema_extra=_tables("branches"))
    reference: (
        Annotated[
            Annotated[_NameOfACell, Tag("one")] | Annotated[_Settings, Field(min_length=1), Tag("table")],
            Discriminator(is_table),
        ]
        | None
    ) = Field(None, description="the cell that others are compared with: its name, or what is set there")
    measures: _Texts = Field([], description="what is measured of each cell")
    rank: str | None = Field(None, description="the measure by which cells are ordered")
    by_class: list[str] | None = Field(None, description="what is told by account class", json_schema_extra=_TEXTS)

    def between(self) -> Iterator[Wrong]:
        """One scenario or several, and branches whose weights are a whole."""
        if ("scenario" in self.model_fields_set) == ("several" in self.model_fields_set):
            yield Wrong("scenario", None, "one of scenario and scenarios is needed, and not both", missing=True)
        if len(set(self.several or ())) < len(self.several or ()):
            yield Wrong("scenarios", self.several, "names one twice")
        for key in ("grid", "cells", "branches"):
            if key in self.model_fields_set and getattr(self, key) == []:
                yield Wrong(key, [], "is empty; leave it out, or give at least one")
        for group in dict.fromkeys(one.group for one in self.branches or ()):
            mine = [one for one in self.branches if one.group == group]
            total = math.fsum(one.weight for one in mine)
            of = f' of "{group}"' if group else ""
            if abs(total - 1.0) > 1e-6:
                yield Wrong("branches", None, f"the weights{of} sum to {total:.6g}; they have to sum to 1", missing=True)
            if len({one.name for one in mine}) < len(mine):
                yield Wrong("branches", None, f"two branches{of} have one name", missing=True)

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Names of the scenarios."""
        return tuple(self.several or ()) or ((self.scenario,) if self.scenario else ())


__all__ = ["MOST_CELLS", "Axis", "Branch", "CaseAxis", "Cell", "Sample", "Settings", "StudyFile", "StudyRun", "flat",
           "worded"]  # fmt: skip
