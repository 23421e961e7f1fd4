"""The parts of a SAM as torch modules with the same inputs and outputs in all families.

An encoder maps the prepared image (1, 3, side, side) to features; in all families but SAM-HQ these
are arranged by a `TokenEncoder`, and the first are projected by a `TokenProjection`. A decoder maps
them and the prompts of n objects to mask logits (n, masks, h, w) and their expected IoU (n, masks).
"""

from typing import Any

from torch import Tensor, nn

from backends.segment.models.mask_decoder import MaskDecoder, TokenProjection
from backends.segment.models.prompt_tokens import PromptTokens

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


def ultralytics_projection(network: Any) -> TokenProjection:
    """Return what projects the tokens of an image of SAM, MobileSAM or SAM 2."""
    decoder, prompts = _ultralytics_parts(network)
    return TokenProjection(decoder, prompts.get_dense_pe())


def ultralytics_decoder(network: Any, side: int, multimask: bool) -> MaskDecoder:
    """Return the decoder of SAM, MobileSAM or SAM 2."""
    decoder, prompts = _ultralytics_parts(network)
    rows = [prompts.not_a_point_embed, *prompts.point_embeddings]
    matrix = prompts.pe_layer.positional_encoding_gaussian_matrix
    tokens = PromptTokens(matrix, [row.weight for row in rows], side)
    return MaskDecoder(decoder, tokens, prompts, prompts.get_dense_pe(), multimask)


def _ultralytics_parts(network: Any) -> tuple[Any, Any]:
    if hasattr(network, "sam_mask_decoder"):
        return network.sam_mask_decoder, network.sam_prompt_encoder
    return network.mask_decoder, network.prompt_encoder


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


def transformers_projection(network: Any) -> TokenProjection:
    """Return what projects the tokens of an image of SAM, SAM 2 or SAM 3's tracker."""
    return TokenProjection(network.mask_decoder, network.get_image_wide_positional_embeddings())


def transformers_decoder(network: Any, side: int, multimask: bool) -> nn.Module:
    """Return the decoder of SAM, SAM-HQ, SAM 2 or SAM 3's tracker."""
    prompts = network.prompt_encoder
    points = prompts.point_embed
    kinds = [kind.weight for kind in points] if isinstance(points, nn.ModuleList) else None
    rows = [prompts.not_a_point_embed.weight, *(kinds or points.weight)]
    tokens = PromptTokens(prompts.shared_embedding.positional_embedding, rows, side)
    positions = network.get_image_wide_positional_embeddings()
    if hasattr(network.mask_decoder, "hq_token"):
        return HqDecoder(network, tokens, positions, multimask)
    return MaskDecoder(network.mask_decoder, tokens, prompts, positions, multimask)


class HqDecoder(nn.Module):
    """The decoder of SAM-HQ, called as the library's: its masks are made of two maps."""

    positions: Tensor
    no_mask: Tensor

    def __init__(
        self, network: Any, tokens: PromptTokens, positions: Tensor, multimask: bool
    ) -> None:
        super().__init__()
        self.tokens, self.multimask = tokens, multimask
        self.decoder = network.mask_decoder
        self.embed_mask = network.prompt_encoder.mask_embed
        self.register_buffer("positions", positions.detach().clone())
        no_mask = network.prompt_encoder.no_mask_embed.weight.detach()
        self.register_buffer("no_mask", no_mask.reshape(1, -1, 1, 1))

    def forward(self, features: Tensor, inner: Tensor, *prompts: Tensor) -> tuple[Tensor, Tensor]:
        """Take the inputs of `MaskDecoder`, with two maps of features for tokens."""
        points, labels, earlier, has_earlier = prompts
        given = has_earlier.reshape(1, 1, 1, 1).to(earlier.dtype)
        masks, scores, *_ = self.decoder(
            image_embeddings=features,
            image_positional_embeddings=self.positions,
            sparse_prompt_embeddings=self.tokens(points, labels).unsqueeze(0),
            dense_prompt_embeddings=given * self.embed_mask(earlier) + (1 - given) * self.no_mask,
            multimask_output=self.multimask,
            hq_token_only=False,
            intermediate_embeddings=[inner],
        )
        return masks[0], scores[0]
