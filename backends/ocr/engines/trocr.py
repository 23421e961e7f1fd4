"""TrOCR, by transformers: handwriting on the lines that RapidOCR finds."""

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from backends._inference.device import choose_torch_device
from backends._transformers import hub
from backends.ocr.engines.rapidocr import RapidOcrEngine
from backends.ocr.layout.page import Line, Page, Word
from backends.ocr.layout.quad import Pixels, crop_quad, stretch_contrast
from backends.ocr.layout.reading_order import sort_lines
from shared.backend.installation import extra_command
from shared.errors import ModelError
from shared.media.image import Image
from shared.settings import Settings

REQUIRED_MODULES = ("torch", "transformers")
# Lines of one page in a batch.
LINES_PER_BATCH = 8


def find_weights(model: str, settings: Settings) -> Iterable[Path]:
    """Return a model's files; ModelError if they, or packages to run them, are missing."""
    missing = [name for name in REQUIRED_MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelError(
            f'The OCR engine "trocr" needs {" and ".join(missing)}: install the extra,'
            f" e.g. {extra_command('trocr')}"
        )
    return hub.find_files(_model_reference(model), settings)


class TrocrEngine(RapidOcrEngine):
    """Reads lines with a VisionEncoderDecoderModel, its image processor and its tokenizer."""

    def __init__(self, model: str, settings: Settings) -> None:
        import torch
        from transformers import AutoImageProcessor, AutoTokenizer, VisionEncoderDecoderModel

        super().__init__(settings.engine)
        folder = hub.find_folder(_model_reference(model), settings)
        self._device = choose_torch_device(settings)
        dtype = torch.float16 if self._device.startswith("cuda") else torch.float32
        self._image_processor = AutoImageProcessor.from_pretrained(folder, trust_remote_code=False)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        network = VisionEncoderDecoderModel.from_pretrained(folder, dtype=dtype)
        self._network = network.eval().to(self._device)

    def read(self, image: Image) -> Page:
        """Return the lines of an upright image; words have boxes where RapidOCR sees as many."""
        pixels = stretch_contrast(np.ascontiguousarray(image.pixels[:, :, ::-1]))
        lines = self.read_lines(pixels)
        crops = [
            crop_quad(pixels, np.asarray(line.corners, np.float32), keep_height=True)
            for line in lines
        ]
        starts = range(0, len(crops), LINES_PER_BATCH)
        batches = (crops[start : start + LINES_PER_BATCH] for start in starts)
        readings = [reading for batch in batches for reading in self.recognize_lines(batch)]
        handwritten = [
            Line(line.corners, text, score, _match_words(line, text, score), line.ink_corners)
            for line, (text, score) in zip(lines, readings, strict=True)
            if text
        ]
        return Page(image.size, tuple(sort_lines(handwritten)))

    def recognize_lines(self, crops: Sequence[Pixels]) -> list[tuple[str, float]]:
        """Return (text, mean probability of its tokens) of lines, given as BGR pixels."""
        import torch

        images = [Pillow.fromarray(np.ascontiguousarray(crop[:, :, ::-1])) for crop in crops]
        inputs = self._image_processor(images=images, return_tensors="pt")
        with torch.inference_mode():
            output = self._network.generate(
                inputs.pixel_values.to(self._device, self._network.dtype),
                num_beams=1,
                do_sample=False,
                output_scores=True,
                return_dict_in_generate=True,
            )
        texts = self._tokenizer.batch_decode(output.sequences, skip_special_tokens=True)
        scores = self._mean_probabilities(output)
        return list(zip((text.strip() for text in texts), scores, strict=True))

    def _mean_probabilities(self, output: Any) -> list[float]:
        """Return the mean probability of each row's tokens, without the padding after its end."""
        probabilities = self._network.compute_transition_scores(
            output.sequences, output.scores, normalize_logits=True
        ).exp()
        tokens = output.sequences[:, -probabilities.shape[1] :]
        is_token = tokens != self._network.generation_config.pad_token_id
        totals = (probabilities * is_token).sum(1) / is_token.sum(1).clamp(min=1)
        return [float(total) for total in totals]


def _match_words(line: Line, text: str, score: float) -> list[Word]:
    """Give TrOCR's words the boxes of RapidOCR's, if there are as many of them."""
    words = text.split()
    if len(words) != len(line.words):
        return []
    return [Word(box.corners, word, score) for box, word in zip(line.words, words, strict=True)]


def _model_reference(model: str) -> hub.ModelReference:
    return hub.ModelReference(model, "OCR_TROCR_MODEL", Path(model))
