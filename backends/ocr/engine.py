"""RapidOCR, with the weights of its own package."""

import importlib.util
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from backends.ocr.layout import in_order
from backends.ocr.page import Line, Page
from shared.image import Image


def weights() -> list[Path]:
    """The files of the models, as RapidOCR's package brings them."""
    folder = Path(str(files("rapidocr"))) / "models"
    return sorted(folder.glob("*.onnx"))


def load(engine: str) -> Any:
    """RapidOCR on `openvino`, `onnx` or, for `auto`, the faster of those that are installed."""
    from rapidocr import EngineType, RapidOCR

    if engine not in {"openvino", "onnx"}:
        engine = "openvino" if importlib.util.find_spec("openvino") else "onnx"
    kind = EngineType.OPENVINO if engine == "openvino" else EngineType.ONNXRUNTIME
    return RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.text_score": 0.0,
            "Det.engine_type": kind,
            "Cls.engine_type": kind,
            "Rec.engine_type": kind,
        }
    )


def read_page(model: Any, image: Image) -> Page:
    """Find and read the lines of one image."""
    found = model(np.ascontiguousarray(image.pixels[:, :, ::-1]))
    if found.boxes is None or found.txts is None:
        return Page(image.size, ())
    lines = [
        Line(box.tolist(), text, float(score))
        for box, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
    ]
    return Page(image.size, tuple(in_order(lines)))
