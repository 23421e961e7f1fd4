"""The report of an evaluation in headless Chromium, without a network."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from playwright.sync_api import Browser, Page

from shared.evaluation.report import write_report
from shared.label_studio.label_config import LabelConfig
from shared.results import ImageSize, Rectangle, region
from tests.evaluation.gallery import EVIL, GALLERY, evaluate, gallery_task, sources_of, text_regions

from .label_studio import LabelStudio

REPO = Path(__file__).parents[2]

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


# Of a real project

CONFIG = """<View>
  <!-- The pictures of the demo -->
  <Image name="image" value="$image"/>
  <RectangleLabels name="label"
                   toName="image">
    <Label value="Star"/><Label value="Cross"/>
  </RectangleLabels>
</View>"""
PICTURES = sorted((REPO / "backends" / "detection" / "examples").glob("*.png"))


def box(label: str, x: float, score: float | None = None) -> dict[str, Any]:
    control = LabelConfig.parse(CONFIG).controls[0]
    made = region(Rectangle(x, 20, 80, 80), {control: [label]}, ImageSize(480, 360), score)
    return dict(made.results[0])


@pytest.fixture(scope="module")
def project(label_studio: LabelStudio) -> tuple[int, list[int]]:
    """Uploaded pictures; on the last of them the prediction has the other label."""
    made = label_studio.create_project("report", CONFIG)
    tasks = label_studio.upload(made, PICTURES)
    for number, task in enumerate(tasks):
        path, result = f"/api/tasks/{task}/annotations/", [box("Star", 50)]
        label_studio.request("POST", path, json={"result": result})
        label = "Cross" if task == tasks[-1] else "Star"
        predicted = [box(label, 52, 0.9 - number / 10), box("Cross", 300, 0.4)]
        body = {"task": task, "model_version": "v1", "result": predicted}
        label_studio.request("POST", "/api/predictions/", json=body)
    return made, tasks


def run_evaluate(server: LabelStudio, *words: str) -> str:
    access = {"LABEL_STUDIO_URL": server.url, "LABEL_STUDIO_API_KEY": server.token}
    run = subprocess.run(
        [sys.executable, "-m", "shared.cli", "evaluate", *words],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | access | {"PYTHONPATH": str(REPO)},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_uploaded_pictures_are_in_the_page_and_tasks_are_linked(
    label_studio: LabelStudio, project: tuple[int, list[int]], tmp_path: Path, chromium: Browser
) -> None:
    number, tasks = project
    run_evaluate(label_studio, "--project", str(number), "-o", str(tmp_path))
    page = opened(chromium, tmp_path / "report.html", 1000)
    assert page.locator("h1").inner_text() == f"Evaluation of project {number}"
    links = page.locator("article h4 a")
    assert links.count() == len(PICTURES)
    assert links.first.inner_text() == f"Task {tasks[-1]}"  # the worst
    sizes = page.evaluate("[...document.querySelectorAll('image')].map(i => i.getBBox().width)")
    assert sizes == [480] * len(PICTURES)
    context = chromium.new_context()
    context.add_cookies(
        [{"name": n, "value": v, "url": label_studio.url} for n, v in label_studio.cookies.items()]
    )
    task = context.new_page()
    task.goto(str(links.first.get_attribute("href")))
    shown = f"window.Htx?.task?.id == {tasks[-1]}"
    task.wait_for_function(shown, timeout=90_000)


def test_label_config_with_thresholds_is_taken_by_label_studio(
    label_studio: LabelStudio, project: tuple[int, list[int]]
) -> None:
    number, _ = project
    printed = run_evaluate(label_studio, "--project", str(number), "--thresholds")
    xml = printed[printed.index("<View>") :].rstrip("\n")
    # Two of the three stars are right, from 0.8 on: 0.7 is the one with the wrong label.
    assert xml == CONFIG.replace(
        'toName="image">', 'toName="image"\n                   model_score_threshold="0.8">'
    )
    label_studio.request("PATCH", f"/api/projects/{number}/", json={"label_config": xml})
    kept = label_studio.request("GET", f"/api/projects/{number}/")["label_config"]
    control = LabelConfig.parse(kept).controls[0]
    assert control.get_number("model_score_threshold", 0, 0, 1) == 0.8
