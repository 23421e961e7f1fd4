"""Grounding DINO on PyTorch: the network of transformers, which reads each text once."""

from collections.abc import Sequence
from typing import Any

import torch
from cachetools import LRUCache

from backends.detection.model.transformers_model import LoadedModel
from backends.detection.open_vocabulary.grounding_outputs import Outputs
from backends.detection.open_vocabulary.grounding_tables import KEPT_TEXTS
from shared.media.image import Image


class TorchRunner:
    """The whole network on a device."""

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded = loaded
        model = loaded.network.model
        if not isinstance(model.text_backbone, KeptTextEncoder):  # a conversion was compared
            model.text_backbone = KeptTextEncoder(model.text_backbone)
        self.name = f"PyTorch on {loaded.device}"

    def run(self, images: Sequence[Image], texts: Sequence[tuple[int, ...]]) -> list[Outputs]:
        """Return the outputs for each text, of images of one size."""
        inputs = self._loaded.prepare_images(images)
        found = []
        for text in texts:
            tokens = torch.tensor([text], device=self._loaded.device).expand(len(images), -1)
            with torch.inference_mode():
                outputs = self._loaded.network(
                    input_ids=tokens, attention_mask=torch.ones_like(tokens), **inputs
                )
            scores = outputs.logits[..., : len(text)].float().sigmoid()
            found.append(Outputs(scores.cpu().numpy(), outputs.pred_boxes.float().cpu().numpy()))
        return found


class KeptTextEncoder(torch.nn.Module):
    """A text encoder that reads each text once. All rows of a batch have the same text."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self._kept: LRUCache[tuple[int, ...], torch.Tensor] = LRUCache(KEPT_TEXTS)

    def forward(
        self, input_ids: torch.Tensor, mask: torch.Tensor, *others: Any, **options: Any
    ) -> Any:
        """Return the encoder's output for the text, for each row of the batch."""
        from transformers.modeling_outputs import BaseModelOutput

        key = tuple(input_ids[0].tolist())
        kept = self._kept.get(key)
        if kept is None:
            first = [one[:1] if isinstance(one, torch.Tensor) else one for one in others]
            kept = self.encoder(input_ids[:1], mask[:1], *first, **options)[0]
            self._kept[key] = kept
        return BaseModelOutput(last_hidden_state=kept.expand(len(input_ids), -1, -1))
