"""The scenario whose numbers are kept where nothing was measured."""

from pathlib import Path
from typing import Any, NamedTuple

from ..config.check_document import check_document
from ..config.document import override, read_scenario
from ..config.tiers import tier_tables
from ..data.named import Reader
from ..data.tier_dollars import Sizes
from ..paths import NotFound, find
from ..problems import ConfigError, Problem, Report, nearest, written
from ..toml import comments
from .document import Entry, moved


class Base(NamedTuple):
    """`document`: with overrides, as seen from the folder of the file to be written; `comments`: of the base's file, by dotted
    key; `asset`: the one that the prices are of; `tiers`: entries for its venues."""

    file: Path
    document: dict[str, Any]
    comments: dict[str, str]
    asset: str
    tiers: dict[str, Entry]


def base_of(name: str | Path, overrides: dict[str, Any], out: Path, asset: str | None, tiers: str | None,
            columns: dict[str, str] | None = None) -> Base:  # fmt: skip
    """Read and check a base, with the asset and the tiers that are asked for.

    **Arguments:** `name`: of a shipped scenario, or a path; `out`: where the new scenario will stand; `asset`: None where there
    is only one; `tiers`: of a shipped venue, or a path; `columns`: its own names of columns.

    Raises `ConfigError`, with all problems at once.
    """
    file, document = read_scenario(name)
    report = Report(str(file), overrides)
    document = override(document, overrides, report)
    if not report.problems:
        check_document(document, file, report)
    if report.problems:
        raise ConfigError(list(dict.fromkeys(report.problems)))
    problems: list[Problem] = []
    chosen = _asset(document, asset, file, problems)
    entries = _tiers(document, tiers, columns or {}, problems)
    if problems:
        raise ConfigError(problems)
    return Base(file, moved(document, file.parent, out.absolute().parent), comments(file), chosen, entries)


def _asset(document: dict[str, Any], asset: str | None, file: Path, problems: list[Problem]) -> str:
    known = list(document["assets"])
    if asset is None and len(known) == 1:
        return known[0]
    if asset not in known:
        text = f"has to be one of the assets of {file.stem}: {', '.join(known)}"
        problems.append(Problem("command line", "--asset", asset and f'"{asset}"', text, asset and nearest(asset, known)))
    return asset or known[0]


def _tiers(document: dict[str, Any], tiers: str | None, columns: dict[str, str], problems: list[Problem]) -> dict[str, Entry]:
    """Tiers for every venue of the base."""
    if tiers is None:
        return {}
    try:
        found = find("venues", tiers, Path.cwd())
    except NotFound as error:
        problems.append(Problem("command line", "--tiers", written(tiers), str(error), error.nearest))
        return {}
    value = str(found.resolve()) if Path(tiers).is_file() else tiers
    report, assets = Report(tiers), tuple(document["assets"])
    reader = Reader(report, Path.cwd())
    for venue, table in document["venues"].items():
        contract = table.get("contract_size")
        known = contract if isinstance(contract, dict) else {} if contract is None else dict.fromkeys(assets, float(contract))
        prices = {name: float(one["price"]) for name, one in document["assets"].items()}
        key, sizes = f"venues.{venue}.tiers", Sizes(prices, known, f"venues.{venue}.contract_size")
        tier_tables(reader, key, tiers, assets, set(assets), table.get("tier_rule"), columns, sizes)
    problems += dict.fromkeys(report.problems)
    taken = "".join(f"; {line.partition(': ')[2]}" for line in dict.fromkeys(reader.taken))
    more = {f"venues.{venue}.tier_columns": Entry(columns, "the file's own names") for venue in document["venues"] if columns}
    return more | {f"venues.{venue}.tiers": Entry(value, f"FACT: margin tiers of {tiers}{taken}") for venue in document["venues"]}


__all__ = ["Base", "base_of"]
