"""Grounding DINO in two parts for an engine: the backbone, and what mixes image and text."""

import copy
from typing import Any

import torch

from backends.detection.open_vocabulary.grounding_attention import (
    DeformableAttention,
    FusedAttention,
)

EPSILON = 1e-5  # transformers' for the inverse of a sigmoid


class GroundingBackbone(torch.nn.Module):
    """Maps the pixels of an image (1, 3, height, width) to feature maps, the finest first."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        model = network.model
        self.backbone = model.backbone.conv_encoder.model
        self.projections = model.input_proj_vision

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Do what `GroundingDinoModel` does before it knows of a text."""
        seen = self.backbone(pixels, return_dict=True).feature_maps
        maps: list[torch.Tensor] = []
        for level, projection in enumerate(self.projections):
            source = seen[min(level, len(seen) - 1)] if level <= len(seen) else maps[-1]
            maps.append(projection(source))
        return tuple(maps)


class GroundingMixer(torch.nn.Module):
    """Maps an image's features and a text to the logits of queries and tokens, and to boxes.

    What depends on the sizes of feature maps or on the text alone is an input: see
    `grounding_tables`.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.model, self.config = network.model, network.config
        # Copies, whose attentions are replaced.
        self.encoder = copy.deepcopy(network.model.encoder.layers)
        self.decoder = copy.deepcopy(network.model.decoder)
        for layer in self.encoder:
            layer.fusion_layer.attn = FusedAttention(layer.fusion_layer.attn)
            layer.deformable_layer.self_attn = DeformableAttention(layer.deformable_layer.self_attn)
        for layer in self.decoder.layers:
            layer.encoder_attn = DeformableAttention(layer.encoder_attn)
        self.box_head, self.class_head = network.bbox_embed[-1], network.class_embed[-1]

    def forward(
        self,
        image: torch.Tensor,
        positions: torch.Tensor,
        places: torch.Tensor,
        proposals: torch.Tensor,
        levels: torch.Tensor,
        text: torch.Tensor,
        text_positions: torch.Tensor,
        text_mask: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Do what `GroundingDinoForObjectDetection` does with features."""
        for layer in self.encoder:
            (image, _), (text, _) = layer.fusion_layer(image, text)
            text, _ = layer.text_enhancer_layer(text, text_mask, text_positions)
            image, _ = layer.deformable_layer(
                image, None, positions, reference_points=places, spatial_shapes=levels
            )
        queries, boxes = self._propose(image, text, proposals)
        return self._decode(queries, boxes, image, text, levels)

    def _propose(
        self, image: torch.Tensor, text: torch.Tensor, proposals: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the queries (1, queries, dimensions), and their boxes (queries, 4)."""
        model = self.model
        inside = proposals[:, 4:]
        objects = model.enc_output_norm(model.enc_output(image[0] * inside))
        scores = self._compare(model.encoder_output_class_embed, objects, text).amax(-1)
        best = scores.topk(self.config.num_queries)[1]
        chosen = objects.index_select(0, best)
        logits = model.encoder_output_bbox_embed(chosen) + proposals[:, :4].index_select(0, best)
        if self.config.embedding_init_target:
            chosen = model.query_position_embeddings.weight
        return chosen[None], logits.sigmoid()

    def _decode(
        self,
        queries: torch.Tensor,
        boxes: torch.Tensor,
        image: torch.Tensor,
        text: torch.Tensor,
        levels: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        decoder = self.decoder
        for layer, box_head in zip(decoder.layers, decoder.bbox_embed, strict=True):
            before = boxes
            positions = decoder.reference_points_head(self._encode_boxes(boxes))[None]
            [queries] = layer(
                queries,
                positions,
                boxes,
                levels,
                vision_encoder_hidden_states=image,
                text_encoder_hidden_states=text,
            )
            boxes = (box_head(queries[0]) + _logit(boxes)).sigmoid()
        queries = decoder.layer_norm(queries)
        boxes = (self.box_head(queries[0]) + _logit(before)).sigmoid()
        return self._compare(self.class_head, queries[0], text), boxes

    def _encode_boxes(self, boxes: torch.Tensor) -> torch.Tensor:
        """Return the sines and cosines of y, x, width and height."""
        half = self.config.d_model // 2
        steps = torch.div(torch.arange(half, dtype=torch.float32), 2, rounding_mode="floor")
        factors = 2 * torch.pi / 10000 ** (2 * steps / half)
        angles = boxes[:, [1, 0, 2, 3], None] * factors
        pairs = torch.stack((angles[..., 0::2].sin(), angles[..., 1::2].cos()), dim=-1)
        return pairs.flatten(1)

    def _compare(self, head: Any, objects: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """Return the logits (objects, tokens) of a contrastive head, without its padding."""
        likenesses = objects @ text[0].T
        if hasattr(head, "bias"):  # MM-Grounding-DINO
            likenesses = likenesses / objects.shape[-1] ** 0.5 + head.bias
        return likenesses


def _logit(fractions: torch.Tensor) -> torch.Tensor:
    fractions = fractions.clamp(EPSILON, 1 - EPSILON)
    return torch.log(fractions / (1 - fractions))
