"""SAM's mask decoder with the library's weights, arranged so that a further click costs little.

The libraries keep maps of channels and turn them into tokens and back, and project the image anew
for each click. Here the tokens of the image stay tokens up to the mask, what depends on the image
alone is computed once (`TokenEncoder`, `TokenProjection`), and the last attention projects what is
asked, not the image. The sums are the library's, in another order.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from backends.segment.models.prompt_tokens import PromptTokens
from backends.segment.models.two_way_layers import (
    LastAttention,
    TwoWayLayer,
    image_projection,
    to_tokens,
)
from backends.segment.models.upscaling import Upscaling, to_blocks, upscaling_parts


class TokenEncoder(nn.Module):
    """Maps an image to the tokens of its features, as the decoder takes them.

    That is (1, t, c), and in SAM 2 the larger maps in the order of the tokens (1, t, 4 …),
    (1, 4 t, 4 …). What is stored of an image is arranged once, not for the first click on it.
    """

    def __init__(self, encoder: Any) -> None:
        """Take what gives the features (1, c, h, w), then those of the full and half resolution."""
        super().__init__()
        self.encoder = encoder

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        features, *larger = self.encoder(image)
        height, width = features.shape[2:]
        maps = []
        for folds, level in zip((1, 2), larger[::-1], strict=False):
            maps.append(to_blocks(level, height, width, folds))
        return (to_tokens(features), *maps)


class TokenProjection(nn.Module):
    """Maps the tokens of an image to what every click on it needs.

    That is the tokens beside their keys, values and queries in the first layer (1, t, c + 3 d).
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, decoder: Any, positions: Tensor) -> None:
        """Take a library's decoder, and the positions of the tokens (1, c, h, w)."""
        super().__init__()
        weight, bias = image_projection(decoder.transformer.layers[0], to_tokens(positions))
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, tokens: Tensor) -> Tensor:
        projected = functional.linear(tokens, self.weight) + self.bias
        return torch.cat([tokens, projected], 2)


class MaskDecoder(nn.Module):
    """Maps projected tokens, larger maps, points, labels and an earlier mask to masks and scores.

    `earlier` (1, 1, m, m) are the logits of the mask before, for all objects; `has_earlier` (1,)
    is 0 where there is none. With `multimask` the masks are those of a single click, else one.
    """

    output_tokens: Tensor
    positions: Tensor

    def __init__(
        self, decoder: Any, tokens: PromptTokens, prompts: Any, positions: Tensor, multimask: bool
    ) -> None:
        """Take the decoder of a library, its encoder of prompts, and the positions (1, c, h, w)."""
        super().__init__()
        self.tokens, self.multimask = tokens, multimask
        self.grid = positions.shape[2], positions.shape[3]
        scored = getattr(decoder, "obj_score_token", None)
        rows = [decoder.iou_token.weight, decoder.mask_tokens.weight]
        self.first_output = int(scored is not None)
        output_tokens = torch.cat([scored.weight, *rows] if scored is not None else rows)
        self.register_buffer("output_tokens", output_tokens.detach()[None])
        self.register_buffer("positions", to_tokens(positions))
        layers = decoder.transformer.layers
        self.earlier = EarlierMask(prompts, image_projection(layers[0], self.positions)[0])
        self.layers = nn.ModuleList(
            TwoWayLayer(layer, self.positions, is_first=layer is layers[0]) for layer in layers
        )
        self.last = LastAttention(decoder.transformer, self.positions)
        self.upscaling = Upscaling(upscaling_parts(decoder))
        self.hypernetworks = decoder.output_hypernetworks_mlps
        self.score = decoder.iou_prediction_head
        is_dynamic = bool(getattr(decoder, "dynamic_multimask_via_stability", False))
        self.stability: tuple[float, float] | None = None
        if is_dynamic and not multimask:
            delta = decoder.dynamic_multimask_stability_delta
            self.stability = delta, decoder.dynamic_multimask_stability_thresh

    def forward(self, image: Tensor, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        *larger, points, labels, earlier, has_earlier = inputs
        prompts = self.tokens(points, labels)
        output_tokens = self.output_tokens.expand(prompts.shape[0], -1, -1)
        start = torch.cat([output_tokens, prompts], 1)
        channels = start.shape[2]
        first = image + self.earlier(earlier, has_earlier)
        keys, projected = first[..., :channels], first[..., channels:]
        queries = start
        for layer in self.layers:
            queries, keys = layer(queries, keys, start, projected)
        chosen = self._choose()
        wanted = [self.first_output, *(self.first_output + 1 + number for number in chosen)]
        found = self.last(queries[:, wanted], start[:, wanted], keys)
        scores = self.score(found[:, 0])[:, chosen]
        vectors = [self.hypernetworks[one](found[:, 1 + at]) for at, one in enumerate(chosen)]
        masks = self._unfold(torch.stack(vectors, 1) @ self.upscaling(keys, larger).transpose(1, 2))
        return self._stable(masks, scores) if self.stability else (masks, scores)

    def _choose(self) -> list[int]:
        """Return the masks of the network that are wanted."""
        count = len(self.hypernetworks)
        if self.multimask:
            return list(range(1, count))
        return list(range(count)) if self.stability else [0]

    def _unfold(self, masks: Tensor) -> Tensor:
        """Return masks (n, m, 16 t) with their pixels in rows."""
        height, width = self.grid
        objects, count = masks.shape[0], len(self._choose())
        blocks = masks.reshape(-1, width, 2, 2, 2, 2).permute(0, 2, 4, 1, 3, 5)
        return blocks.reshape(objects, count, 4 * height, 4 * width)

    def _stable(self, masks: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first mask, or the best of the others where it depends on the threshold."""
        assert self.stability is not None
        delta, threshold = self.stability
        flat = masks[:, :1].flatten(2)
        inner = (flat > delta).float().sum(2)
        outer = (flat > -delta).float().sum(2)
        stability = torch.where(outer > 0, inner / outer.clamp(min=1), torch.ones_like(outer))
        is_stable = stability >= threshold
        best = scores[:, 1:].argmax(1, keepdim=True)
        other_scores = scores[:, 1:].gather(1, best)
        index = best[..., None, None].expand(-1, -1, masks.shape[2], masks.shape[3])
        others = masks[:, 1:].gather(1, index)
        return (
            torch.where(is_stable[..., None, None], masks[:, :1], others),
            torch.where(is_stable, scores[:, :1], other_scores),
        )


class EarlierMask(nn.Module):
    """Maps the mask before to what it adds to the tokens of the image, and to their projections."""

    weight: Tensor

    def __init__(self, prompts: Any, projection: Tensor) -> None:
        super().__init__()
        embedding = getattr(prompts, "mask_downscaling", None)
        if embedding is not None:
            *parts, last = embedding
        else:
            own = prompts.mask_embed
            parts = [own.conv1, own.layer_norm1, own.activation]
            parts += [own.conv2, own.layer_norm2, own.activation]
            last = own.conv3
        self.shrink = nn.Sequential(*parts)
        # A mask's channels, that there is one, and that there is none.
        none = prompts.no_mask_embed.weight.reshape(-1, 1)
        columns = torch.cat([last.weight.flatten(1), last.bias[:, None], none], 1).detach()
        # Positions and biases are added once, with the image.
        self.register_buffer("weight", torch.cat([columns, projection @ columns]))

    def forward(self, earlier: Tensor, has_earlier: Tensor) -> Tensor:
        given = has_earlier.reshape(1, 1, 1).to(earlier.dtype)
        tokens = to_tokens(self.shrink(earlier)) * given
        kinds = torch.cat([given, 1 - given], 2).expand(-1, tokens.shape[1], -1)
        return functional.linear(torch.cat([tokens, kinds], 2), self.weight)
