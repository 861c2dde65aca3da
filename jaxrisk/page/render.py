"""A page as one HTML file: nothing in it is asked of a network, and everything that a user wrote is text."""

import functools
import json
import re
from pathlib import Path
from typing import Any

from .content import Page
from .words import VERDICTS

ASSETS = Path(__file__).parent / "assets"
DRAWN_WIDTH = 680
"""Of the pictures for print and without a program, points."""
_BUNDLE = "window.vegaEmbed = vegaEmbed;"


def html(page: Page, others: list[Page] | None = None) -> str:
    """The page as HTML, with others below it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # autoescape whatever the name: what is not text says so by |safe
    environment = Environment(loader=FileSystemLoader(ASSETS), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)  # fmt: skip
    environment.filters["script"] = in_script
    pages = [page, *(others or [])]
    specs = {
        f"{place}-figure-{chart.name}": chart.spec
        for place, one in enumerate(pages)
        for part in one.parts
        for chart in part.charts
    }
    drawn = {name: svg(spec, name) for name, spec in specs.items()}
    moving = bool(specs) or any(one.choice for one in pages)
    choices = {"" if not place else f"{place}-": one.choice for place, one in enumerate(pages) if one.choice is not None}
    return environment.get_template("page.html").render(
        pages=pages, drawn=drawn, specs=specs, choices=choices, verdicts=VERDICTS, config=_config(),
        style=(ASSETS / "page.css").read_text("utf-8"), script=(ASSETS / "page.js").read_text("utf-8"),
        library=f"/*!\n{(ASSETS / 'NOTICES.txt').read_text('utf-8')}*/\n{library()}" if moving else "",
    )  # fmt: skip


def in_script(value: Any) -> Any:
    """A value as JSON that may stand within a script element.

    >>> print(in_script({"title": "</script><b>"}))
    {"title":"\\u003c/script\\u003e\\u003cb\\u003e"}
    """
    from markupsafe import Markup

    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


@functools.cache
def library() -> str:
    """Vega, Vega-Lite and what embeds them, as one script."""
    import vl_convert

    return vl_convert.javascript_bundle(_BUNDLE).replace("</script", "<\\/script").replace("<!--", "<\\!--")


def svg(spec: dict[str, Any], name: str = "") -> str:
    """A chart drawn once and for all, in the colour of the text around it.

    Identifiers within are made its own, so that several can stand in one page.
    """
    import vl_convert

    spec = json.loads(json.dumps(spec))
    if spec.get("width") == "container":
        spec["width"] = DRAWN_WIDTH
    text = vl_convert.vegalite_to_svg(spec)
    text = re.sub(r"<rect width=\"[\d.]+\" height=\"[\d.]+\" fill=\"white\"/>", "", text, count=1)
    text = re.sub(r"(id=\"|url\(#|href=\"#)(\w)", rf"\g<1>{name}-\g<2>", text) if name else text
    # each mark would be read out one by one: the picture has one text alternative
    text = re.sub(r" (role|aria-roledescription|aria-label|aria-hidden)=\"[^\"]*\"", "", text)
    return text.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)


def _config() -> dict[str, Any]:
    from .charts import CONFIG, SERIES

    return {"config": CONFIG, "series": list(SERIES)}


__all__ = ["html", "in_script", "library", "svg"]
