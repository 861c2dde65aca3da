"""Results as one page that opens anywhere: findings in words, charts that can be asked, tables, and how it all came about.

`of` makes the page of an answer, `render.html` writes it, `content.plain` says the same to machines.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import fixed
from .answers import Answer
from .content import Page, Part, plain


def of(answer: Answer) -> Page:
    """The page of one answer."""
    from . import answer_page, run_page, study_page

    make: Any = {"run": run_page.page, "study": study_page.page}.get(answer.kind, answer_page.page)
    return make(answer.value, answer.path)


def pages(answers: Sequence[Answer], old: Answer | None = None) -> list[Page]:
    """A page an answer; the first says what changed since an earlier one.

    **Raises:** `ValueError` where the earlier one cannot be compared.
    """
    made = [of(answer) for answer in answers]
    for one in made[1:]:
        one.parts = [part for part in one.parts if part.name not in fixed.SHARED or _own(part, made[0])]
    if old is not None:
        from .compare import compare

        part, findings, changes = compare(answers[0], old)
        first = made[0]
        first.parts.insert(0, part)
        first.findings[:0] = findings
        first.changes = [{name: value for name, value in one._asdict().items() if name != "shares"} for one in changes]
    return made


def _own(part: Part, first: Page) -> bool:
    """Leave out of a part what the first page says too; whether anything of its own is left."""
    said = [text for one in first.parts if one.name == part.name for text in (*one.text, *one.lines)]
    part.text, part.lines = ([text for text in of if text not in said] for of in (part.text, part.lines))
    return bool(part.text or part.lines)


def html(made: Sequence[Page]) -> str:
    """One HTML file of all pages."""
    from .render import html as rendered

    return rendered(made[0], list(made[1:]))


def json(made: Sequence[Page]) -> str:
    """The same for machines."""
    import json as encoder

    from ..storage.recognise import MARK
    from ..storage.study_files import plain as storable

    said = {"written_by": MARK, **plain(made[0]), "others": [plain(one) for one in made[1:]]}
    return encoder.dumps(storable(said), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write(made: Sequence[Page], path: Path, text: Callable[[], str] | None = None) -> None:
    """Write the pages as the ending says: `.html`, `.json`, or `.pdf` by an installed Chromium; `text`: what has the HTML
    already.

    **Raises:** `OSError` in words: where something stands there that jaxrisk did not write, or nothing is there to print with.
    """
    from ..storage.outputs import write_whole

    ending, text = path.suffix.lower(), text or (lambda: html(made))
    if ending == ".pdf":
        from .pdf import printed

        write_whole(path, printed(text()))
    else:
        write_whole(path, json(made) if ending == ".json" else text())


__all__ = ["Page", "html", "json", "of", "pages", "write"]
