"""One scenario file, start to finish: read, override, check, and the text of what came out."""

from pathlib import Path
from typing import Any

from .caps import Selectors, caps_of
from .check_exchange import ALL
from .check_table import ENDINGS, problems_of_table
from .checked import Checked, check_document
from .document import override, read_scenario, to_toml
from .kinds import kind_of
from .paths import NotFound, find, likely, names
from .problems import ConfigError, Problem, Report
from .ranges import check_ranges
from .table import Table
from .tiers import tiers_of
from .values import Context


def read(path: str | Path, overrides: dict[str, Any] | None = None) -> tuple[Checked, list[Problem], str]:
    """The checked scenario, its problems, and the effective configuration as TOML (empty if there are problems)."""
    file, document = read_scenario(path)
    overrides = dict(overrides or {})
    report = Report(str(file), overrides)
    changed = override(document, overrides, report)
    checked = check_document(changed, file, report)
    problems = list(dict.fromkeys(report.problems))
    return checked, problems, "" if problems else effective(checked, changed)


ELSEWHERE = {
    "event": "is an event, which `jaxrisk check` and `jaxrisk.backtest.event.read_event` read",
    "study": "is a study, which `jaxrisk check` and `jaxrisk study` read",
    "fit": "holds numbers fitted on events, which `jaxrisk check` and `jaxrisk.backtest.parameters.read_fitted` read",
}
"""What is said of files whose keys this room does not know."""


def file_of(path: str | Path) -> Path:
    """The file that a path stands for, or the name of what ships: a scenario, limits or a venue; raises `ConfigError`."""
    try:
        return find("scenarios", str(path))
    except NotFound as error:
        for kind in ("limits", "venues"):
            if str(path) in names(kind):
                return find(kind, str(path))
        known = [name for kind in ("scenarios", "limits", "venues") for name in names(kind)]
        near = likely(str(path), known) if Path(str(path)[-1000:]).stem in known else error.nearest
        raise ConfigError([Problem(str(path), "", None, str(error), near)]) from None


def problems_of(path: str | Path, overrides: dict[str, Any] | None = None) -> list[Problem]:
    """All problems of a scenario, or of a limit or venue file, or a table, by itself."""
    file = file_of(path)
    if file.name.endswith(ENDINGS):
        return problems_of_table(file)
    file, document = read_scenario(file)
    kind = kind_of(document, file.absolute().parent.name)
    if kind == "scenario":
        checked, problems, _ = read(file, overrides)
        return problems or problems_of_ranges(file, checked, overrides)
    report = Report(str(file))
    if kind in ELSEWHERE:
        report.add("", None, ELSEWHERE[kind], missing=True)
    elif kind == "venue":
        tiers_of(document, report)
    else:
        caps = document.get("caps")
        rows = [row for row in caps if isinstance(row, dict)] if isinstance(caps, list) else []
        named = {key: tuple(row[key] for row in rows if isinstance(row.get(key), str)) for key in ("asset", "venue", "class")}
        context = Context(named["asset"], named["venue"])
        caps_of(document, report, context, Selectors(context, named["class"]))
    return report.problems


def problems_of_ranges(file: Path, checked: Checked, overrides: dict[str, Any] | None = None) -> list[Problem]:
    """What is wrong with the ranges of a scenario that is sound itself: each end is tried."""
    report = Report(str(file))
    with_end = lambda key, value: read(file, {**(overrides or {}), key: value})[1]
    check_ranges(read_scenario(file)[1], checked.ranges, with_end, report)
    return report.problems


def is_scenario(path: str | Path) -> bool:
    """Whether a file is a scenario, rather than limits or a venue."""
    return _scenario(read_scenario(path)[1])


def _scenario(document: dict[str, Any]) -> bool:
    return "run" in document or "market" in document or not ("caps" in document or "tiers" in document)


def effective(checked: Checked, document: dict[str, Any]) -> str:
    """The configuration with all defaults, presets, tiers and limits written out; data are named with their checksums."""
    whole: dict[str, Any] = {
        "name": checked.name,
        "title": checked.title,
        "question": checked.question,
        "sources": checked.sources,
    }
    whole["run"] = _dump(checked.run)
    whole["assets"] = {name: _dump(asset) for name, asset in checked.assets.items()}
    for section in ("market", "shock", "impact", "temporary_impact", "depth", "channels"):
        if getattr(checked, section) is not None:
            whole[section] = _dump(getattr(checked, section))
    of_tiers = {name: {"tier_rule": rule} for name, rule in checked.tier_rules.items()}
    whole["venues"] = {
        name: _dump(venue and venue.model_copy(update=of_tiers.get(name))) for name, venue in checked.venues.items()
    }
    for name, table in whole["venues"].items():
        tiers = {asset: [_dump(row) for row in rows] for (venue, asset), rows in checked.tiers.items() if venue == name}
        if tiers:
            table["tiers"] = tiers
    whole["populations"] = {name: _dump(holders) for name, holders in checked.populations.items()}
    if checked.calls:
        whole["calls"] = {name: _dump(call) for name, call in checked.calls.items()}
        whole["calls"] = whole["calls"].get(ALL, whole["calls"])
    if checked.stops:
        whole["stops"] = {name: _dump(orders) for name, orders in checked.stops.items()}
    for section in ("funding", "flow"):
        if getattr(checked, section) is not None:
            whole[section] = _dump(getattr(checked, section))
    if checked.caps:
        whole["limits"] = {"caps": [_dump(cap) for cap in checked.caps]}
    if checked.ranges:
        whole["ranges"] = {one.key: [one.at(0.0), one.at(1.0)] for one in checked.ranges}
    text = to_toml(whole)
    if checked.files:
        text += "\n# tables of data that were read, and their SHA-256\n"
        text += "".join(f"# {name!r} {digest}\n" for name, digest in checked.files.items())
    return text


def _dump(table: Table | None) -> dict[str, Any]:
    """A table with its defaults, the word that decides its keys first."""
    if table is None:
        return {}
    items = {key: item for key, item in table.model_dump(by_alias=True).items() if item is not None}
    return dict(sorted(items.items(), key=lambda pair: pair[0] not in ("process", "law", "kind")))
