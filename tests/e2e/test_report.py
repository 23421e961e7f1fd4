"""The report of an evaluation in headless Chromium, without a network."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from playwright.sync_api import Browser, Page

from shared.evaluation.report import write_report
from tests.evaluation.gallery import EVIL, GALLERY, evaluate, gallery_task, sources_of, text_regions

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the gallery, and of a task whose text is markup."""
    tasks = [*GALLERY, gallery_task(4, text_regions, text=EVIL + "x" * 40)]
    figures, evaluated, problems = evaluate(tasks)
    return write_report(tmp_path_factory.mktemp("report"), figures, sources_of(evaluated, problems))


def opened(chromium: Browser, report: Path, width: int, scheme: Any = "light") -> Page:
    """Open the report; nothing may be asked of a network, nor may anything fail."""
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    page = context.new_page()
    seen: list[str] = []
    page.on("console", lambda message: seen.append(message.text))
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("request", lambda request: seen.append(request.url[:80]))
    page.goto(report.as_uri())
    assert [one for one in seen if not one.startswith(("file:", "data:"))] == []
    return page


@pytest.mark.parametrize("width", [400, 1200])
def test_page_fits_the_screen(chromium: Browser, report: Path, width: int) -> None:
    page = opened(chromium, report, width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("window.hacked") is None
    names = page.evaluate("[...document.querySelectorAll('svg.picture')].map(s => s.ariaLabel)")
    assert names == ["The regions of image, listed below"]
    sizes = page.evaluate(
        "[...document.querySelectorAll('svg.picture')].map(s => s.getBoundingClientRect().width)"
    )
    assert all(0 < size <= width for size in sizes)


def test_image_is_shown_with_its_regions(chromium: Browser, report: Path) -> None:
    """The car's field is greenish as in the image; the edge of what was hit is drawn in green."""
    page = opened(chromium, report, 1000)
    picture = page.locator("svg.picture").first
    shot = Pillow.open(io.BytesIO(picture.screenshot())).convert("RGB")
    scale = shot.width / 320
    inside = shot.getpixel((round(130 * scale), round(80 * scale)))
    assert inside == pytest.approx((60, 120, 90), abs=8)
    edge = [
        shot.getpixel((x, round(50 * scale))) for x in range(round(60 * scale), round(70 * scale))
    ]
    assert any(pixel == pytest.approx((0, 158, 115), abs=30) for pixel in edge)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_the_paper(chromium: Browser, report: Path, scheme: str) -> None:
    """WCAG 2.2 asks for a contrast of 4.5 of small text."""
    page = opened(chromium, report, 1000, scheme)
    colours = page.evaluate(
        """() => ['body', '.muted', 'nav a', '.tag.miss', '.tag.invention', '.tag.hit']
            .map(s => getComputedStyle(document.querySelector(s)).color)"""
    )
    card = page.evaluate("getComputedStyle(document.querySelector('article')).backgroundColor")
    for colour in colours:
        assert contrast(colour, card) >= 4.5, colour


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2.2 of two colours, written `rgb(r, g, b)`."""
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_page_is_used_by_keyboard(chromium: Browser, report: Path) -> None:
    """Tab reaches the links, the tables that scroll and the list of tasks, which Enter closes."""
    page = opened(chromium, report, 400)
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.tagName"))
        if reached[-1] == "SUMMARY":
            break
    assert {"A", "DIV", "SUMMARY"} <= set(reached)
    assert page.locator("article").first.is_visible()
    page.keyboard.press("Enter")
    assert not page.locator("article").first.is_visible()
