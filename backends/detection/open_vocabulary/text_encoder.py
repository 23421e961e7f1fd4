"""The text encoders that networks for boxes were trained with: CLIP's, and MobileCLIP's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backends._transformers.hub import FILE_PATTERNS, ModelReference, find_folder, list_files
from shared.backend.extras import require
from shared.errors import ModelError
from shared.settings import Settings

EXTRA = "open-vocabulary"
SETTING = "DETECTION_TEXT_ENCODER"
# MobileCLIP is published as TorchScript, such as mobileclip_blt.ts.
PATTERNS = (*FILE_PATTERNS, "*.ts")
# Tokens that CLIP reads of a text, and texts that it gets at once.
CONTEXT_TOKENS = 77
BATCH_WORDS = 64

Floats = NDArray[np.float32]


class TextEncoder(Protocol):
    """Turns words into embeddings of length 1, shape (words, dimensions)."""

    def encode(self, words: Sequence[str]) -> Floats:
        """Return the embedding of each word."""


def encoder_folder(name: str, settings: Settings) -> Path:
    """Return the folder of the encoder, after downloading it if the hub has it."""
    reference = ModelReference(name, SETTING, Path(), PATTERNS)
    return find_folder(reference, settings)


def encoder_files(name: str, settings: Settings) -> Sequence[Path]:
    """Return its files; none if no encoder is named."""
    return list(list_files(encoder_folder(name, settings), PATTERNS)) if name else []


def load_text_encoder(name: str, settings: Settings) -> TextEncoder | None:
    """Load the encoder that DETECTION_TEXT_ENCODER names; None if it names none.

    Raises:
        ModelError: a file is missing; the message says which.
    """
    if not name:
        return None
    transformers: Any = require("transformers", EXTRA)
    folder = encoder_folder(name, settings)
    _require_file(folder, ("tokenizer.json", "vocab.json"), "CLIP's tokenizer")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    scripts = sorted(folder.glob("*.ts"))
    if scripts:
        import torch

        return ScriptedTextEncoder(tokenizer, torch.jit.load(scripts[0], map_location="cpu").eval())
    _require_file(folder, ("model.safetensors",), "the weights")
    _require_file(folder, ("config.json",), "their description")
    reader = transformers.CLIPTextModelWithProjection
    model = reader.from_pretrained(folder, use_safetensors=True, dtype="float32")
    return ClipTextEncoder(tokenizer, model.eval())


def _require_file(folder: Path, names: Sequence[str], what: str) -> None:
    if not any((folder / name).is_file() for name in names):
        raise ModelError(
            f"{SETTING}: {folder.name} lacks {' or '.join(names)} ({what}); it should be a folder"
            " such as that of openai/clip-vit-base-patch32, or a tokenizer beside mobileclip_blt.ts"
        )


@dataclass(frozen=True)
class ClipTextEncoder:
    """CLIP's text encoder of transformers."""

    tokenizer: Any
    model: Any

    def encode(self, words: Sequence[str]) -> Floats:
        """Return the embedding of each word."""
        import torch

        limit = min(CONTEXT_TOKENS, int(self.model.config.max_position_embeddings))
        parts = []
        for start in range(0, len(words), BATCH_WORDS):
            batch = list(words[start : start + BATCH_WORDS])
            inputs = self.tokenizer(
                batch, padding=True, truncation=True, max_length=limit, return_tensors="pt"
            )
            with torch.inference_mode():
                embeddings = self.model(
                    input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]
                ).text_embeds
            parts.append(torch.nn.functional.normalize(embeddings, dim=-1).numpy())
        joined: Floats = np.concatenate(parts)
        return joined


@dataclass(frozen=True)
class ScriptedTextEncoder:
    """MobileCLIP's text encoder: 77 tokens, 0 after the last one, to an embedding."""

    tokenizer: Any
    script: Any

    def encode(self, words: Sequence[str]) -> Floats:
        """Return the embedding of each word."""
        import torch

        tokens = torch.zeros((len(words), CONTEXT_TOKENS), dtype=torch.int32)
        rows = self.tokenizer(list(words), truncation=True, max_length=CONTEXT_TOKENS)["input_ids"]
        for place, row in enumerate(rows):
            tokens[place, : len(row)] = torch.tensor(row)
        with torch.inference_mode():
            parts = [self.script(batch).float() for batch in tokens.split(BATCH_WORDS)]
        embeddings: Floats = torch.nn.functional.normalize(torch.cat(parts), dim=-1).numpy()
        return embeddings
