"""The effective configuration: all defaults, presets, tiers and limits written out, and as text."""

from collections.abc import Mapping
from typing import Any

from .._once import made_once
from ..toml import to_toml
from .check_exchange import ALL
from .checked import Checked
from .tables import Table

_ASKED = ("owed_by_class", "leverage_buckets")
"""Keys of `[run]` that ask for something besides. Where they do not they are left out: texts and digests are as without them."""


def effective(checked: Checked) -> dict[str, Any]:
    """The configuration with all defaults, presets, tiers and limits, as a document."""
    whole: dict[str, Any] = {
        "name": checked.name,
        "title": checked.title,
        "question": checked.question,
        "sources": checked.sources,
    }
    whole["run"] = {key: value for key, value in _dump(checked.run).items() if value or key not in _ASKED}
    whole["assets"] = _each(checked.assets)
    for section in ("market", "shock", "impact", "temporary_impact", "depth", "channels"):
        if getattr(checked, section) is not None:
            whole[section] = _dump(getattr(checked, section))
    whole["venues"] = _together({name: _venue(name, checked) for name in checked.venues})
    whole["populations"] = _each(checked.populations)
    if checked.calls:
        whole["calls"] = _each(checked.calls)
        whole["calls"] = whole["calls"].get(ALL, whole["calls"])
    if checked.stops:
        whole["stops"] = _each(checked.stops)
    for section in ("funding", "flow"):
        if getattr(checked, section) is not None:
            whole[section] = _dump(getattr(checked, section))
    if checked.caps:
        whole["limits"] = {"caps": [_dump(cap) for cap in checked.caps]}
    if checked.ranges:
        whole["ranges"] = {one.key: [one.at(0.0), one.at(1.0)] for one in checked.ranges}
    return whole


def text_of(whole: dict[str, Any], files: Mapping[str, str]) -> str:
    """The configuration as TOML; data are named with their checksums."""
    return to_toml(whole) + "".join(f"{line}\n" for line in comments(files))


def comments(files: Mapping[str, str]) -> list[str]:
    """Lines at its end on the tables of data that were read, by name, and their SHA-256; the first is empty."""
    if not files:
        return []
    return ["", "# tables of data that were read, and their SHA-256", *(f"# {name!r} {digest}" for name, digest in files.items())]


def _each(tables: Mapping[str, Table | None]) -> dict[str, Any]:
    return _together({name: _dump(table) for name, table in tables.items()})


def _together(tables: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The same dictionary for the same tables."""
    return made_once(lambda: tables, tuple(tables.values()), "together", *tables)


def _venue(name: str, checked: Checked) -> dict[str, Any]:
    """A venue, with the rule that holds for its tiers, and the tiers."""
    venue, rule = checked.venues[name], checked.tier_rules.get(name)
    tiers = {asset: rows for (of, asset), rows in checked.tiers.items() if of == name}

    def make() -> dict[str, Any]:
        table = dict(_dump(venue and venue.model_copy(update={} if rule is None else {"tier_rule": rule})))
        if tiers:
            table["tiers"] = {asset: [_dump(row) for row in rows] for asset, rows in tiers.items()}
        return table

    return made_once(make, (venue, *tiers.values()), "venue", rule, *tiers)


def _dump(table: Table | None) -> dict[str, Any]:
    """A table with its defaults, the word that decides its keys first."""
    return {} if table is None else made_once(lambda: _dumped(table), table, "dump")


def _dumped(table: Table) -> dict[str, Any]:
    items = table.model_dump(by_alias=True, exclude_none=True)
    return dict(sorted(items.items(), key=lambda pair: pair[0] not in ("process", "law", "kind")))


__all__ = ["comments", "effective", "text_of"]
