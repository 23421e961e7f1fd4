"""Clicks and boxes by mouse in a real Label Studio: the masks found, and what is stored."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page

from shared.results import rle
from tests.serving import Served, served

from .editor import BEGUN, Editor
from .label_studio import LabelStudio

pytestmark = pytest.mark.e2e

WIDTH, HEIGHT = 600, 400
LABELS = '<Label value="Cat"/><Label value="Dog"/>'
CONFIG = f"""<View><Image name="image" value="$image"/>
<KeyPointLabels name="point" toName="image" smart="true" smartonly="true">{LABELS}</KeyPointLabels>
<RectangleLabels name="box" toName="image" smart="true" smartonly="true">{LABELS}</RectangleLabels>
<BrushLabels name="mask" toName="image">{LABELS}</BrushLabels></View>"""
# The hotkeys that the editor gives the first label of each tag, in their order.
HOTKEYS = {"point": "1", "box": "3"}

Mask = Any
Results = list[dict[str, Any]]


def ellipse() -> Mask:
    """A turned ellipse, with the disc that lies on it."""
    return cv2.ellipse(
        np.zeros((HEIGHT, WIDTH), np.uint8), (200, 200), (110, 70), 20, 0, 360, 1, -1
    )


def disc() -> Mask:
    return cv2.circle(np.zeros((HEIGHT, WIDTH), np.uint8), (200, 200), 30, 1, -1)


def block() -> Mask:
    return cv2.rectangle(np.zeros((HEIGHT, WIDTH), np.uint8), (400, 100), (520, 300), 1, -1)


def overlap(one: Mask, other: Mask) -> float:
    """Intersection over union."""
    first, second = one > 0, other > 0
    return float((first & second).sum() / (first | second).sum())


class Annotator:
    """A user with a mouse, on a task that the editor shows. In the browser's thread."""

    def __init__(self, page: Page, address: str) -> None:
        self._page = page
        page.goto(address, wait_until="commit")
        page.wait_for_function("() => window.Htx?.annotationStore?.selected")
        page.wait_for_function(BEGUN)
        page.wait_for_function("() => Htx.annotationStore.selected.objects[0].stageRef")
        page.get_by_test_id("bottombar-auto-annotation-toggle").evaluate("e => e.click()")
        page.locator(".lsf-tool_smart:visible").last.wait_for()

    def choose_tool(self, name: str) -> None:
        self._page.locator(".lsf-tool_smart:visible").last.hover()
        self._page.locator(f".lsf-tool_smart[aria-label={name}]").click()
        self._page.mouse.move(1, 1)

    def click(self, x: float, y: float, negative: bool = False) -> Results:
        """Click with the label, and return what is suggested; a negative click with Alt."""
        self._select_label("point")
        if negative:
            self._page.keyboard.down("Alt")
        with self._page.expect_response(_is_answer) as answered:
            self._page.mouse.click(*self._place(x, y))
        if negative:
            self._page.keyboard.up("Alt")
        return self._suggested(answered.value.json())

    def draw_box(self, left: float, top: float, right: float, bottom: float) -> Results:
        """Draw a box with the label, and return what is suggested."""
        self._select_label("box")
        with self._page.expect_response(_is_answer) as answered:
            self._page.mouse.move(*self._place(left, top))
            self._page.mouse.down()
            self._page.mouse.move(*self._place((left + right) / 2, (top + bottom) / 2))
            self._page.mouse.move(*self._place(right, bottom))
            self._page.mouse.up()
        return self._suggested(answered.value.json())

    def accept(self) -> None:
        self._page.get_by_test_id("bottombar-accept-suggestions-button").click()
        self._page.wait_for_function("() => !Htx.annotationStore.selected.suggestions.size")

    def serialised(self) -> Results:
        """What the editor would store."""
        found: Results = self._page.evaluate(
            "() => Htx.annotationStore.selected.serializeAnnotation()"
        )
        return found

    def submit(self) -> None:
        with self._page.expect_response(lambda answer: "/annotations" in answer.url) as answered:
            self._page.get_by_test_id("bottombar-submit-button").click()
        assert answered.value.ok

    def _select_label(self, tag: str) -> None:
        script = f"() => Htx.annotationStore.selected.names.get('{tag}').selectedLabels.length"
        if not self._page.evaluate(script):
            self._page.keyboard.press(HOTKEYS[tag])
            self._page.wait_for_function(script)

    def _place(self, x: float, y: float) -> tuple[float, float]:
        """Return where a pixel of the picture is on the screen."""
        left, top, width, height = self._page.evaluate(
            """() => { const shown = Htx.annotationStore.selected.objects[0];
              const { x, y } = shown.stageRef.container().getBoundingClientRect();
              return [x, y, shown.stageWidth, shown.stageHeight]; }"""
        )
        return left + x / WIDTH * width, top + y / HEIGHT * height

    def _suggested(self, answer: dict[str, Any]) -> Results:
        sent: Results = answer["data"]["result"]
        ids = [one["id"] for one in sent]
        self._page.wait_for_function(
            "(ids) => [...Htx.annotationStore.selected.suggestions.values()]"
            ".map((one) => one.cleanId).join() === ids.join()",
            arg=ids,
        )
        return sent


def _is_answer(response: Any) -> bool:
    return "interactive-annotating" in response.url


def mask_of(result: dict[str, Any]) -> Mask:
    return rle.decode(result["value"]["rle"], HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def server(label_studio: LabelStudio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("server")
    variables = {"LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.token}
    with served("segment", log=folder / "log", SEGMENT_MODEL="starter", **variables) as running:
        running.wait("/ready", 300)
        yield running


@pytest.fixture
def task(label_studio: LabelStudio, server: Served, tmp_path: Path) -> tuple[int, int]:
    """A project with the backend, and a task in it: an ellipse with a disc on it, and a block."""
    pixels = np.full((HEIGHT, WIDTH, 3), (200, 225, 235), np.uint8)
    for shape, colour in (
        (ellipse(), (180, 90, 40)),
        (disc(), (60, 60, 220)),
        (block(), (60, 140, 30)),
    ):
        pixels[shape > 0] = colour
    cv2.imwrite(str(tmp_path / "shapes.png"), pixels)
    project = label_studio.create_project("segment project", CONFIG)
    label_studio.connect_backend(project, server.url, interactive=True)
    [made] = label_studio.upload(project, [tmp_path / "shapes.png"])
    return project, made


def test_clicks_and_a_box_by_mouse(
    label_studio: LabelStudio, editor: Editor, task: tuple[int, int]
) -> None:
    project, number = task
    address = f"{label_studio.url}/projects/{project}/data?task={number}"

    def annotate(page: Page) -> tuple[list[Results], Results]:
        user = Annotator(page, address)
        user.choose_tool("key-point-tool")
        sent = [user.click(140, 180), user.click(250, 240), user.click(200, 150)]
        sent.append(user.click(200, 200, negative=True))
        user.accept()
        user.choose_tool("rectangle-tool")
        sent.append(user.draw_box(394, 95, 526, 306))
        user.accept()
        serialised = user.serialised()
        user.submit()
        return sent, serialised

    sent, serialised = editor.use_page(annotate)
    assert [len(results) for results in sent] == [1] * 5
    whole, cut, boxed = (mask_of(sent[step][0]) for step in (2, 3, 4))
    assert overlap(whole, ellipse()) >= 0.95
    assert overlap(cut, ellipse() & (1 - disc())) >= 0.95
    assert overlap(boxed, block()) >= 0.95
    assert len({results[0]["id"] for results in sent[:4]}) == 1
    # The masks alone are kept, as they were sent: neither clicks nor boxes, and nothing twice.
    assert [(one["type"], one["value"]["brushlabels"]) for one in serialised] == [
        ("brushlabels", ["Cat"])
    ] * 2
    assert (mask_of(serialised[0]) == cut).all()
    assert (mask_of(serialised[1]) == boxed).all()
    [annotation] = label_studio.task(number)["annotations"]
    stored = annotation["result"]
    assert [one["id"] for one in stored] == [one["id"] for one in serialised]
    assert [(mask_of(one) > 0).sum() for one in stored] == [(cut > 0).sum(), (boxed > 0).sum()]
