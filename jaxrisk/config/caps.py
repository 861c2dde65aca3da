"""Leverage limits: from a shipped file, a path or the scenario itself."""

import difflib
from typing import Any

from ..data.named import Reader
from ..data.names import Context
from ..problems import Report, nearest, one_of
from .tables import Cap, read_table

FILE_KEYS = ("name", "title", "source", "sources", "read_on", "caps")
SECTION_KEYS = ("file", "caps")
MISSPELT = 0.8  # similarity above which an unknown name in a file is taken for a misspelling, not for a market left out


class Selectors:
    """Which names a limit may select, and whether a row of a file holds for this scenario at all."""

    def __init__(self, context: Context, classes: tuple[str, ...] | None):
        self.known = {"venue": context.venues, "asset": context.assets} | ({} if classes is None else {"class": classes})

    def foreign(self, row: dict[str, Any]) -> list[str]:
        """Selectors that name something this scenario does not have."""
        return [
            key
            for key, known in self.known.items()
            if isinstance(row.get(key), str) and row[key] != "*" and row[key] not in known
        ]

    def unmet(self, rows: list[dict[str, Any]]) -> str:
        """What the rows ask for that the scenario does not have, and what it has.

        >>> Selectors(Context(), ("retail", "professional")).unmet([{"class": "new"}])
        'it asks for class "new"; the scenario has retail, professional'
        """
        parts = []
        for key, known in self.known.items():
            asked = dict.fromkeys(row[key] for row in rows if key in self.foreign(row))
            if asked:
                parts.append(f"it asks for {key} {one_of(list(asked))}; the scenario has {', '.join(known) or 'none'}")
        return "; ".join(parts)

    def misspelt(self, row: dict[str, Any], key: str) -> bool:
        return key != "asset" and bool(difflib.get_close_matches(row[key], self.known[key], n=1, cutoff=MISSPELT))


def read_limits(raw: Any, reader: Reader, context: Context, classes: tuple[str, ...] | None) -> list[Cap]:
    """All rows that hold for this scenario, those of the file first, with every problem noted.

    Rows of a file may name venues, assets and classes that the scenario does not have, and are then left out; but at least one
    has to hold, since a limit without effect is a mistake. Rows in the scenario itself have to name what it has. `classes` is
    None where they are not known, because a population is itself in error.
    """
    if raw is None:
        return []
    return reader.once(lambda: _read_limits(raw, reader, context, classes), raw, "limits.file", context, classes)


def _read_limits(raw: Any, reader: Reader, context: Context, classes: tuple[str, ...] | None) -> list[Cap]:
    report = reader.report
    if not isinstance(raw, dict):
        report.add("limits", raw, "has to be a table with file or caps")
        return []
    report.unknown_keys(raw, SECTION_KEYS, "limits.")
    selectors = Selectors(context, classes)
    caps = _from_file(raw["file"], reader, context, selectors) if "file" in raw else []
    return caps + _rows(raw.get("caps", []), "limits.caps", report, context, selectors, shared=False)


def _from_file(name: Any, reader: Reader, context: Context, selectors: Selectors) -> list[Cap]:
    if not isinstance(name, str):
        reader.report.add("limits.file", name, "has to be the name of a shipped limit file, or a path")
        return []
    read = reader.toml("limits", name, "limits.file")
    if read is None:
        return []
    path, document = read
    before = len(reader.report.problems)
    caps = caps_of(document, reader.report.of(str(path)), context, selectors)
    if document.get("caps") and not caps and len(reader.report.problems) == before:
        reader.report.add("limits.file", name, f"none of its rows holds for this scenario: {selectors.unmet(document['caps'])}")
    return caps


def caps_of(document: dict[str, Any], report: Report, context: Context, selectors: Selectors) -> list[Cap]:
    """The rows of a limit file's document that hold for a scenario."""
    report.unknown_keys(document, FILE_KEYS)
    if "caps" not in document and not any(nearest(key, ["caps"]) for key in document):
        report.add("caps", None, "missing; needs tables [[caps]], or caps = [] for no limit", missing=True)
    return _rows(document.get("caps", []), "caps", report, context, selectors, shared=True)


def _rows(raw: Any, key: str, report: Report, context: Context, selectors: Selectors, shared: bool) -> list[Cap]:
    if not isinstance(raw, list):
        report.add(key, raw, "has to be a list of tables")
        return []
    caps = []
    for i, row in enumerate(raw):
        foreign = selectors.foreign(row) if isinstance(row, dict) else []
        left_out = shared and any(not selectors.misspelt(row, name) for name in foreign)
        seen = (
            {name: value for name, value in row.items() if not (left_out and name in foreign)} if isinstance(row, dict) else row
        )
        cap, _ = read_table(Cap, seen, f"{key}.{i}", report, context)
        if "class" in foreign and not left_out:
            known = selectors.known["class"]
            text = f'has to be the class of one of the populations, or "*" for all; the classes are {", ".join(known) or "none"}'
            report.add(f"{key}.{i}.class", row["class"], text, nearest(row["class"], known))
        elif cap is not None and not left_out:
            caps.append(cap)
    return caps
