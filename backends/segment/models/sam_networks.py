"""The two parts of a SAM, as torch modules with the same inputs and outputs in all families.

`Encoder` maps the prepared image (1, 3, side, side) to features. `Decoder` maps these and the
prompts of n objects to mask logits (n, masks, h, w) and their expected IoU (n, masks).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

# Labels of points: their places in the table of embeddings.
NO_POINT, NEGATIVE, POSITIVE, FIRST_CORNER, LAST_CORNER = range(5)


class PromptTokens(nn.Module):
    """Embeds points and the corners of boxes, in pixels of the square."""

    frequencies: Tensor
    table: Tensor

    def __init__(self, frequencies: Tensor, table: Sequence[Tensor], side: int) -> None:
        """Take the frequencies of the positions (2, c / 2), and a vector for each label."""
        super().__init__()
        self.register_buffer("frequencies", frequencies.detach().clone())
        self.register_buffer("table", torch.stack([row.detach().reshape(-1) for row in table]))
        self.side = side

    def forward(self, points: Tensor, labels: Tensor) -> Tensor:
        """Map points (n, p, 2) and labels (n, p) to tokens (n, p, c)."""
        angles = (2 * ((points + 0.5) / self.side) - 1) @ self.frequencies * (2 * math.pi)
        positions = torch.cat([angles.sin(), angles.cos()], -1)
        is_point = (labels != NO_POINT).unsqueeze(-1)
        return positions * is_point.to(positions.dtype) + self.table[labels]


class SamDecoder(nn.Module, ABC):
    """Maps features, points, labels and an earlier mask to masks and scores.

    `earlier` (1, 1, m, m) are the logits of the mask before, for all objects; `has_earlier` (1,)
    is 0 where there is none. A subclass calls its library's decoder.
    """

    positions: Tensor
    no_mask: Tensor

    def __init__(self, tokens: PromptTokens, prompt_encoder: Any, positions: Tensor) -> None:
        super().__init__()
        self.tokens = tokens
        self.register_buffer("positions", positions.detach().clone())
        no_mask = prompt_encoder.no_mask_embed.weight.detach()
        self.register_buffer("no_mask", no_mask.reshape(1, -1, 1, 1))
        self.embed_mask = getattr(prompt_encoder, "mask_downscaling", None) or (
            prompt_encoder.mask_embed
        )

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        *features, points, labels, earlier, has_earlier = inputs
        given = has_earlier.reshape(1, 1, 1, 1).to(earlier.dtype)
        dense = given * self.embed_mask(earlier) + (1 - given) * self.no_mask
        return self.decode(features, self.tokens(points, labels), dense)

    @abstractmethod
    def decode(
        self, features: Sequence[Tensor], sparse: Tensor, dense: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return masks and scores by the library's decoder."""


# Ultralytics


class UltralyticsEncoder(nn.Module):
    """SAM and MobileSAM: one map of features; SAM 2: that and two larger ones."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.is_sam2 = hasattr(network, "sam_mask_decoder")

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        if not self.is_sam2:
            return (self.network.image_encoder(image),)
        levels = list(self.network.forward_image(image)["backbone_fpn"][-3:])
        levels[-1] = levels[-1] + self.network.no_mem_embed.reshape(1, -1, 1, 1)
        return (levels[-1], levels[0], levels[1])


class UltralyticsDecoder(SamDecoder):
    """The decoder of SAM, MobileSAM or SAM 2."""

    def __init__(self, network: Any, side: int, multimask: bool) -> None:
        self.is_sam2 = hasattr(network, "sam_mask_decoder")
        prompts = network.sam_prompt_encoder if self.is_sam2 else network.prompt_encoder
        rows = [prompts.not_a_point_embed, *prompts.point_embeddings]
        matrix = prompts.pe_layer.positional_encoding_gaussian_matrix
        tokens = PromptTokens(matrix, [row.weight for row in rows], side)
        super().__init__(tokens, prompts, prompts.get_dense_pe())
        self.decoder = network.sam_mask_decoder if self.is_sam2 else network.mask_decoder
        self.multimask = multimask

    def decode(
        self, features: Sequence[Tensor], sparse: Tensor, dense: Tensor
    ) -> tuple[Tensor, Tensor]:
        options: dict[str, Any] = {}
        if self.is_sam2:
            options = {"repeat_image": True, "high_res_features": list(features[1:])}
        masks, scores, *_ = self.decoder(
            image_embeddings=features[0],
            image_pe=self.positions,
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=self.multimask,
            **options,
        )
        return masks, scores


# transformers


class TransformersEncoder(nn.Module):
    """SAM, SAM-HQ, SAM 2 or SAM 3's tracker."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        if hasattr(self.network, "no_memory_embedding"):
            large, larger_half, features = self.network.get_image_embeddings(image)
            return (features, large, larger_half)
        found = self.network.vision_encoder(image)
        inner = getattr(found, "intermediate_embeddings", None)
        return (found.last_hidden_state, *([inner[0]] if inner else []))


class TransformersDecoder(SamDecoder):
    """The decoder of SAM, SAM-HQ, SAM 2 or SAM 3's tracker."""

    def __init__(self, network: Any, side: int, multimask: bool) -> None:
        prompts = network.prompt_encoder
        points = prompts.point_embed
        kinds = [kind.weight for kind in points] if isinstance(points, nn.ModuleList) else None
        rows = [prompts.not_a_point_embed.weight, *(kinds or points.weight)]
        tokens = PromptTokens(prompts.shared_embedding.positional_embedding, rows, side)
        super().__init__(tokens, prompts, network.get_image_wide_positional_embeddings())
        self.decoder = network.mask_decoder
        self.is_sam2 = hasattr(network, "no_memory_embedding")
        self.is_hq = hasattr(self.decoder, "hq_token")
        self.multimask = multimask

    def decode(
        self, features: Sequence[Tensor], sparse: Tensor, dense: Tensor
    ) -> tuple[Tensor, Tensor]:
        options: dict[str, Any] = {}
        if self.is_sam2:
            options = {"high_resolution_features": list(features[1:])}
        elif self.is_hq:
            options = {"hq_token_only": False, "intermediate_embeddings": list(features[1:])}
        masks, scores, *_ = self.decoder(
            image_embeddings=features[0],
            image_positional_embeddings=self.positions,
            sparse_prompt_embeddings=sparse.unsqueeze(0),
            dense_prompt_embeddings=dense,
            multimask_output=self.multimask,
            **options,
        )
        return masks[0], scores[0]
