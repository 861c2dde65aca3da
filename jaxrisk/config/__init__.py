"""Configuration: from a scenario's file to a checked scenario. The only room that knows what such a file may hold.

Start with `tables`: a model is what a table of the file may hold. In the order of the data, `document` reads a file, tells what
it is and sets what the command line says; `check_document` has each section read against its model, and files of data by `data`
and `holdings`; the `check_*` files, `caps` and `tiers` say what does not hold between sections. What came out is a
`checked.Checked`, of which `effective` makes the configuration written out, `doubt` what is likely not meant, and `build` the
scenario that the engine runs. `check_table` looks at a file of data by itself. Nothing here imports JAX before `build`.

Kept beyond plain pydantic, and why. Its errors are translated, in one place, to sentences with what is allowed, its unit and a
likely spelling (`tables.sentences`). It asks nothing that holds between keys where one key is wrong, and a user should be told of
everything at once, between keys, sections and files: so sections are validated one by one, and what is sound of a wrong one goes
on to the next check (`tables.table`). Names of assets and venues are known to a validation's context alone (`tables.by_name`,
`tables.matrices`). `ranges` are of any key, and tried by reading the file with their ends set. Rows of a limit file for other
markets are left out (`caps`), which is a matter of the scenario that names it. And 10,000 cells of a study are mostly the same
file, whose equal parts are read and checked once (`jaxrisk._once`).
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..problems import ConfigError as ConfigError, Problem as Problem

if TYPE_CHECKING:
    from jaxrisk.scenario import Scenario

    from .checked import Checked


@dataclass(frozen=True)
class Prepared:
    """A configuration without problems, before JAX is needed: `scenario()` builds what the engine runs.

    **Fields:** `name`: the scenario's; `whole`: the effective configuration as a document; `text`: the same as TOML.
    """

    name: str
    checked: "Checked"
    whole: dict[str, Any]

    @property
    def text(self) -> str:
        from .effective import text_of

        return text_of(self.whole, self.checked.files)

    def doubts(self) -> list[str]:
        """Lines on what can be run but is likely not meant, or is not taken as written; empty for most."""
        from .doubt import doubts

        return doubts(self.checked)

    def read_as(self) -> list[str]:
        """A line on each file of data that was taken for something else than a plain table of our own names: what for."""
        return self.checked.read_as

    def scenario(self) -> "Scenario":
        """The scenario, every number a leaf under its dotted name."""
        from .build import build

        return build(self.checked, self.text)


def prepare(path: str | Path, overrides: dict[str, Any] | None = None) -> Prepared:
    """Read and check a configuration; arguments and errors as for `load`."""
    from .read import read

    checked, problems, whole = read(path, overrides)
    if problems:
        raise ConfigError(problems)
    return Prepared(checked.name, checked, whole)


def load(path: str | Path, overrides: dict[str, Any] | None = None) -> "Scenario":
    """The scenario that a file describes.

    **Arguments:** `path`: a TOML file, or the name of a shipped scenario; `overrides`: values that take the place of the
    file's, by dotted key (`"market.volatility": 0.5`); text is read as TOML where it is TOML.

    Raises `ConfigError`, with all problems at once. Warns (`UserWarning`) of what can be run but is likely not meant.
    """
    prepared = prepare(path, overrides)
    for doubt in prepared.doubts():
        warnings.warn(doubt, UserWarning, stacklevel=2)
    return prepared.scenario()


def check(path: str | Path, overrides: dict[str, Any] | None = None) -> list[Problem]:
    """Everything that is wrong with a scenario file, and with the files it names; empty if nothing is.

    **Arguments:** as for `load`; `path` may also be a limit file or a venue's tiers. Does not import JAX.

    >>> [str(problem).split(":")[0] for problem in check("no_such_scenario")]
    ['no_such_scenario']
    """
    from .read import problems_of

    try:
        return problems_of(path, overrides)
    except ConfigError as error:
        return error.problems


def doubts(path: str | Path, overrides: dict[str, Any] | None = None) -> list[str]:
    """What can be run in a scenario file without problems but is likely not meant; empty for other files. As `check`."""
    from .read import is_scenario

    try:
        return prepare(path, overrides).doubts() if is_scenario(path) else []
    except ConfigError:
        return []


def schema() -> dict[str, Any]:
    """JSON Schema of a scenario file, with descriptions, units and bounds.

    >>> sorted(schema()["required"])
    ['assets', 'impact', 'market', 'populations', 'run', 'venues']
    """
    from .tables.scenario import schema

    return schema()


__all__ = ["ConfigError", "Prepared", "Problem", "check", "doubts", "load", "prepare", "schema"]
