"""TrOCR, by transformers: reads handwriting on the lines that RapidOCR finds."""

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from backends._inference.device import choose_torch_device
from backends._transformers import hub
from backends.ocr.engines.rapidocr import RapidEngine
from backends.ocr.layout.page import Line, Page, Word
from backends.ocr.layout.quad import Pixels, crop, stretched
from backends.ocr.layout.reading_order import in_order
from shared.backend.installation import extra_command
from shared.errors import ModelError
from shared.media.image import Image
from shared.settings import Settings

NEEDS = ("torch", "transformers")
# Lines of one page that are read together.
BATCH = 8


def weights(model: str, settings: Settings) -> Iterable[Path]:
    """The files of a folder or of a name on the hub; ModelError if they cannot be had."""
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelError(
            f'The OCR engine "trocr" needs {" and ".join(missing)}: install the extra,'
            f" e.g. {extra_command('trocr')}"
        )
    return hub.find_files(_wanted(model), settings)


class TrocrEngine(RapidEngine):
    """A transformers VisionEncoderDecoderModel with its image processor and its tokenizer."""

    def __init__(self, model: str, settings: Settings) -> None:
        import torch
        from transformers import AutoImageProcessor, AutoTokenizer, VisionEncoderDecoderModel

        super().__init__(settings.engine)
        folder = hub.find_folder(_wanted(model), settings)
        self._device = choose_torch_device(settings)
        kind = torch.float16 if self._device.startswith("cuda") else torch.float32
        self._pixels = AutoImageProcessor.from_pretrained(folder, trust_remote_code=False)
        self._tokens = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        network = VisionEncoderDecoderModel.from_pretrained(folder, dtype=kind)
        self._network = network.eval().to(self._device)

    def read(self, image: Image) -> Page:
        """The lines of an upright image. The words' boxes are RapidOCR's, if it saw as many."""
        pixels = stretched(np.ascontiguousarray(image.pixels[:, :, ::-1]))
        found = self.lines(pixels)
        cuts = [crop(pixels, np.asarray(line.corners, np.float32), tall=True) for line in found]
        starts = range(0, len(cuts), BATCH)
        read = [said for start in starts for said in self.say(cuts[start : start + BATCH])]
        lines = [
            Line(line.corners, text, score, _words(line, text, score), line.ink)
            for line, (text, score) in zip(found, read, strict=True)
            if text
        ]
        return Page(image.size, tuple(in_order(lines)))

    def say(self, cuts: Sequence[Pixels]) -> list[tuple[str, float]]:
        """(text, mean probability of its tokens) of lines, as BGR pixels."""
        import torch

        images = [Pillow.fromarray(np.ascontiguousarray(cut[:, :, ::-1])) for cut in cuts]
        given = self._pixels(images=images, return_tensors="pt")
        with torch.inference_mode():
            made = self._network.generate(
                given.pixel_values.to(self._device, self._network.dtype),
                num_beams=1,
                do_sample=False,
                output_scores=True,
                return_dict_in_generate=True,
            )
        texts = self._tokens.batch_decode(made.sequences, skip_special_tokens=True)
        return list(zip((text.strip() for text in texts), self._scores(made), strict=True))

    def _scores(self, made: Any) -> list[float]:
        """The mean probability of each row's tokens, those after its end apart."""
        chances = self._network.compute_transition_scores(
            made.sequences, made.scores, normalize_logits=True
        ).exp()
        said = (
            made.sequences[:, -chances.shape[1] :] != self._network.generation_config.pad_token_id
        )
        totals = (chances * said).sum(1) / said.sum(1).clamp(min=1)
        return [float(total) for total in totals]


def _words(line: Line, text: str, score: float) -> list[Word]:
    parts = text.split()
    if len(parts) != len(line.words):
        return []
    return [Word(word.corners, part, score) for word, part in zip(line.words, parts, strict=True)]


def _wanted(model: str) -> hub.ModelReference:
    return hub.ModelReference(model, "OCR_TROCR_MODEL", Path(model))
