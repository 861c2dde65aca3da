"""Margin tiers: read from a shipped file, a path or the scenario itself, and checked to be one schedule under a stated rule."""

from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from .files import Reader
from .problems import Report, nearest
from .symbols import of_coin
from .table import read_table
from .values import Context, one_of
from .venues import BELONGING, TIER_RULES, Rules, Tier, read_rules

RELATIVE_TOLERANCE, USD_TOLERANCE = 1e-6, 1.0
COLUMNS = ("floor_usd", "max_leverage", "maintenance_rate")
FILE_KEYS = ("name", "title", "source", "sources", "read_on", "tier_rule", "tiers", "rules")
ASKED = (
    'missing; needs "marginal" (a rate holds for what is above its floor, and amounts make the margin continuous) or "whole" '
    "(a rate holds for the whole position, and the margin jumps at a floor): with several rates and no amounts it may be either"
)

Note = Callable[[int, str, Any, str], None]
"""Notes a problem with a row: `(row, key, value, allowed)`."""


class Said:
    """Which of `TIER_RULES` holds for some tables: `word`, None if nothing says it; `otherwise`: what holds where the tables do
    not say it by their amounts; `ask` notes, once, that it has to be said."""

    def __init__(self, word: str | None, report: Report, key: str = "tier_rule", otherwise: str | None = None, more: str = ""):
        self.word, self.otherwise = word, otherwise
        self._report, self._key, self._more, self._asked = report, key, more, False

    def ask(self) -> None:
        if not self._asked:
            self._report.add(self._key, None, ASKED + self._more, missing=True)
        self._asked = True


def tier_tables(
    reader: Reader, key: str, source: Any, assets: tuple[str, ...], needed: set[str], rule: str | None = None
) -> tuple[dict[str, list[Tier]], str]:
    """The tiers of each asset at one venue, and the rule that holds for them, with every problem noted.

    **Arguments:** `source`: a name, a path, a list of rows or a table of lists by asset; `needed`: assets traded at the venue,
    which have to have tiers. Other assets of a file are read and checked all the same. `rule`: the venue's own word, which
    takes the place of the file's, and of its amounts.
    """
    names = (assets, tuple(sorted(needed)), rule)
    make = lambda: _tier_tables(reader, key, source, assets, needed, rule)
    return reader.once(make, (), key, source, *names) if isinstance(source, str) else reader.once(make, source, key, *names)


def _tier_tables(reader: Reader, key: str, source: Any, assets, needed: set[str], rule: str | None):
    venue = key.rpartition(".")[0]
    said = Said(rule, reader.report, f"{venue}.tier_rule")
    if isinstance(source, list):
        rows = _rows(source, key, reader.report, said)
        return ({asset: rows for asset in assets} if rows else {}), rule or TIER_RULES[0]
    if isinstance(source, dict):
        for name in source:
            if name not in assets:
                text = f"unknown asset; the assets are {', '.join(assets)}"
                reader.report.add(f"{key}.{name}", source[name], text, nearest(name, assets))
        found = {name: _rows(rows, f"{key}.{name}", reader.report, said) for name, rows in source.items() if name in assets}
        _absent(found, assets, needed, key, reader.report, "the table")
        return {name: rows for name, rows in found.items() if rows}, rule or TIER_RULES[0]
    found, of_file = _from_file(reader, key, source, assets, rule)
    if found is None:
        return {}, TIER_RULES[0]
    for asset, names in ((asset, of_coin(asset, found)) for asset in assets if asset in needed and asset not in found):
        names = [name for name in names if name not in assets]
        if len(names) == 1:
            found[asset] = found.pop(names[0])
            reader.said.append(f"{source}: tiers of {names[0]} are taken as those of {asset}")
    _absent(found, assets, needed, key, reader.report, str(source))
    tables = {name: rows for name, rows in found.items() if rows and name in assets}
    if rule is not None and rule != of_file:
        tables = {name: _under(rows, rule) for name, rows in tables.items()}
    return tables, rule or of_file


def _under(rows: list[Tier], rule: str) -> list[Tier]:
    """Rows with the amounts that a rule gives them."""
    amounts = [0.0]
    for last, row in pairwise(rows):
        more = row.floor_usd * (row.maintenance_rate - last.maintenance_rate) if rule == "marginal" else 0.0
        amounts.append(amounts[-1] + more)
    return [row.model_copy(update={"maintenance_amount_usd": amount}) for row, amount in zip(rows, amounts, strict=True)]


def _absent(found: dict, assets, needed: set[str], key: str, report: Report, where: str) -> None:
    for asset in assets:
        if asset in needed and asset not in found:
            text = f"has no tiers for {asset}, which is traded there; {where} has {', '.join(found) or 'none'}"
            report.add(key, where, text, nearest(asset, found))


Found = dict[str, list[Tier] | None] | None


def _from_file(reader: Reader, key: str, name: str, assets, otherwise: str | None) -> tuple[Found, str]:
    """Tables by asset, and the rule that the file says holds for them."""
    if name.endswith((".csv", ".csv.gz", ".parquet")):
        return _from_table(reader, key, name, assets, otherwise)
    read = reader.toml("venues", name, key)
    if read is None:
        return None, TIER_RULES[0]
    path, document = read
    found = tiers_of(document, reader.report.of(str(path)), otherwise)
    word = document.get("tier_rule")
    return found, word if word in TIER_RULES else _implied(found, otherwise)


def _implied(found: Found, otherwise: str | None) -> str:
    """The rule of tables that do not say it: amounts say `marginal`."""
    rows = [row for table in (found or {}).values() for row in table or []]
    return TIER_RULES[0] if any(row.maintenance_amount_usd for row in rows) else otherwise or TIER_RULES[0]


def tiers_of(document: dict[str, Any], report: Report, otherwise: str | None = None) -> Found:
    """The tiers by asset of a venue file's document; `otherwise`: the rule where it does not say one."""
    for unknown in (word for word in document if word not in FILE_KEYS):
        text = f"unknown key; the keys here are {', '.join(FILE_KEYS)}"
        report.add(unknown, document[unknown], text, nearest(unknown, FILE_KEYS))
    if "rules" in document:
        rules_of(document, report)
    word, tables = document.get("tier_rule"), document.get("tiers")
    if "tier_rule" in document and word not in TIER_RULES:
        report.add("tier_rule", word, f"has to be one of {one_of(list(TIER_RULES))}", nearest(word, TIER_RULES))
    said = Said(word if word in TIER_RULES else None, report, otherwise=otherwise if "tier_rule" not in document else "")
    found: Found = None
    if not isinstance(tables, dict) or not tables:
        report.add("tiers", tables, "has to be tables [[tiers.ASSET]] of rows", missing=tables is None)
    else:
        found = {asset: _rows(rows, f"tiers.{asset}", report, said) for asset, rows in tables.items()}
    return found


def rules_of(document: dict[str, Any], report: Report) -> dict[str, Any]:
    """The keys under `[rules]` of a venue file's document, as written, less those that are wrong."""
    rules = document.get("rules")
    _, v = read_rules(Rules, rules, "rules", report, Context())
    return {key: value for key, value in rules.items() if getattr(v, key, None) is not None} if isinstance(rules, dict) else {}


def with_preset(raw: Any, key: str, reader: Reader) -> Any:
    """A venue's table with what its `preset` says below the keys of its own, and the preset itself written out.

    A word of the table's own takes the preset's keys for another word with it: `policy = "full"` its `first_share`, and
    `tranches` its policy.
    """
    name = raw.get("preset") if isinstance(raw, dict) else None
    if not isinstance(name, str):
        return raw
    return reader.once(lambda: _with_preset(raw, name, key, reader), raw, f"{key}.preset")


def _with_preset(raw: dict[str, Any], name: str, key: str, reader: Reader) -> dict[str, Any]:
    own = {word: value for word, value in raw.items() if word != "preset"}
    read = reader.toml("venues", name, f"{key}.preset")
    if read is None:
        return own
    path, document = read
    if not isinstance(document.get("rules"), dict):
        allowed = "has to name a venue file with a table [rules]; tiers takes the tiers of any"
        reader.report.add(f"{key}.preset", name, allowed)
        return own
    rules = rules_of(document, reader.report.of(str(path)))
    if isinstance(own.get("tranches"), list) and len(own["tranches"]) > 1:
        rules.pop("policy", None)
    for switch, words in BELONGING.items():
        for word, names in words.items():
            if own.get(switch, rules.get(switch)) != word:
                rules = {name: value for name, value in rules.items() if name not in names}
    return {"tiers": name, "insurance_fund": 0.0} | rules | own


def _from_table(reader: Reader, key: str, name: str, assets, otherwise: str | None) -> tuple[Found, str]:
    """As `_from_file`; the rule is a column `tier_rule` with one word."""
    table = reader.table(name, key, COLUMNS, "venues")
    if table is None:
        return None, TIER_RULES[0]
    word = None
    if "tier_rule" in table.values:
        words = [str(word).strip() for word in table.values["tier_rule"]]
        word = words[0]
        wrong = [i for i, other in enumerate(words) if other not in TIER_RULES or other != word]
        table.note(
            "tier_rule", wrong, f"has to be one of {one_of(list(TIER_RULES))}, the same in every row", nearest(word, TIER_RULES)
        )
    optional = ["maintenance_amount_usd"] if "maintenance_amount_usd" in table.values else []
    numbers = {column: table.numbers(column) for column in (*COLUMNS, *optional)}
    if table.bad:
        return None, TIER_RULES[0]
    report = reader.report.of(table.file)
    said = Said(word, report, "tier_rule", otherwise, f"; as a column, or as {key.rpartition('.')[0]}.tier_rule")
    owners = table.values["asset"].astype(str) if "asset" in table.values else None
    found: dict[str, list[Tier] | None] = {}
    for asset in sorted(set(owners)) if owners is not None else assets:
        rows = [i for i in range(len(table)) if owners is None or owners[i] == asset]
        raw = [{column: float(values[i]) for column, values in numbers.items()} for i in rows]
        found[asset] = tiers = _rows(raw, asset, report, said, [int(table.lines[i]) for i in rows])
        if owners is None:
            found = dict.fromkeys(assets, tiers)
            break
    return found, word or _implied(found, otherwise)


def _rows(raw: Any, key: str, report: Report, said: Said, lines: list[int] | None = None) -> list[Tier] | None:
    """Rows of one asset, each checked by itself and against the one before; `lines` are those they stand on in a table."""
    if not isinstance(raw, list) or not raw:
        report.add(key, raw, "has to be a list of at least one tier")
        return None
    before = len(report.problems)
    places = [f"{key}.{i}" for i in range(len(raw))] if lines is None else [f"line {line}" for line in lines]
    pairs = [read_table(Tier, row, place, report, Context()) for row, place in zip(raw, places, strict=True)]
    amounts = _schedule(
        [values for _, values in pairs],
        lambda row, column, value, allowed: report.add(f"{places[row]}.{column}", value, allowed),
        said,
    )
    if len(report.problems) > before:
        return None
    filled = zip((tier for tier, _ in pairs if tier is not None), amounts, strict=True)
    return [tier.model_copy(update={"maintenance_amount_usd": amount}) for tier, amount in filled]


def _rising(rows: list[SimpleNamespace], note: Note) -> bool:
    """Whether floors are in order, each there once; the first that is not is noted."""
    for i, (last, row) in enumerate(pairwise(rows), start=1):
        if last.floor_usd is None or row.floor_usd is None or row.floor_usd > last.floor_usd:
            continue
        word = "unsorted: sort the tiers by floor_usd; it"
        if any(row.floor_usd == other.floor_usd for other in rows[:i]):
            word = "duplicate: a tier with this floor is there already, delete one; it"
        note(i, "floor_usd", row.floor_usd, f"{word} has to be above the floor of the tier before, {last.floor_usd:.12g}")
        return False
    return True


def _rule_of(rows: list[SimpleNamespace], said: Said, given: list[bool]) -> str | None:
    """The rule of a table: the one said, or the one that its amounts leave; None where that has to be asked for."""
    if said.word is not None:
        return said.word
    rates = {row.maintenance_rate for row in rows}
    if len(rates) > 1 and None not in rates and not (all(given) and any(row.maintenance_amount_usd for row in rows)):
        if said.otherwise is not None:
            return said.otherwise
        # amounts in some rows are a problem of their own
        if all(given) or not any(given):
            said.ask()
            return None
    return TIER_RULES[0]


def _schedule(rows: list[SimpleNamespace], note: Note, said: Said) -> list[float]:
    """Check that rows make one schedule; returns the maintenance amounts, worked out where the rows do not give them."""
    if rows[0].floor_usd not in (None, 0.0):
        note(0, "floor_usd", rows[0].floor_usd, "has to be 0 in the first tier; below it there would be none")
    if not _rising(rows, note):
        return []
    given = [row.maintenance_amount_usd is not None for row in rows]
    rule = _rule_of(rows, said, given)
    whole = rule != "marginal"
    for i, row in enumerate(rows):
        if rule == "whole" and row.maintenance_amount_usd:
            text = 'has to be left out, or 0: with tier_rule = "whole" a rate holds for the whole position'
            note(i, "maintenance_amount_usd", row.maintenance_amount_usd, text)
    if any(given) and not all(given):
        note(given.index(False), "maintenance_amount_usd", "", "has to be given in all tiers of an asset or in none")
    amounts = [rows[0].maintenance_amount_usd or 0.0]
    if all(given) and abs(amounts[0]) > USD_TOLERANCE:
        note(0, "maintenance_amount_usd", amounts[0], "has to be 0 in the first tier")
    for i, row in enumerate(rows):
        if None not in (row.max_leverage, row.maintenance_rate) and row.max_leverage * row.maintenance_rate >= 1.0:
            text = f"has to be below 1 / max_leverage, {1.0 / row.max_leverage:.6g}: a new position would be liquidated at once"
            note(i, "maintenance_rate", row.maintenance_rate, text)
    for i, (last, row) in enumerate(pairwise(rows), start=1):
        floors, rates = (last.floor_usd, row.floor_usd), (last.maintenance_rate, row.maintenance_rate)
        if None not in rates and rates[1] < rates[0]:
            note(
                i, "maintenance_rate", rates[1], f"has to be at least that of the tier before, {rates[0]:g}; rates rise with size"
            )
        if None not in (last.max_leverage, row.max_leverage) and row.max_leverage > last.max_leverage:
            note(i, "max_leverage", row.max_leverage, f"has to be at most that of the tier before, {last.max_leverage:g}")
        if None in floors or None in rates or whole:
            amounts.append(0.0 if whole else amounts[-1])
            continue
        start = last.maintenance_amount_usd if all(given) else amounts[-1]
        expected = start + floors[1] * (rates[1] - rates[0])
        amounts.append(row.maintenance_amount_usd if all(given) else expected)
        if all(given) and abs(amounts[-1] - expected) > max(RELATIVE_TOLERANCE * abs(expected), USD_TOLERANCE):
            text = f"has to be {expected:.12g} for the margin to be continuous at the floor {floors[1]:.12g}"
            note(i, "maintenance_amount_usd", amounts[-1], text)
    return amounts
