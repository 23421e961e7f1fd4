"""Bulk work pauses while clicks are answered, and goes on however much is clicked."""

import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backends.segment import click_priority
from backends.segment.click_priority import ClickPriority
from backends.segment.drawn_objects import DrawnImage, DrawnObject
from backends.segment.models.promptable_model import Embedding, MaskPrediction
from backends.segment.prompts import ObjectPrompt, Point
from backends.segment.segmenter import Segmenter, SegmentItem
from shared.backend import Pixels
from shared.errors import TaskError
from shared.media.image import Image
from shared.results import ImageSize
from tests.backends.segment.flood import FloodModel, memory_cache

SIZE = ImageSize(64, 48)


def test_bulk_work_waits_for_clicks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click_priority, "MAX_PAUSE_SECONDS", 600.0)
    priority, order = ClickPriority(), []

    def work() -> None:
        priority.let_clicks_pass()
        order.append("bulk")

    with priority.answer_click():
        bulk = threading.Thread(target=work)
        bulk.start()
        with priority.answer_click():
            pass
        order.append("click")
    bulk.join()
    assert order == ["click", "bulk"]


def test_bulk_work_ends_however_much_is_clicked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click_priority, "MAX_PAUSE_SECONDS", 0.01)
    priority = ClickPriority()
    with priority.answer_click():
        priority.let_clicks_pass()


def test_users_are_there_for_a_while_after_a_click(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click_priority, "PRESENCE_SECONDS", 600.0)
    priority = ClickPriority()
    assert not priority.has_users()
    with priority.answer_click():
        assert priority.has_users()
    assert priority.has_users()
    monkeypatch.setattr(click_priority, "PRESENCE_SECONDS", 0.0)
    assert not priority.has_users()


class CountingModel(FloodModel):
    """Notes how many prompts each call of `decode` gets, and which images leave a core."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []
        self.left_core: list[bool] = []
        self.policies: list[int] = []

    def encode(self, image: Pixels, leaves_core: bool = False) -> Embedding:
        self.left_core.append(leaves_core)
        return super().encode(image)

    def decode(
        self, embedding: Embedding, prompts: Sequence[ObjectPrompt], leaves_core: bool = False
    ) -> Sequence[MaskPrediction]:
        self.calls.append(len(prompts))
        if sys.platform == "linux":
            self.policies.append(os.sched_getscheduler(0))
        return super().decode(embedding, prompts)


def item(shade: int, *clicks: Point, grid: int = 0, score: float | None = None) -> SegmentItem:
    pixels = np.full((SIZE.height, SIZE.width, 3), shade, np.uint8)
    pixels[10:30, 10:40] = 0
    image = Image(pixels, f"image {shade}")
    drawn = None
    if clicks:
        drawn = DrawnImage((DrawnObject("Cat", ObjectPrompt(clicks), "", score),), SIZE)
    return SegmentItem(image.digest, image, lambda: image, drawn, grid)


def test_bulk_work_goes_in_small_steps_once_somebody_clicks(tmp_path: Path) -> None:
    model = CountingModel()
    segmenter = Segmenter(model, memory_cache(tmp_path), "hash")
    found = segmenter.segment(item(200, grid=4))
    boxes = segmenter.segment(item(201, Point(20, 20), score=0.5))
    assert model.left_core == [False, False]
    assert model.calls == [4, 4, 4, 1]
    segmenter.segment(item(202, Point(20, 20)))
    model.calls.clear()
    again = segmenter.segment(item(200, grid=4))
    segmenter.segment(item(203, grid=4))
    assert model.left_core == [False, False, False, True]
    assert model.calls == [1] * 24
    assert [one.pixels.tolist() for one in again.objects] == [
        one.pixels.tolist() for one in found.objects
    ]
    assert [one.score for one in boxes.objects] == [0.5]


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority elsewhere")
def test_bulk_work_gives_way_to_clicks(tmp_path: Path) -> None:
    model = CountingModel()
    segmenter = Segmenter(model, memory_cache(tmp_path), "hash")
    segmenter.segment(item(200, Point(20, 20)))
    segmenter.segment(item(200, grid=2))
    segmenter.segment(item(200, Point(20, 20), Point(22, 20)))
    usual = os.sched_getscheduler(0)
    assert model.policies == [usual, *[os.SCHED_IDLE] * 4, usual]


def test_a_click_waits_no_longer_than_a_while_for_bulk_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backends.segment.segmenter.MAX_WAIT_FOR_BULK_SECONDS", 0.01)
    begun, go_on = threading.Event(), threading.Event()

    class StuckModel(FloodModel):
        def encode(self, image: Pixels, leaves_core: bool = False) -> Embedding:
            if leaves_core:
                begun.set()
                go_on.wait(60)
            return super().encode(image)

    segmenter = Segmenter(StuckModel(), memory_cache(tmp_path), "hash")
    segmenter.segment(item(200, Point(20, 20)))
    bulk = threading.Thread(target=segmenter.segment, args=(item(201, grid=2),))
    bulk.start()
    assert begun.wait(60)
    clicked = [segmenter.segment(item(shade, Point(20, 20))) for shade in (201, 202)]
    assert bulk.is_alive()
    assert all(len(image.objects) == 1 for image in clicked)
    go_on.set()
    bulk.join(60)
    assert not bulk.is_alive()


def test_what_is_clicked_is_decoded_alone_whatever_is_beside_it(tmp_path: Path) -> None:
    model = CountingModel()
    segmenter = Segmenter(model, memory_cache(tmp_path), "hash")
    alone = item(200, Point(20, 20))
    assert alone.drawn is not None
    other = DrawnObject("Dog", ObjectPrompt((Point(2, 2),)), "")
    segmenter.segment(
        replace(alone, drawn=replace(alone.drawn, objects=(*alone.drawn.objects, other)))
    )
    assert model.calls == [1, 1]


def test_an_image_that_has_changed_is_not_answered_as_the_one_before(tmp_path: Path) -> None:
    """Its mask would be kept by the digest of the other image."""
    segmenter = Segmenter(CountingModel(), memory_cache(tmp_path), "hash")
    changed = replace(item(200, Point(20, 20)), digest="image before")
    with pytest.raises(TaskError, match="has changed since it was opened"):
        segmenter.segment(changed)
