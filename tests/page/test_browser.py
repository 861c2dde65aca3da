"""A page in a real browser: what is chosen is what the result holds, nothing is asked of a network, and everybody can read it."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
from page.example_page import CAPS, study
from report import example_studies
from report.example_answers import ANSWERS

from jaxrisk import page
from jaxrisk.cli import OK, main
from jaxrisk.page.answers import load
from jaxrisk.page.pdf import browser as installed
from jaxrisk.studies.study import Study

driver = pytest.importorskip("playwright.sync_api", reason="the extra `browser` is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the extra `browser` is not installed")
pytestmark = pytest.mark.skipif(installed() is None, reason="no Chromium is installed")
MODES = ("light", "dark")
PATIENCE = 300_000
"""Milliseconds that a browser is waited for on a machine that has much else to do."""
WIDTHS = (320, 1280, 3840)
SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
"""Where pages are to be looked at after a run of these tests."""
CARDS = ("Result", "Study", "Attribution")
OUT_OF_PLACE = """() => {
  const found = [], boxes = [];
  const name = (one) => one.tagName.toLowerCase() + (one.id ? '#' + one.id : '') + ' ' + one.textContent.trim().slice(0, 40);
  const inScroll = (one) => one.closest('.scroll, .wide, details:not([open]), pre');
  for (const one of document.querySelectorAll('h1, h2, p, li, figcaption, table, .picture, select, label, summary, img')) {
    const box = one.getBoundingClientRect();
    if (box.width < 1 || box.height < 1 || inScroll(one) || getComputedStyle(one).visibility === 'hidden') continue;
    if (one.closest('nav, .skip')) continue;
    if (box.left < -1 || box.right > document.documentElement.clientWidth + 1) found.push('beyond the window: ' + name(one));
    const cut = getComputedStyle(one).overflow !== 'visible' && one.scrollWidth > one.clientWidth + 1;
    if (cut && !['SELECT'].includes(one.tagName)) found.push('clipped: ' + name(one));
    boxes.push([one, box]);
  }
  for (let a = 0; a < boxes.length; a++) for (let b = a + 1; b < boxes.length; b++) {
    const [one, first] = boxes[a], [other, second] = boxes[b];
    if (one.contains(other) || other.contains(one)) continue;
    const wide = Math.min(first.right, second.right) - Math.max(first.left, second.left);
    const high = Math.min(first.bottom, second.bottom) - Math.max(first.top, second.top);
    if (wide > 2 && high > 2) found.push(name(one) + ' lies on ' + name(other));
  }
  return found;
}"""
"""What is clipped, beyond the window, or lies on something else, in words."""
MEASURE = "mean(accounts_closed_out[retail])"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study's folder with two branches, its page, and the page of a run."""
    where = tmp_path_factory.mktemp("browser")
    study(where / "caps", caps=CAPS, branches=2, paths=300)
    page.write(page.pages([load(where / "caps")]), where / "caps.html")
    example_studies.run().save(where / "run.nc")
    page.write(page.pages([load(where / "run.nc")]), where / "run.html")
    page.write(page.pages([load(where / "run.nc"), load(where / "caps")]), where / "both.html")
    cards = "".join(f"<h2>{kind}</h2>{ANSWERS[kind]()._repr_html_()}<div style='clear:both'></div>" for kind in CARDS)
    look = "<style>:root{color-scheme:light dark}body{font-family:sans-serif;margin:1em}</style>"
    title = "<!doctype html><html lang=en data-ready><title>Cards</title><meta name=viewport content='width=device-width'>"
    (where / "cards.html").write_text(f"{title}{look}<main><h1>Cards</h1>{cards}</main>")
    few = study(where / "few", caps=(5, 20, 125), paths=300, more=["expected_shortfall(max_drawdown_index, 0.9999)"])
    page.write(page.pages([load(where / "few")]), where / "few.html")
    assert few.of("cap 20", "exceedance_probability(max_drawdown_index, 0.2)").difference is not None
    gone = study(where / "gone", caps=(5, 125), branches=2, paths=300)
    (where / "gone" / "cells" / f"{gone.info['files']['cap 125']['impact: times 2']}.nc").unlink()
    page.write(page.pages([load(where / "gone")]), where / "gone.html")
    return where


@pytest.fixture
def opened(chromium, folder):
    """Opens a page with no way to a network; afterwards nothing may have been asked for and nothing have gone wrong."""
    asked, wrong, contexts = [], [], []

    def open_(name="caps.html", width=1280, mode="light", address="", **more):
        context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=mode, offline=True, **more)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        one = context.new_page()
        one.on("request", lambda request: asked.append(request.url))
        one.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        one.on("pageerror", lambda error: wrong.append(str(error)))
        one.goto((folder / name).as_uri() + address)
        if more.get("java_script_enabled", True):
            one.wait_for_selector("html[data-ready]")
        return one

    yield open_
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith((folder.as_uri(), "data:", "blob:"))] == []
    assert wrong == []


def numbers(text):
    return [float(one.replace(",", "").replace("\u2212", "-")) for one in re.findall(r"\u2212?[\d,]*\.?\d+", text)]


@pytest.mark.parametrize("branch", ["", "impact: times 2"])
def test_what_is_chosen_is_told_as_the_result_holds_it(opened, folder, branch):
    one = opened()
    one.select_option("#setting", "cap 10")
    one.select_option("#measure", MEASURE)
    one.select_option("#branch", branch)
    found = Study.load(folder / "caps").of("cap 10", MEASURE, branch)
    told = numbers(one.inner_text("#told-value"))
    assert told[0] == pytest.approx(found.estimate.value, abs=found.estimate.standard_error / 10)
    assert told[2:] == pytest.approx([found.estimate.low, found.estimate.high], abs=found.estimate.standard_error / 10)
    change = numbers(one.inner_text("#told-change"))
    assert change == pytest.approx(found.difference[:1] + found.difference[2:4], abs=found.difference.standard_error / 10)
    assert "told apart" in one.inner_text("#told")
    assert one.locator("#chosen svg path").count() > 3


@pytest.mark.parametrize(
    ("cell", "measure", "says"),
    [
        ("cap 20", "expected_shortfall(max_drawdown_index, 0.95)", "not known: too few paths"),
        ("cap 5", "exceedance_probability(max_drawdown_index, 0.9)", "no path differs"),
        ("cap 5", "expected_shortfall(max_drawdown_index, 0.9999)", "needs 100,000 paths"),
    ],
)
def test_what_cannot_be_told_is_said_in_words(opened, cell, measure, says):
    one = opened("few.html")
    one.select_option("#setting", cell)
    one.select_option("#measure", measure)
    told = one.inner_text("#told")
    assert says in told
    for wrong in ("undefined", "null", "NaN", "paths percentage", "differ) percentage"):
        assert wrong not in told


def test_each_result_of_a_page_has_its_own_choice(opened, folder):
    one = opened("both.html")
    one.select_option('[id="1-setting"]', "cap 10")
    one.select_option('[id="1-measure"]', MEASURE)
    value = Study.load(folder / "caps").of("cap 10", MEASURE).estimate
    assert numbers(one.inner_text('[id="1-told-value"]'))[0] == pytest.approx(value.value, abs=value.standard_error / 10)
    one.select_option("#measure", index=1)
    again = opened("both.html", address=one.evaluate("location.hash"))
    for name in ("measure", "1-setting", "1-measure"):
        assert again.input_value(f'[id="{name}"]') == one.input_value(f'[id="{name}"]')


def test_a_branch_that_is_not_there_is_not_replaced_by_all(opened, folder):
    one = opened("gone.html")
    one.select_option("#setting", "cap 5")
    one.select_option("#branch", "impact: times 2")
    assert "That of cap 125 is not in this page" in one.inner_text("#choice-caption")
    assert "in the branch impact: times 2" in one.inner_text("#choice-caption")
    assert one.locator("#choice-table thead th").count() == 3


def test_the_address_carries_the_choice_and_keys_make_it(opened):
    one = opened()
    one.focus("#setting")
    before = one.input_value("#setting")
    one.keyboard.press("ArrowDown")
    chosen = one.input_value("#setting")
    assert chosen != before
    one.select_option("#measure", MEASURE)
    address = one.evaluate("location.hash")
    again = opened(address=address)
    assert (again.input_value("#setting"), again.input_value("#measure")) == (chosen, MEASURE)
    assert again.inner_text("#told") == one.inner_text("#told")


def test_a_pointer_over_a_curve_tells_its_numbers(opened):
    one = opened()
    one.select_option("#measure", "mean(open_interest_loss_usd)")
    one.wait_for_selector("#chosen svg .mark-symbol path")
    point = one.locator("#chosen svg g.mark-symbol.role-mark path").nth(8)
    point.scroll_into_view_if_needed()
    point.hover(force=True)
    one.wait_for_selector("#vg-tooltip-element.visible")
    assert "95% interval" in one.inner_text("#vg-tooltip-element")


@pytest.mark.parametrize("name", ["caps.html", "both.html", "cards.html"])
@pytest.mark.parametrize("mode", MODES)
def test_nobody_is_kept_out(opened, name, mode):
    one = opened(name, mode=mode)
    one.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    found = axe.Axe().run(one).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found if each["impact"] in ("serious", "critical")] == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["caps.html", "run.html", "cards.html"])
def test_nothing_is_out_of_place_and_a_person_can_look(opened, name, mode, width):
    one = opened(name, width=width, mode=mode)
    SCREENSHOTS.mkdir(exist_ok=True)
    one.screenshot(path=SCREENSHOTS / f"{name.removesuffix('.html')}_{mode}_{width}.png", clip=None if width < 3000 else {
        "x": 0, "y": 0, "width": width, "height": 2000}, full_page=width < 3000)  # fmt: skip
    assert one.evaluate(OUT_OF_PLACE) == []
    assert one.evaluate("document.documentElement.scrollWidth") <= width


def test_what_lies_on_something_else_is_noticed(opened):
    one = opened("cards.html")
    one.evaluate("document.querySelector('h2').style.position = 'absolute'; document.querySelector('h2').style.top = '1em'")
    assert any("lies on" in line for line in one.evaluate(OUT_OF_PLACE))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["caps.html", "both.html"])
def test_nothing_is_wider_than_the_window(opened, name, width):
    one = opened(name, width=width)
    assert one.evaluate("document.documentElement.scrollWidth") <= width


def test_without_scripts_everything_is_there_but_the_choice(opened):
    one = opened(java_script_enabled=False)
    drawn = one.locator(".drawn svg")
    assert drawn.count() >= 5
    assert all(drawn.nth(k).is_visible() for k in range(drawn.count()))
    assert not one.locator("#choice").is_visible()
    assert one.locator("table.headline").is_visible()


def test_it_prints_on_a4_with_every_chart(opened, folder, tmp_path):
    one = opened()
    printed = one.pdf(prefer_css_page_size=True)
    pages = len(re.findall(rb"/Type\s*/Page\b", printed))
    assert 4 <= pages <= 14
    assert b"/MediaBox [0 0 594" in printed or b"/MediaBox [0 0 595" in printed
    one.emulate_media(media="print")
    drawn = one.locator(".drawn svg")
    assert all(drawn.nth(k).is_visible() for k in range(drawn.count()))
    out = tmp_path / "caps.pdf"
    assert main(["report", str(folder / "caps"), "--pdf", str(out), "--out", str(tmp_path / "caps.html")]) == OK
    assert len(re.findall(rb"/Type\s*/Page\b", out.read_bytes())) >= 4
    assert main(["report", str(folder / "caps"), "--pdf", str(out), "--out", str(tmp_path / "caps.html"), "--force"]) == OK


@pytest.mark.slow
def test_large_reports_open_soon(opened, folder):
    study(folder / "many", caps=tuple(range(2, 127)), paths=60)
    page.write(page.pages([load(folder / "many")]), folder / "many.html")
    begun = time.perf_counter()
    one = opened("many.html")
    print(f"125 cells: opened in {time.perf_counter() - begun:.2f} s")
    assert one.locator("#setting option").count() == 125
    random, paths = np.random.default_rng(3), 100_000
    losses = {"max_drawdown_index": np.minimum(0.03 * random.exponential(size=paths), 0.9)}
    example_studies.run(losses=losses, paths=paths).save(folder / "long.nc")
    page.write(page.pages([load(folder / "long.nc")]), folder / "long.html")
    begun = time.perf_counter()
    one = opened("long.html")
    print(f"100,000 paths: opened in {time.perf_counter() - begun:.2f} s")
    one.locator(".picture", has=one.locator(".live")).first.scroll_into_view_if_needed()
    one.locator(".live svg").first.wait_for()  # a chart comes alive once it is seen
