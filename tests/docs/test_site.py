"""The documentation site: a warning of its build is an error, nothing in it is loaded from elsewhere, it opens from a disk."""

import contextlib
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("material", reason="the extra `docs` is not installed")

from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

ROOT = Path(__file__).parents[2]
LOADING = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "embed": "src",
    "video": "src",
    "audio": "src",
    "object": "data",
    "link": "href",
    "use": "href",
    "image": "href",
}
"""Elements of which a browser loads something without being asked, and the attribute that says what."""


UNREACHED = {
    "http://www.w3.org/2000/svg": None,
    "https://unpkg.com/mermaid": 'class="mermaid',
    "https://unpkg.com/resize-observer-polyfill": None,
    "https://api.github.com": 'data-md-component="source"',
}
"""Addresses in the theme's scripts that are mere names, for browsers before 2020, or for parts that no page may have."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site's folder, built as `scripts/docs` does; a warning ends the build."""
    where = tmp_path_factory.mktemp("site")
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(where), strict=True))
    return where


@pytest.mark.parametrize(("link", "ends"), [("index.md", False), ("nowhere.md", True), ("index.md#nowhere", True)])
def test_a_link_that_leads_nowhere_ends_the_build(tmp_path, link, ends):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"# One\n\n[another]({link})\n")
    pages = ["index.md", *(f"notebooks/{path.stem}.md" for path in (ROOT / "scripts" / "notebooks").glob("*.py"))]
    settings = {"docs_dir": str(tmp_path / "docs"), "site_dir": str(tmp_path / "site"), "nav": pages}
    config = load_config(str(ROOT / "mkdocs.yml"), strict=True, **settings)
    with pytest.raises(Abort) if ends else contextlib.nullcontext():
        build(config)


class _Loads(HTMLParser):
    """What a page loads: addresses of elements, of styles in it, and of scripts in it."""

    def __init__(self):
        super().__init__()
        self.found, self.inside = [], ""

    def handle_starttag(self, tag, attributes):
        named, self.inside = dict(attributes), tag
        if tag in LOADING and not (tag == "link" and named.get("rel") in ("canonical", "prev", "next")):
            self.found.append(named.get(LOADING[tag]))
        self.found += [part.split()[0] for part in (named.get("srcset") or "").split(",") if part.split()]
        self.found += _of_style(named.get("style") or "")

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside == "style":
            self.found += _of_style(data)
        elif self.inside == "script":
            self.found += _of_script(data)


def _of_style(text):
    return re.findall(r"""(?:url\(|@import\s(?!\s*url))\s*["']?([^"')\s;]+)""", text)


def _of_script(text):
    return re.findall(r"""(?:fetch|import|importScripts|open|Request|Worker|watchScript)\(\s*["'`]([^"'`]+)""", text)


def loads(name, text):
    """Addresses that a file of the site has loaded when it is opened."""
    if name.endswith(".css"):
        return _of_style(text)
    if name.endswith(".js"):
        return _of_script(text)
    page = _Loads()
    page.feed(text)
    return [address for address in page.found if address]


def outside(address):
    return bool(urlsplit(address).netloc) or address.startswith("//")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", '<script src="https://cdn.example/x.js"></script>'),
        ("a.html", '<link rel="stylesheet" href="//fonts.example/css">'),
        ("a.html", '<link rel=preconnect href="https://fonts.example">'),
        ("a.html", '<img srcset="a.png 1x, https://img.example/a.png 2x">'),
        ("a.html", "<p style=\"background: url('https://img.example/a.png')\">"),
        ("a.html", "<style>@import 'https://fonts.example/css';</style>"),
        ("a.html", "<script>fetch('https://count.example')</script>"),
        ("a.css", "@import url(https://fonts.example/css);"),
        ("a.js", 'importScripts("https://cdn.example/lunr.js")'),
    ],
)
def test_what_would_be_loaded_from_elsewhere_is_seen(name, text):
    assert any(outside(address) for address in loads(name, text))


def test_a_link_to_follow_is_not_loaded():
    assert loads("a.html", '<a href="https://example.org">there</a>') == []


def test_nothing_is_loaded_from_elsewhere(site):
    files = [file for file in site.rglob("*") if file.suffix in (".html", ".css", ".js")]
    assert len(files) > 30
    found = {file.name: [a for a in loads(file.name, file.read_text(encoding="utf-8")) if outside(a)] for file in files}
    assert {name: addresses for name, addresses in found.items() if addresses} == {}


def test_scripts_name_no_other_address(site):
    scripts = "\n".join(
        re.sub(r"/\*.*?\*/", "", file.read_text(encoding="utf-8"), flags=re.DOTALL) for file in site.rglob("*.js")
    )
    named = set(re.findall(r"""["'`](https?://[^"'`$\s]+)""", scripts))
    assert named
    assert {address for address in named if not address.startswith(tuple(UNREACHED))} == set()
    pages = "\n".join(page.read_text(encoding="utf-8") for page in site.rglob("*.html"))
    assert [part for part in UNREACHED.values() if part and part in pages] == []


def test_what_a_page_loads_is_there(site):
    missing = [
        f"{page.relative_to(site)}: {address}"
        for page in site.rglob("*.html")
        for address in loads(page.name, page.read_text(encoding="utf-8"))
        if not address.startswith(("data:", "#"))
        and page.name != "404.html"
        and not (page.parent / urlsplit(address).path).exists()
    ]
    assert missing == []


def test_formulas_are_drawn_without_a_script(site):
    pages = [page.read_text(encoding="utf-8") for page in site.rglob("*.html")]
    assert sum(page.count("<math") for page in pages) > 50
    assert not [page for page in pages if 'class="arithmatex"' in page]


def test_examples_of_docstrings_are_code(site):
    page = (site / "reference" / "api" / "running.html").read_text(encoding="utf-8")
    assert page.count('<span class="gp">&gt;&gt;&gt; </span>') > 5
    assert "&gt;&gt;&gt; import" not in re.sub(r"<pre.*?</pre>", "", page, flags=re.DOTALL)


@pytest.mark.parametrize("width", [320, 800, 1400])
def test_pages_open_from_disk_and_ask_nothing(site, chromium, width):
    asked, wrong = [], []
    context = chromium.new_context(viewport={"width": width, "height": 900}, offline=True)
    one = context.new_page()
    one.on("request", lambda request: asked.append(request.url))
    one.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    one.on("pageerror", lambda error: wrong.append(str(error)))
    for page in sorted(site.rglob("*.html")):
        if page.name != "404.html":
            one.goto(page.as_uri())
            one.wait_for_load_state("load")
            assert one.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{page.name} is wider than {width}"
    context.close()
    assert [url for url in asked if not url.startswith((site.as_uri(), "data:", "blob:"))] == []
    assert wrong == []


def test_the_search_finds_without_a_server(site, chromium):
    one = chromium.new_page(offline=True, viewport={"width": 1280, "height": 900})
    one.goto((site / "reference" / "api" / "risk.html").as_uri())
    one.click(".md-search__input")
    one.wait_for_function("document.querySelector('.md-search-result__meta').innerText.startsWith('Type to start')")
    one.locator(".md-search__input").press_sequentially("expected shortfall")
    one.wait_for_selector(".md-search-result__item")
    assert "expected" in one.inner_text(".md-search-result__list").lower()
    one.close()
