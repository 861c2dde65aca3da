"""What is made when the site is built: notebooks become pages; formulas MathML, which browsers draw without script or font."""

import html
import re
from pathlib import Path

import jupytext
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The site's files with a page for each notebook."""
    for path in sorted(NOTEBOOKS.glob("*.py")):
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=_page(path)))
    return files


def _page(path: Path) -> str:
    """A notebook's cells as Markdown."""
    notebook = jupytext.read(path)
    cells = [cell.source if cell.cell_type == "markdown" else f"```python\n{cell.source}\n```" for cell in notebook.cells]
    title, *rest = cells
    return "\n\n".join([title, f"*The notebook `scripts/notebooks/{path.name}`, without its outputs.*", *rest])


def on_page_content(content: str, **_: object) -> str:
    """The page with each formula of TeX as MathML."""
    return _FORMULA.sub(_mathml, content)


def _mathml(found: re.Match[str]) -> str:
    tex, display = html.unescape(found[3]).strip(), "block" if found[2] == "[" else "inline"
    return f'<{found[1]} class="formula">{convert(tex, display=display)}</{found[1]}>'
