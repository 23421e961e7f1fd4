"""What was read on a page as regions of a label config."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from statistics import fmean
from typing import Any

from backends.ocr.layout.granularity import join_text, split_units
from backends.ocr.layout.page import Block, Corners, Page
from backends.ocr.tag_groups import TAGS_BY_SHAPE, block_values, control_values
from shared.backend import Claim
from shared.backend.label_map import Aliases
from shared.results import ParsedRegion, Polygon, Rectangle, Region, region, whole_task

# A line that is turned by this or less gets an upright box …
MAX_UPRIGHT_DEGREES = 2.0
# … if that is higher than the line by at most this part of its height.
MAX_EXTRA_HEIGHT = 0.25


def fill_drawn_region(drawn: ParsedRegion, page: Page, claim: Claim) -> Iterable[Region]:
    """Yield the drawn region unchanged, with its text; lines of any score are the user's wish."""
    area, text = claim.controls[-1], _page_text(page)
    if text and claim.control.tag != "TextArea":
        others = {control: v for control, v in drawn.values.items() if control.name != area.name}
        yield replace(drawn, values={**others, area: [text]}, score=_mean_score(page)).to_region()


def fill_whole_image(page: Page, claim: Claim, item_index: Mapping[str, int]) -> Iterable[Region]:
    """Yield all text of a page, in reading order, if there is any."""
    if text := _page_text(page):
        yield whole_task(claim.control, [text], score=_mean_score(page), **item_index)


def draw_units(page: Page, claim: Claim, item_index: Mapping[str, int]) -> Iterable[Region]:
    """Yield a region for each line, word or block."""
    draws_polygons = claim.control.tag in TAGS_BY_SHAPE["polygon"]
    for unit in split_units(page, claim.options["granularity"]):
        shape = Polygon(unit.corners) if draws_polygons else _to_rectangle(unit.corners)
        values = control_values(claim, unit.text)
        yield region(shape, values, source=page.size, score=unit.score, **item_index)


def draw_blocks(
    page: Page, claim: Claim, item_index: Mapping[str, int], aliases: Aliases
) -> Iterable[Region]:
    """Yield a box for each block of a class that has a label."""
    labels = claim.labels_for(page.block_names, aliases=aliases)
    for block in page.blocks:
        label = labels.get(block.name)
        if label is not None and _is_sure(block, claim):
            shape, values = Rectangle.from_xyxy(block.box), {claim.control: [label]}
            yield region(shape, values, source=page.size, score=block.score, **item_index)


def draw_text_blocks(
    page: Page, claim: Claim, item_index: Mapping[str, int], aliases: Aliases
) -> Iterable[Region]:
    """Yield a region for each block that has text or a label; with both, under one id."""
    draws_polygons = claim.control.tag in TAGS_BY_SHAPE["polygon"]
    for block in page.blocks:
        values = block_values(claim, block, page.block_names, aliases)
        is_labeled = any(control.labels for control in values)
        wanted = is_labeled if block.is_inside else is_labeled or block.text
        if wanted and _is_sure(block, claim):
            left, top, right, bottom = block.box
            corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
            shape: Any = Polygon(corners) if draws_polygons else Rectangle.from_xyxy(block.box)
            yield region(shape, values, source=page.size, score=block.score, **item_index)


def _is_sure(block: Block, claim: Claim) -> bool:
    """Return whether a block's score is high enough; one without a score is what it is."""
    least: float = claim.options["score_threshold"]
    return block.score is None or block.score >= least


def _page_text(page: Page) -> str:
    """Return all text of a page; of blocks, which have their own order, each on its own lines."""
    if page.lines:
        return join_text(page.lines)
    texts = (block.text for block in page.blocks if not block.is_inside)
    return "\n".join(text for text in texts if text)


def _to_rectangle(corners: Corners) -> Rectangle:
    """Return an upright box where that is hardly higher, as people draw it; else a turned one."""
    width, height = math.dist(corners[0], corners[1]), math.dist(corners[0], corners[3])
    # A box of these sides gets MAX_EXTRA_HEIGHT higher when its line is turned by this angle.
    extra = MAX_EXTRA_HEIGHT * min(width, height)
    max_degrees = math.degrees(math.atan2(extra, max(width, height)))
    return Rectangle.from_quad(corners, min(MAX_UPRIGHT_DEGREES, max_degrees))


def _mean_score(page: Page) -> float | None:
    return fmean(line.score for line in page.lines) if page.lines else None
