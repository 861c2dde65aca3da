"""Studies that were never simulated: drawn losses, in the files of real ones; and a page's cells, read again."""

from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from jaxrisk.report import Result
from jaxrisk.storage.study_files import write
from jaxrisk.studies.study import RECORD, Study
from jaxrisk.studies.study_cells import Cell, Leaf
from jaxrisk.studies.study_found import answer, rank_of
from jaxrisk.studies.study_run import CELLS

MEASURES = ["mean(open_interest_loss_usd)", "expected_shortfall(max_drawdown_index, 0.95)",
            "exceedance_probability(max_drawdown_index, 0.2)", "exceedance_probability(max_drawdown_index, 0.9)"]  # fmt: skip
TITLE = 'Caps <script>alert(1)</script> & "quotes" '
CAPS = (2, 5, 10, 20, 125)


def losses(cap: float, paths: int, branch: int, seed: int) -> dict[str, np.ndarray]:
    """What a run under a cap loses: less under a lower cap, from 50 on nothing else than without."""
    random = np.random.default_rng([seed, branch])
    share = min(cap, 50.0) / 50.0
    fall = np.minimum(0.04 * random.exponential(size=paths), 0.8)
    closed = random.poisson(40.0 * fall[:, None] * share**0.5 * np.array([10.0, 2.0]), (paths, 2)).astype(np.float64)
    drawdown = fall * (1.0 + 0.02 * share)
    return {
        "max_drawdown_index": drawdown, "open_interest_loss_usd": 1e9 * fall * share * (1.0 + branch),
        "accounts_closed_out": closed, "collateral_lost": 2e4 * closed * share,
    }  # fmt: skip


def study(folder: Path, caps=CAPS, branches: int = 1, paths: int = 1000, seed: int = 1, title: str = TITLE,
          settings=None, more=(), **info) -> Study:  # fmt: skip
    """A study's folder, as `jaxrisk study` would leave it."""
    leaves = (
        [Leaf({}, 1.0, {})] if branches < 2 else [Leaf({"impact": f"times {b + 1}"}, 1.0 / branches, {}) for b in range(branches)]
    )
    cells = [Cell(f"cap {cap}", "btc_any_day", {"limits.cap": cap, **(settings or {})}, {"cap": f"cap {cap}"}) for cap in caps]
    keys = SimpleNamespace(scenarios=["btc_any_day"], measures=[*MEASURES, *more], by_class=None, rank=None)
    plan = SimpleNamespace(keys=keys, cells=cells, references={"btc_any_day": cells[-1].name})
    results, works, files = {}, [], {}
    (folder / CELLS).mkdir(parents=True, exist_ok=True)
    for k, (cell, cap) in enumerate(zip(cells, caps, strict=True)):
        for b, leaf in enumerate(leaves):
            digest = f"{k:08x}{b:08x}"
            said = {"name": "btc_any_day", "seed": str(seed), "paths": paths, "first_path": 0, "steps": 8,
                    "horizon_years": 1 / 365,
                    "open_interest_usd": 1e9 * min(cap, 50.0) ** 0.01, "scenario_toml": 'name = "btc_any_day"\n# <b>&',
                    "versions": "jaxrisk 0.1.0", "python": "3", "criticality_peak": [0.4], "criticality_peak_log_price": [-0.1],
                    "criticality_runaway_log_price": [float("-inf")]}  # fmt: skip
            level = np.linspace(-0.5, 0.5, 41)
            curves = {"level": level, "value": 0.4 * np.exp(-((level + 0.1) ** 2) / 0.01)[None, :]}
            dims = dict.fromkeys(("accounts_closed_out", "collateral_lost"), ("classes",))
            coords = {"classes": ["retail", "pro & <co>"], "assets": ["BTC"]}
            results[digest] = Result(losses(cap, paths, b, seed), dims, coords, curves=curves, info=said)
            results[digest].save(folder / CELLS / f"{digest}.nc")
            works.append(SimpleNamespace(cell=cell, leaf=leaf, digest=digest))
            files.setdefault(cell.name, {})[leaf.name] = digest
    found = answer(plan, works, SimpleNamespace(result=lambda work: results[work.digest]))
    said = {"paths": paths, "seed": seed, "steps": 8}
    about = {**said, "runs": len(works), "scenarios": keys.scenarios, "branches": len(leaves),
             "by_scenario": {"btc_any_day": said},
             "study": "caps", "files": files, **info}  # fmt: skip
    made = Study("caps", title, "What <i>would</i> a cap change?", cells, plan.references, found.measures,
                 rank_of(plan, found.measures),
                 found.found, found.rankings, found.held, found.spreads, about)  # fmt: skip
    write(made, folder / RECORD)
    return made


class Cells(HTMLParser):
    """Cells of a page that hold a number: key, number, text as it is shown; scripts and addresses; all visible text.

    `stated`: for each number where its unit may stand: its own cell, the value that an error is of, the head of its column, the
    end of its table's caption."""

    def __init__(self, html: str):
        super().__init__()
        self.numbers: list[tuple[str, float, str]] = []
        self.stated: list[tuple[str, ...]] = []
        self._caption, self._heads, self._row, self._cell = "", [], [], None
        self._waiting: list[tuple[int, int]] = []
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self._open: list | None = None
        self._silent = 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        said = dict(attrs)
        self.tags.append((tag, said))
        if tag == "table":
            self._caption, self._heads = "", []
        elif tag == "tr":
            self._row = []
        elif tag in ("td", "th", "caption"):
            self._cell = ""
            self._held = "data-value" in said
        if "data-value" in said:
            self._open = [said["data-key"], float(said["data-value"]), ""]
        elif tag == "small" and self._open:
            self._close()
        self._silent += tag in ("script", "style")

    def handle_endtag(self, tag):
        if tag in ("td", "th") and self._open:
            self._close()
        if tag in ("td", "th", "caption") and self._cell is not None:
            self._in_table(tag)
        elif tag == "tr" and not self._heads:
            self._heads = [text for text, _ in self._row]
        elif tag == "tr":
            self._states()
        self._silent -= tag in ("script", "style")

    def handle_data(self, data):
        if self._open is not None:
            self._open[2] += data
        if self._cell is not None:
            self._cell += data
        if not self._silent:
            self.text += data

    def _in_table(self, tag):
        if tag == "caption":
            self._caption = self._cell
        else:
            self._row.append((self._cell, self._held))
        self._cell = None

    def _states(self):
        """Where the units of a row's numbers may stand."""
        numbers = [text for text, held in self._row if held]
        for place, (text, held) in enumerate(self._row):
            if held:
                head = self._heads[place] if place < len(self._heads) else ""
                of = numbers[:1] if head in ("std. error", "95% interval") else []  # of the value before it
                self.stated.append((text, *of, head, self._caption.rpartition(", ")[2]))

    def _close(self):
        assert self._open is not None
        self.numbers.append(tuple(self._open))
        self._open = None
