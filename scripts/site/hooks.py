"""What is made of a page when the site is built: formulas become MathML, which browsers draw without a script or a font."""

import html
import re

from latex2mathml.converter import convert

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def on_page_content(content: str, **_: object) -> str:
    """The page with each formula of TeX as MathML."""
    return _FORMULA.sub(_mathml, content)


def _mathml(found: re.Match[str]) -> str:
    tex, display = html.unescape(found[3]).strip(), "block" if found[2] == "[" else "inline"
    return f'<{found[1]} class="formula">{convert(tex, display=display)}</{found[1]}>'
