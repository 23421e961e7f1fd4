"""The outputs of PP-OCR's networks mean what RapidOCR takes them for."""

from importlib.resources import files
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rapidocr")

import cv2
import yaml

from backends.ocr.engines import ppocr, ppocr_outputs
from backends.ocr.engines.ppocr_outputs import find_quads, read_characters, read_guesses

CHARACTERS = ["a", "b", "7", "漢", "."]


@pytest.fixture(scope="module")
def config() -> Any:
    return yaml.safe_load((files("rapidocr") / "config.yaml").read_text())


def test_the_thresholds_are_those_of_rapidocr(config: Any) -> None:
    theirs = config["Det"]
    assert theirs["thresh"] == ppocr_outputs.PIXEL_THRESHOLD
    assert theirs["box_thresh"] == ppocr_outputs.LINE_THRESHOLD
    assert theirs["max_candidates"] == ppocr_outputs.MAX_LINES
    assert theirs["unclip_ratio"] == ppocr_outputs.GROWTH
    assert (theirs["use_dilation"], theirs["score_mode"]) == (True, "fast")
    assert tuple(config["Cls"]["label_list"]) == ppocr.DirectionClassifier.LABELS


def draw_heatmap(seed: int) -> Any:
    """Lines of all sizes and slopes, some at the edge, some too small or too uncertain."""
    random = np.random.default_rng(seed)
    heatmap = np.zeros((256, 320), np.float32)
    for _ in range(25):
        centre = random.uniform((0, 0), (320, 256))
        size = random.uniform((2, 1), (90, 14))
        slope = random.choice([0, 0, 90, random.uniform(-90, 90)])
        corners = cv2.boxPoints((centre.tolist(), size.tolist(), float(slope)))
        cv2.fillPoly(heatmap, [corners.astype(np.int32)], (float(random.uniform(0.3, 1)),))
    return cv2.GaussianBlur(heatmap, (3, 3), 0)


@pytest.mark.parametrize("seed", range(8))
def test_lines_are_where_rapidocr_finds_them(seed: int, config: Any) -> None:
    from rapidocr.ch_ppocr_det.utils import DBPostProcess

    names = ("thresh", "box_thresh", "max_candidates", "unclip_ratio", "score_mode", "use_dilation")
    decode = DBPostProcess(**{name: config["Det"][name] for name in names})
    heatmap, size = draw_heatmap(seed), (410, 655)
    theirs, _ = decode(heatmap[None, None], size)
    ours = list(find_quads(heatmap, size))
    assert len(ours) >= 5
    np.testing.assert_array_equal(ours, theirs)


def test_a_page_without_lines() -> None:
    assert list(find_quads(np.zeros((64, 64), np.float32), (64, 64))) == []


@pytest.mark.parametrize("seed", range(8))
def test_characters_are_those_that_rapidocr_reads(seed: int) -> None:
    from rapidocr.ch_ppocr_rec.utils import CTCLabelDecode

    random = np.random.default_rng(seed)
    output = random.uniform(size=(40, len(CHARACTERS) + 2)).astype(np.float32) ** 3
    output[:, 0] += 0.5  # mostly nothing
    decode = CTCLabelDecode(character=list(CHARACTERS))
    [(text, _)], [info] = decode(output[None], return_word_box=True)
    read = read_characters(read_guesses(output), ("", *CHARACTERS, " "))
    assert read.text == text
    assert list(read.chances) == info.confs
    shown = [at for char, at in zip(read.text, read.columns, strict=True) if char != " "]
    assert shown == [column for word in info.word_cols for column in word]


def test_an_empty_line() -> None:
    output = np.tile(np.array([1, 0, 0], np.float32), (9, 1))
    assert read_characters(read_guesses(output), ("", "a", " ")) == ("", [], [])
