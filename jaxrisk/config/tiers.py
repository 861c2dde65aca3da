"""Margin tiers: read from a shipped file, a path or the scenario itself, and checked to be one schedule under a stated rule."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

from ..data.containers import is_data
from ..data.named import Reader, digest
from ..data.names import Context
from ..data.symbols import of_coin
from ..data.tier_dollars import Sizes, rows_in_dollars, usual, wanted_of
from ..data.tier_published import TierDocument
from ..data.tier_schedule import TIER_RULES, Said, schedule
from ..data.tier_tables import read_tiers
from ..data.tier_units import READ
from ..problems import Report, nearest, one_of
from .tables import Rules, Tier, read_table
from .tables.venues import BELONGING

Found = dict[str, list[Tier] | None] | None
FILE_KEYS = ("name", "title", "source", "sources", "read_on", "tier_rule", "tiers", "rules")


def sizes_of(assets: dict[str, Any], contract: float | dict[str, float] | None, venue: str) -> Sizes:
    """Of a scenario's assets, at one of its venues; `contract`: its key `contract_size`."""
    known = contract if isinstance(contract, dict) else {} if contract is None else dict.fromkeys(assets, contract)
    prices = {name: found.price for name, found in assets.items() if found is not None}
    return Sizes(prices, known, f"venues.{venue}.contract_size")


def tier_tables(
    reader: Reader,
    key: str,
    source: Any,
    assets: tuple[str, ...],
    needed: set[str],
    rule: str | None = None,
    columns: dict[str, str] | None = None,
    sizes: Sizes = Sizes(),  # noqa: B008 (a tuple)
) -> tuple[dict[str, list[Tier]], str]:
    """The tiers of each asset at one venue, and the rule that holds for them, with every problem noted.

    **Arguments:** `source`: a name, a path, a list of rows or a table of lists by asset; `needed`: assets traded at the venue,
    which have to have tiers. Other assets of a file are read and checked all the same. `rule`: the venue's own word, which
    takes the place of the file's, and of its amounts; `columns`: by our names, a table's own; `sizes`: what makes dollars of
    tiers in contracts or coins.
    """
    names = (assets, tuple(sorted(needed)), rule, repr((columns, sizes)))
    make = lambda: _tier_tables(reader, key, source, assets, needed, rule, columns, sizes)
    return reader.once(make, (), key, source, *names) if isinstance(source, str) else reader.once(make, source, key, *names)


def _tier_tables(reader: Reader, key: str, source: Any, assets, needed: set[str], rule: str | None, columns, sizes: Sizes):
    venue = key.rpartition(".")[0]
    said = Said(rule, reader.report, f"{venue}.tier_rule")
    if isinstance(source, list):
        rows = read_rows(source, key, reader.report, said)
        return ({asset: rows for asset in assets} if rows else {}), rule or TIER_RULES[0]
    if isinstance(source, dict):
        for name in source:
            if name not in assets:
                text = f"unknown asset; the assets are {', '.join(assets)}"
                reader.report.add(f"{key}.{name}", source[name], text, nearest(name, assets))
        found = {name: read_rows(rows, f"{key}.{name}", reader.report, said) for name, rows in source.items() if name in assets}
        _absent(found, assets, needed, key, reader.report, "the table")
        return {name: rows for name, rows in found.items() if rows}, rule or TIER_RULES[0]
    found, of_file = _from_file(reader, key, source, assets, rule, columns, sizes)
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


def _from_file(reader: Reader, key: str, name: str, assets, otherwise: str | None, columns, sizes: Sizes) -> tuple[Found, str]:
    """Tables by asset, and the rule that the file says holds for them."""
    if is_data(name):
        return _from_data(reader, key, name, assets, otherwise, columns, sizes)
    read = reader.toml("venues", name, key)
    if read is None:
        return None, TIER_RULES[0]
    path, document = read
    found = tiers_of(document, reader.report.of(str(path)), otherwise)
    word = document.get("tier_rule")
    return found, word if word in TIER_RULES else _implied(found, otherwise)


def _from_data(
    reader: Reader, key: str, name: str, assets, otherwise: str | None, columns: dict[str, str] | None, sizes: Sizes
) -> tuple[Found, str]:
    """Tables by asset, and the rule that the file, or the venue whose document it is, says holds for them."""
    path = reader.path("venues", name, key)
    if path is None:
        return None, TIER_RULES[0]
    document = read_tiers(path, reader.report, columns or {}, f"{key.rpartition('.')[0]}.tier_columns")
    if path.exists():
        reader.read[name] = digest(path)
    if document is None:
        return None, TIER_RULES[0]
    report = reader.report.of(str(path))
    found = _by_symbol(reader, key, document, assets, otherwise, sizes, report)
    if document.said:
        reader.taken.append(f"{path}: read as: {', '.join(document.said)}")
    return found


def _by_symbol(
    reader: Reader, key: str, document: TierDocument, assets, otherwise: str | None, sizes: Sizes, report: Report
) -> tuple[Found, str]:
    """The rows of each symbol, checked."""
    said = Said(document.rule, report, "tier_rule", otherwise, f"; as a column, or as {key.rpartition('.')[0]}.tier_rule")
    found: dict[str, list[Tier] | None] = {}
    wanted = wanted_of(document, assets)
    if document.venue:  # contracts of one coin in several currencies, of which one is usual
        wanted = usual(wanted, document.said)
    for symbol, table in document.tables.items():
        if table.unit not in READ and symbol not in wanted:
            continue
        if not symbol:
            rows = read_rows(
                rows_in_dollars(document, table, "", sizes, report), "tiers", report, said, table.places, table.written
            )
            return dict.fromkeys(assets, rows), document.rule or _implied({"": rows}, otherwise)
        if document.venue and symbol not in wanted:
            continue  # one of a venue's hundreds, which nobody asked for
        rows = rows_in_dollars(document, table, symbol, sizes, report)
        found[symbol] = None if rows is None else read_rows(rows, symbol, report, said, table.places, table.written)
    if not found:
        found = dict.fromkeys(document.tables)
    return found, document.rule or _implied(found, otherwise)


def _implied(found: Found, otherwise: str | None) -> str:
    """The rule of tables that do not say it: amounts say `marginal`."""
    rows = [row for table in (found or {}).values() for row in table or []]
    return TIER_RULES[0] if any(row.maintenance_amount_usd for row in rows) else otherwise or TIER_RULES[0]


def tiers_of(document: dict[str, Any], report: Report, otherwise: str | None = None) -> Found:
    """The tiers by asset of a venue file's document; `otherwise`: the rule where it does not say one."""
    report.unknown_keys(document, FILE_KEYS)
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
        found = {asset: read_rows(rows, f"tiers.{asset}", report, said) for asset, rows in tables.items()}
    return found


def read_rows(
    raw: Any, key: str, report: Report, said: Said, places: list[str] | None = None, written: dict[str, str] | None = None
) -> list[Tier] | None:
    """Rows of one asset, each checked by itself and against the one before.

    **Arguments:** `places`: where each stands in a table or document; `written`: by our names of columns, those of the file.
    """
    if not isinstance(raw, list) or not raw:
        report.add(key, raw, "has to be a list of at least one tier")
        return None
    before = len(report.problems)
    places = [f"{key}.{i}" for i in range(len(raw))] if places is None else places
    names = written or {}
    own = Report(report.file, report.overridden)
    pairs = [read_table(Tier, row, place, own, Context()) for row, place in zip(raw, places, strict=True)]
    amounts = schedule(
        [values for _, values in pairs],
        lambda row, column, value, allowed: own.add(f"{places[row]}.{column}", value, allowed),
        said,
    )
    for problem in own.problems:
        stem, dot, column = problem.key.rpartition(".")
        report.problems.append(replace(problem, key=f"{stem}{dot}{names.get(column, column)}"))
    if len(report.problems) > before:
        return None
    filled = zip((tier for tier, _ in pairs if tier is not None), amounts, strict=True)
    return [tier.model_copy(update={"maintenance_amount_usd": amount}) for tier, amount in filled]


def rules_of(document: dict[str, Any], report: Report) -> dict[str, Any]:
    """The keys under `[rules]` of a venue file's document, as written, less those that are wrong."""
    rules = document.get("rules")
    _, v = read_table(Rules, rules, "rules", report, Context())
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
