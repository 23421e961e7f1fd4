"""How images are prepared for an ONNX network: the steps that MMDeploy writes beside it.

The names and keys are those of MMDeploy's `pipeline.json`; a `config.json` may have the same. What
each step does to pixels is what MMDetection does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.errors import ModelError
from shared.media.image import Pixels

Floats = NDArray[np.float32]
# Steps that change no pixels.
PIXELLESS = frozenset({
    *("LoadImageFromFile", "LoadAnnotations", "DefaultFormatBundle", "ImageToTensor"),
    *("Collect", "PackDetInputs"),
})  # fmt: skip


class Prepared(NamedTuple):
    """Pixels in the order blue, green, red until a step turns it, and how much they were scaled."""

    pixels: NDArray[Any]
    scale: tuple[float, float] = (1.0, 1.0)


class ImageStep(Protocol):
    """One step."""

    def apply(self, image: Prepared) -> Prepared:
        """Return the image after the step."""


@dataclass(frozen=True)
class Resize:
    """Scales to `size` (width, height); with `keeps_ratio` to the largest that it holds.

    It holds the image turned by a quarter as well, as in MMDetection.
    """

    size: tuple[int, int]
    keeps_ratio: bool

    def apply(self, image: Prepared) -> Prepared:
        height, width = image.pixels.shape[:2]
        size = self.size
        if self.keeps_ratio:
            factor = min(max(size) / max(height, width), min(size) / min(height, width))
            size = max(int(width * factor + 0.5), 1), max(int(height * factor + 0.5), 1)
        pixels = cv2.resize(image.pixels, size, interpolation=cv2.INTER_LINEAR)
        scale = size[0] / width * image.scale[0], size[1] / height * image.scale[1]
        return Prepared(pixels, scale)


@dataclass(frozen=True)
class Pad:
    """Adds a border at the right and the bottom: up to `size` (width, height), or to a multiple."""

    size: tuple[int, int] | None
    divisor: int
    value: tuple[float, ...]

    def apply(self, image: Prepared) -> Prepared:
        height, width = image.pixels.shape[:2]
        if self.size is not None:
            wide, high = max(self.size[0], width), max(self.size[1], height)
        else:
            wide, high = (-(-side // self.divisor) * self.divisor for side in (width, height))
        right, bottom = wide - width, high - height
        pixels = cv2.copyMakeBorder(
            image.pixels, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=self.value
        )
        return image._replace(pixels=pixels)


@dataclass(frozen=True)
class Normalize:
    """Turns the order of colours to red, green, blue where asked, and scales by mean and spread."""

    mean: tuple[float, ...]
    spread: tuple[float, ...]
    to_rgb: bool

    def apply(self, image: Prepared) -> Prepared:
        pixels = image.pixels[:, :, ::-1] if self.to_rgb else image.pixels
        mean, spread = (np.array(one, np.float32) for one in (self.mean, self.spread))
        return image._replace(pixels=(pixels.astype(np.float32) - mean) / spread)


def prepare_image(steps: Sequence[ImageStep], pixels: Pixels) -> tuple[Floats, tuple[float, float]]:
    """Return the network's input (1, 3, height, width), and its scale in width and height."""
    image = Prepared(np.ascontiguousarray(pixels[:, :, ::-1]))
    for step in steps:
        image = step.apply(image)
    planes = image.pixels.astype(np.float32).transpose(2, 0, 1)
    return np.ascontiguousarray(planes[None]), image.scale


def parse_steps(transforms: Any, where: str) -> tuple[ImageStep, ...]:
    """Return the steps of a list of `transforms`; ModelError names one that cannot be done."""
    if not isinstance(transforms, list):
        raise ModelError(f'{where}: "transforms" should be a list of steps')
    return tuple(
        _parse_step(one, where) for one in transforms if _step_type(one, where) not in PIXELLESS
    )


def _step_type(step: Any, where: str) -> str:
    if not isinstance(step, dict) or not isinstance(step.get("type"), str):
        raise ModelError(f'{where}: each of "transforms" should be an object with a "type"')
    return str(step["type"])


def _parse_step(step: Mapping[str, Any], where: str) -> ImageStep:
    build = _BUILDERS.get(step["type"])
    if build is None:
        raise ModelError(
            f"{where}: images would be prepared by {step['type']}; supported:"
            f" {', '.join(_BUILDERS)}"
        )
    try:
        return build(step)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{where}: the step {step['type']} cannot be read ({type(error).__name__}: {error})"
        ) from None


def _read_resize(step: Mapping[str, Any]) -> Resize:
    size = step.get("size", step.get("scale"))
    width, height = (size, size) if isinstance(size, int) else map(int, size or ())
    return Resize((width, height), bool(step.get("keep_ratio", False)))


def _read_pad(step: Mapping[str, Any]) -> Pad:
    value = step.get("pad_val", 0)
    value = value.get("img", 0) if isinstance(value, dict) else value
    values = tuple(map(float, value)) if isinstance(value, list) else (float(value),) * 3
    size = step.get("size")
    width_height = None if size is None else (int(size[0]), int(size[1]))
    return Pad(width_height, int(step.get("size_divisor") or 1), values)


def _read_normalize(step: Mapping[str, Any]) -> Normalize:
    mean, spread = (tuple(map(float, step[key])) for key in ("mean", "std"))
    return Normalize(mean, spread, bool(step.get("to_rgb", True)))


_BUILDERS: Mapping[str, Callable[[Mapping[str, Any]], ImageStep]] = {
    "Resize": _read_resize,
    "Pad": _read_pad,
    "Normalize": _read_normalize,
}
