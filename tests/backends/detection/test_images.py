"""Image formats: each gives the boxes of the same picture in a plain RGB PNG."""

import base64
import io
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from backends.detection.inputs import image_list
from backends.detection.model.detections import Detections
from backends.detection.model.detector import Detector
from shared.errors import DeadlineError, DecodeError
from shared.media.image import Image, decode_image
from shared.pipeline import runtime
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.settings import changed_environment
from tests.backends.detection.conftest import PICTURE, Predict, data_url, route_of
from tests.backends.detection.test_defects import BOXES

pytestmark = pytest.mark.usefixtures("keep_networks")

Result = dict[str, Any]
Picture = Pillow.Image
UPRIGHT = Pillow.fromarray(PICTURE)
GRAY = UPRIGHT.convert("L")
CLEAR = np.zeros(PICTURE.shape[:2], np.uint8)
CLEAR[60:] = 255


@pytest.fixture
def environment(model_dir: Path) -> Iterator[None]:
    """As for the other tests, but with the engine that loads fastest."""
    settings = {"MODEL_DIR": str(model_dir), "DETECTION_MODEL": "starter", "ENGINE": "torch"}
    with changed_environment(settings):
        runtime.reset_runtime()
        yield
        runtime.reset_runtime()


def encode_url(image: Picture, kind: str = "PNG", **options: Any) -> str:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def _make_translucent() -> tuple[Picture, Picture]:
    """Return a picture that is transparent at the top, and how a browser shows it on white."""
    image = UPRIGHT.copy()
    image.putalpha(Pillow.fromarray(CLEAR))
    white = np.where(CLEAR[:, :, None] > 0, PICTURE, 255).astype(np.uint8)
    return image, Pillow.fromarray(white)


def _make_palette() -> tuple[Picture, Picture]:
    image = UPRIGHT.quantize(64)
    return image, image.convert("RGB")


def _make_16_bit() -> tuple[Picture, Picture]:
    """Return a picture of 16 bits per pixel whose upper 8 bits are the gray picture."""
    return Pillow.fromarray(np.asarray(GRAY, np.uint16) * 257), GRAY.convert("RGB")


def _make_black_and_white() -> tuple[Picture, Picture]:
    """Return a picture as a scanner makes it, without dithering."""
    image = UPRIGHT.convert("1", dither=Pillow.Dither.NONE)
    return image, image.convert("RGB")


def _convert_mode(mode: str) -> tuple[Picture, Picture]:
    image = UPRIGHT.convert(mode)
    return image, image.convert("RGB")


# Lossless files: how each is made, and the same picture as RGB.
KINDS: dict[str, tuple[Callable[[], tuple[Picture, Picture]], str, dict[str, Any]]] = {
    "gray PNG": (lambda: _convert_mode("L"), "PNG", {}),
    "gray JPEG 2000": (lambda: _convert_mode("L"), "JPEG2000", {"irreversible": False}),
    "black and white": (_make_black_and_white, "PNG", {}),
    "gray with alpha": (lambda: _convert_mode("LA"), "PNG", {}),
    "palette PNG": (_make_palette, "PNG", {}),
    "GIF": (_make_palette, "GIF", {}),
    "RGBA PNG": (_make_translucent, "PNG", {}),
    "RGBA WebP": (_make_translucent, "WebP", {"lossless": True, "exact": True}),
    "16-bit PNG": (_make_16_bit, "PNG", {}),
    "16-bit TIFF": (_make_16_bit, "TIFF", {}),
    "float TIFF": (lambda: _convert_mode("F"), "TIFF", {}),
    "CMYK TIFF": (lambda: _convert_mode("CMYK"), "TIFF", {}),
    "WebP": (lambda: _convert_mode("RGB"), "WebP", {"lossless": True}),
    "TIFF": (lambda: _convert_mode("RGB"), "TIFF", {"compression": "tiff_lzw"}),
    "BMP": (lambda: _convert_mode("RGB"), "BMP", {}),
}


def numbers(results: list[Result]) -> list[list[float]]:
    keys = ("x", "y", "width", "height")
    return [[*(r["value"][key] for key in keys), r["score"] * 100] for r in results]


def labels(results: list[Result]) -> list[str]:
    return [r["value"]["rectanglelabels"][0] for r in results]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_gives_what_the_plain_picture_gives(kind: str, predict: Predict) -> None:
    make, form, options = KINDS[kind]
    image, plain = make()
    found = predict(BOXES, {"image": encode_url(image, form, **options)})["result"]
    expected = predict(BOXES, {"image": encode_url(plain)})["result"]
    assert len(expected) > 1
    assert labels(found) == labels(expected)
    assert np.array(numbers(found)) == pytest.approx(np.array(numbers(expected)), abs=1e-3)


@pytest.mark.parametrize(
    ("mode", "kind"), [("CMYK", "JPEG"), ("L", "JPEG"), ("RGB", "JPEG"), ("RGB", "WebP")]
)
def test_a_photo_gives_nearly_what_the_plain_picture_gives(
    mode: str, kind: str, predict: Predict
) -> None:
    image, plain = _convert_mode(mode)
    more = {} if kind == "WebP" or mode != "RGB" else {"subsampling": 0}
    found = predict(BOXES, {"image": encode_url(image, kind, quality=98, **more)})["result"]
    expected = predict(BOXES, {"image": encode_url(plain)})["result"]
    sure = [r for r in expected if r["score"] > 0.4]
    assert len(sure) > 1
    for result in sure:
        [wanted] = numbers([result])
        same = [r for r in found if labels([r]) == labels([result])]
        apart = np.abs(np.array(numbers(same)) - wanted)
        assert (apart <= (0.5, 0.5, 0.5, 0.5, 5)).all(axis=1).any(), "half a percent of the sides"


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("listed", [False, True])
def test_an_image_over_the_cap_costs_its_own_task(listed: bool, environment: None) -> None:
    source = 'valueList="$image"' if listed else 'value="$image"'
    xml = f'<View><Image name="image" {source}/>{BOXES}</View>'
    large = Pillow.new("1", (2000, 1500))
    values: list[Any] = [data_url(), encode_url(large), data_url()]
    values = [[data_url(), value] for value in values] if listed else values
    tasks = [{"id": n, "data": {"image": value}} for n, value in enumerate(values)]
    with changed_environment({"MAX_MEGAPIXELS": "2"}):
        runtime.reset_runtime()
        outcomes = list(runtime.runtime().pipeline.run(route_of(xml), tasks))
    error = outcomes[1].error
    assert isinstance(error, DecodeError)
    assert "3 megapixels (2000 × 1500); MAX_MEGAPIXELS allows 2" in str(error)
    assert outcomes[1].to_response() == []
    for outcome in (outcomes[0], outcomes[2]):
        assert outcome.prediction is not None
        assert outcome.prediction.results


def test_each_image_tag_gets_its_own_boxes(predict: Predict) -> None:
    other = np.ascontiguousarray(PICTURE[::-1, : PICTURE.shape[1] // 2])
    tags = (
        BOXES
        + '<Image name="second" value="$other"/>'
        + BOXES.replace('"r"', '"s"').replace('toName="image"', 'toName="second"')
    )
    results = predict(tags, {"image": data_url(), "other": data_url(other)})["result"]
    alone = {
        "r": predict(BOXES)["result"],
        "s": predict(BOXES, {"image": data_url(other)})["result"],
    }
    for name, to_name, size in (("r", "image", (400, 300)), ("s", "second", (200, 300))):
        mine = [r for r in results if r["from_name"] == name]
        assert mine
        assert {(r["original_width"], r["original_height"]) for r in mine} == {size}
        assert {r["to_name"] for r in mine} == {to_name}
        assert numbers(mine) == numbers(alone[name])


LISTED = 'valueList="$pages"'


@pytest.mark.parametrize("network", ["starter", "yolo11n-seg"])
def test_images_of_a_list_give_what_each_gives_alone(network: str, predict: Predict) -> None:
    """Of several sizes, more than are decoded at a time, one of them empty."""
    rng = np.random.default_rng(4)
    pictures = [PICTURE[: 300 - 3 * n, : 400 - 5 * n] for n in range(image_list.CHUNK_IMAGES + 3)]
    pictures[2] = np.full((50, 70, 3), 255, np.uint8)
    order = rng.permutation(len(pictures))
    urls = [data_url(pictures[index]) for index in order]
    tags = BOXES
    if network != "starter":
        tags = f'<RectangleLabels name="r" toName="image" model_path="{network}.pt"'
        tags += ' model_score_threshold="0.38"><Label value="circle"/><Label value="car"/>'
        tags += "</RectangleLabels>"
    found = predict(tags, {"pages": urls}, LISTED)["result"]
    for place, address in enumerate(urls):
        mine = [r for r in found if r["item_index"] == place]
        alone = predict(tags, {"image": address})["result"]
        assert numbers(mine) == numbers(alone)
        assert labels(mine) == labels(alone)
    assert {r["item_index"] for r in found} <= set(range(len(urls)))


def test_few_images_of_a_list_are_decoded_at_a_time(
    predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: list[weakref.ref[Image]] = []
    most: list[int] = []

    def counting(*given: Any) -> Image:
        image = decode_image(*given)
        alive.append(weakref.ref(image))
        most.append(sum(ref() is not None for ref in alive))
        return image

    monkeypatch.setattr(image_list, "decode_image", counting)
    pages = [data_url(PICTURE[n:]) for n in range(60)]
    found = predict(BOXES, {"pages": pages}, LISTED)["result"]
    assert {r["item_index"] for r in found} == set(range(60))
    assert len(most) == 60
    assert max(most) <= 3 * image_list.CHUNK_IMAGES, "one chunk is looked at, and one is decoded"


def test_large_images_of_a_list_come_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_list, "CHUNK_BYTES", PICTURE.nbytes + 1)
    page = image_list.ListedImage(base64.b64decode(data_url().partition(",")[2]), 0, 1)
    with ThreadPoolExecutor() as pool:
        chunks = [len(chunk) for chunk in image_list.decoded_chunks([page] * 5, pool)]
    assert chunks == [2, 2, 1]


def test_no_more_of_a_list_is_looked_at_after_the_deadline(
    environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was inferred is known the next time, so even a long list is finished."""
    waiting, seen, detect = RequestScope(), list[int](), Detector.detect

    def counting(self: Detector, images: Sequence[Image]) -> list[Detections]:
        found = detect(self, images)
        seen.extend(image.size.height for image in images)
        waiting.cancel(DeadlineError("Late"))  # while the network runs on the first of them
        return found

    monkeypatch.setattr(Detector, "detect", counting)
    pipeline = runtime.runtime().pipeline
    listed = route_of(f'<View><Image name="image" {LISTED}/>{BOXES}</View>')
    task = {"id": 1, "data": {"pages": [data_url(PICTURE[n:]) for n in range(60)]}}
    [late] = pipeline.run(listed, [task], scope=waiting)
    assert isinstance(late.error, DeadlineError)
    single = route_of(f'<View><Image name="image" value="$image"/>{BOXES}</View>')
    [outcome] = pipeline.run(single, [{"id": 2, "data": {"image": data_url(PICTURE[:, 1:])}}])
    assert outcome.prediction is not None
    assert 1 < len(seen) <= 2 * image_list.CHUNK_IMAGES + 1
    [outcome] = pipeline.run(listed, [task])
    assert outcome.prediction is not None
    assert {r["item_index"] for r in outcome.prediction.results} == set(range(60))
    assert len(seen) == 61, "each page and the single image, once"


def test_an_empty_list_is_an_answer(predict: Predict) -> None:
    assert predict(BOXES, {"pages": []}, LISTED)["result"] == []
