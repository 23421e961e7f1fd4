"""The attentions of Grounding DINO, computed in fewer steps: the same sums in another order.

They take the places of transformers' modules in a network that is converted, whose arguments they
have. All are for one image and one text without padding.
"""

from collections.abc import Sequence
from typing import Any

import torch

# Rows of a table of levels, each with a number for every level and point: see `level_table`.
WIDTH, LAST_X, HEIGHT, LAST_Y, START, RIGHT, DOWN, NEXT_X, NEXT_Y = range(9)
# The pixels around a place, from its upper left one: whether they are one further right, or down.
CORNERS = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
# In place of 1: no pixel is so far off, so that one which does not exist weighs nothing.
NOWHERE = 1e6


def level_table(sizes: Sequence[tuple[int, int]], heads: int, points: int) -> torch.Tensor:
    """Return what `DeformableAttention` knows of levels (height, width): (9, levels * points).

    Indices count the rows of its values, one for each pixel and head.
    """
    columns, start = [], 0
    for height, width in sizes:
        wide, high = width > 1, height > 1
        column: list[float] = [width, max(width - 2, 0), height, max(height - 2, 0), start * heads]
        column += [wide * heads, high * width * heads]
        column += [1 if wide else NOWHERE, 1 if high else NOWHERE]
        columns += [column] * points
        start += height * width
    return torch.tensor(columns, dtype=torch.float32).T.contiguous()


class DeformableAttention(torch.nn.Module):
    """Multi-scale deformable attention: for each query and head one weighted sum of pixels.

    The library samples each level in an array of its own, weighs all and adds them up. Here the
    four pixels around each sampled place, with their weights, are a bag of an `embedding_bag`.
    """

    heads_in_order: torch.Tensor
    corners: torch.Tensor

    def __init__(self, original: Any) -> None:
        super().__init__()
        self.heads, self.points = original.n_heads, original.n_points
        self.value_proj, self.output_proj = original.value_proj, original.output_proj
        self.queries_proj = _x_before_y(original)
        self.register_buffer("heads_in_order", torch.arange(self.heads).float()[:, None])
        self.register_buffer("corners", torch.tensor(CORNERS).T[:, :, None])

    def forward(
        self,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        reference_points: torch.Tensor,
        spatial_shapes: torch.Tensor,
        position_embeddings: torch.Tensor | None = None,
        **others: Any,
    ) -> tuple[torch.Tensor, None]:
        """Return the attention for queries (1, queries, dimensions).

        `reference_points` (queries, 2 or 4) are places, or boxes, as fractions of the image;
        `spatial_shapes` is a table of levels.
        """
        if position_embeddings is not None:
            hidden_states = hidden_states + position_embeddings
        across, down, weights = self._split(self.queries_proj(hidden_states[0]))
        if reference_points.shape[-1] == 4:
            half = 0.5 / self.points
            across = across * (reference_points[:, 2, None, None] * half * spatial_shapes[WIDTH])
            down = down * (reference_points[:, 3, None, None] * half * spatial_shapes[HEIGHT])
        across = across + (reference_points[:, 0, None, None] * spatial_shapes[WIDTH] - 0.5)
        down = down + (reference_points[:, 1, None, None] * spatial_shapes[HEIGHT] - 0.5)
        values = self.value_proj(encoder_hidden_states[0])
        found = self._sum_pixels(values, across, down, weights.softmax(-1), spatial_shapes)
        return self.output_proj(found)[None], None

    def _split(self, projected: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return x and y of offsets in pixels, and weights: each (queries, heads, samples)."""
        samples = projected.shape[-1] // (3 * self.heads)
        parts = projected.split(self.heads * samples, dim=-1)
        return tuple(part.reshape(-1, self.heads, samples) for part in parts)

    def _sum_pixels(
        self,
        values: torch.Tensor,
        across: torch.Tensor,
        down: torch.Tensor,
        weights: torch.Tensor,
        levels: torch.Tensor,
    ) -> torch.Tensor:
        """Return the weighted sums (queries, dimensions) of the pixels around places."""
        left = across.floor().clamp(min=0).minimum(levels[LAST_X])
        top = down.floor().clamp(min=0).minimum(levels[LAST_Y])
        first = (top * levels[WIDTH] + left) * self.heads + levels[START] + self.heads_in_order
        right, below = self.corners[0], self.corners[1]
        indices = first[:, :, None] + (right * levels[RIGHT] + below * levels[DOWN])
        near_x = 1 - ((across - left)[:, :, None] - right * levels[NEXT_X]).abs()
        near_y = 1 - ((down - top)[:, :, None] - below * levels[NEXT_Y]).abs()
        weights = near_x.relu() * near_y.relu() * weights[:, :, None]
        rows = values.reshape(-1, values.shape[-1] // self.heads)
        bag = indices.shape[-1] * indices.shape[-2]
        found = torch.nn.functional.embedding_bag(
            indices.to(torch.int32).reshape(-1, bag),
            rows,
            mode="sum",
            per_sample_weights=weights.reshape(-1, bag),
        )
        return found.reshape(-1, values.shape[-1])


def _x_before_y(original: Any) -> torch.nn.Linear:
    """Return one projection to all offsets in x, all in y, and the weights of the attention."""
    offsets, attention = original.sampling_offsets, original.attention_weights
    parts = [
        torch.cat([offsets_of[0::2], offsets_of[1::2], weights_of])
        for offsets_of, weights_of in (
            (offsets.weight, attention.weight),
            (offsets.bias, attention.bias),
        )
    ]
    joined = torch.nn.Linear(parts[0].shape[1], parts[0].shape[0])
    joined.weight, joined.bias = (torch.nn.Parameter(part, requires_grad=False) for part in parts)
    return joined


class FusedAttention(torch.nn.Module):
    """The attention between image and text in both directions.

    A text has a hundred tokens and an image twenty thousand, so that what is to be multiplied with
    each of these is multiplied with the tokens of the text first.
    """

    def __init__(self, original: Any) -> None:
        super().__init__()
        self.original = original
        self.heads, self.scale = original.num_heads, original.scale

    def forward(
        self, vision_features: torch.Tensor, text_features: torch.Tensor, **masks: Any
    ) -> tuple[tuple[torch.Tensor, None], tuple[torch.Tensor, None]]:
        """Return what the image gets (1, pixels, dimensions), and what the text gets."""
        own, image = self.original, vision_features[0]
        keys = self._by_head(own.text_proj(text_features[0])) * self.scale
        queries = self._weights_by_head(own.vision_proj)  # heads, dimensions of a head, of an image
        shifts = keys @ own.vision_proj.bias.reshape(self.heads, -1, 1)
        # heads * tokens, pixels
        likenesses = (keys @ queries).flatten(0, 1) @ image.T + shifts.flatten(0, 1)
        text = self._attend_to_image(likenesses, image)
        values = self._by_head(own.values_text_proj(text_features[0]))
        out = own.out_vision_proj.weight.T.reshape(self.heads, -1, image.shape[-1])
        by_head = likenesses.reshape(self.heads, -1, image.shape[0]).permute(2, 0, 1)
        weights = by_head.softmax(-1).flatten(1)  # pixels, heads * tokens
        seen = weights @ (values @ out).flatten(0, 1) + own.out_vision_proj.bias
        return (seen[None], None), (text[None], None)

    def _attend_to_image(self, likenesses: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        own = self.original
        means = (likenesses.softmax(-1) @ image).reshape(self.heads, -1, image.shape[-1])
        values = means @ self._weights_by_head(own.values_vision_proj).transpose(1, 2)
        values = values + own.values_vision_proj.bias.reshape(self.heads, 1, -1)
        attended: torch.Tensor = own.out_text_proj(values.transpose(0, 1).flatten(1))
        return attended

    def _by_head(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens.reshape(tokens.shape[0], self.heads, -1).transpose(0, 1)

    def _weights_by_head(self, projection: torch.nn.Linear) -> torch.Tensor:
        return projection.weight.reshape(self.heads, -1, projection.weight.shape[1])
