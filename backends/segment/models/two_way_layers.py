"""The attention between prompts and image in SAM's mask decoder, with a library's weights."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class TwoWayLayer(nn.Module):
    """A layer in which prompts attend to each other and to the image, then the image to them."""

    weight: Tensor
    bias: Tensor

    def __init__(self, layer: Any, positions: Tensor, is_first: bool) -> None:
        super().__init__()
        self.is_first = is_first
        self.own, self.mlp = Attention(layer.self_attn), layer.mlp
        self.to_image = Attention(layer.cross_attn_token_to_image)
        self.to_prompts = Attention(layer.cross_attn_image_to_token)
        names = [(f"norm{n}", f"layer_norm{n}") for n in range(1, 5)]
        self.norms = nn.ModuleList(_either(layer, *pair) for pair in names)
        if not is_first:
            weight, bias = image_projection(layer, positions)
            self.register_buffer("weight", weight)
            self.register_buffer("bias", bias)

    def forward(
        self, queries: Tensor, keys: Tensor, start: Tensor, projected: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return both sides; `projected` are the projections of the image in the first layer."""
        if self.is_first:
            attended = self.own(queries, queries, queries)
        else:
            placed = queries + start
            attended = queries + self.own(placed, placed, queries)
            projected = functional.linear(keys, self.weight) + self.bias
        queries = self.norms[0](attended)
        image_keys, image_values, image_queries = projected.chunk(3, 2)
        asked = self.to_image.q(queries + start)
        queries = self.norms[1](queries + self.to_image.attend(asked, image_keys, image_values))
        queries = self.norms[2](queries + self.mlp(queries))
        prompt_keys, prompt_values = self.to_prompts.k(queries + start), self.to_prompts.v(queries)
        attended = self.to_prompts.attend(image_queries, prompt_keys, prompt_values)
        return queries, self.norms[3](keys + attended)


class Attention(nn.Module):
    """Attention with several heads, by the linear layers of a library's."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.q, self.k, self.v = attention.q_proj, attention.k_proj, attention.v_proj
        self.out = _either(attention, "out_proj", "o_proj")
        self.heads = _heads(attention)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        return self.attend(self.q(queries), self.k(keys), self.v(values))

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Return the answer for queries, keys and values (n, …, d) that are projected already."""
        width = queries.shape[2]
        q, k, v = (
            one.reshape(one.shape[0], -1, self.heads, width // self.heads).transpose(1, 2)
            for one in (queries, keys, values)
        )
        scores = (q @ k.transpose(2, 3)) / math.sqrt(width // self.heads)
        mixed = (torch.softmax(scores, -1) @ v).transpose(1, 2)
        return self.out(mixed.reshape(mixed.shape[0], -1, width))


class LastAttention(nn.Module):
    """The attention of a few tokens to the image, which is not projected for it.

    A query times the projection of a key is a projected query times the key; likewise for values.
    What a bias of the keys adds to all scores of a query changes nothing.
    """

    key_weight: Tensor
    value_weight: Tensor
    value_bias: Tensor
    positions: Tensor

    def __init__(self, transformer: Any, positions: Tensor) -> None:
        super().__init__()
        attention = transformer.final_attn_token_to_image
        self.norm = _either(transformer, "norm_final_attn", "layer_norm_final_attn")
        self.q, self.out = attention.q_proj, _either(attention, "out_proj", "o_proj")
        self.heads = _heads(attention)
        key, value = attention.k_proj.weight.detach(), attention.v_proj.weight.detach()
        self.width = key.shape[0] // self.heads
        self.register_buffer("key_weight", key.reshape(1, self.heads, self.width, -1))
        by_head = value.reshape(1, self.heads, self.width, -1).transpose(2, 3)
        self.register_buffer("value_weight", by_head.contiguous())
        bias = attention.v_proj.bias.detach().reshape(1, self.heads, 1, self.width)
        self.register_buffer("value_bias", bias)
        self.register_buffer("positions", positions.transpose(1, 2).contiguous())

    def forward(self, queries: Tensor, start: Tensor, keys: Tensor) -> Tensor:
        """Return the tokens `queries`, whose positions are `start`, after they attended."""
        count, channels = queries.shape[1], keys.shape[2]
        by_head = self.q(queries + start).reshape(-1, count, self.heads, self.width)
        asked = (by_head.transpose(1, 2) / math.sqrt(self.width)) @ self.key_weight
        asked = asked.reshape(-1, self.heads * count, channels)
        scores = asked @ keys.transpose(1, 2) + asked @ self.positions
        mixed = torch.softmax(scores, -1) @ keys
        mixed = mixed.reshape(-1, self.heads, count, channels) @ self.value_weight + self.value_bias
        together = mixed.transpose(1, 2).reshape(-1, count, self.heads * self.width)
        return self.norm(queries + self.out(together))


def image_projection(layer: Any, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Return weight and bias for keys, values and queries of the image in a layer, one by one.

    `positions` (1, t, c) are in the bias.
    """
    asked, asking = layer.cross_attn_token_to_image, layer.cross_attn_image_to_token
    parts = asked.k_proj, asked.v_proj, asking.q_proj
    biases = [
        part.bias + (0 if part is asked.v_proj else functional.linear(positions, part.weight))
        for part in parts
    ]
    shape = *positions.shape[:2], -1
    weight = torch.cat([part.weight for part in parts]).detach()
    return weight, torch.cat([bias.expand(shape) for bias in biases], 2).detach()


def to_tokens(maps: Tensor) -> Tensor:
    """Return maps (n, c, h, w) as tokens (n, h w, c)."""
    return maps.detach().flatten(2).transpose(1, 2).contiguous()


def _heads(attention: Any) -> int:
    return int(_either(attention, "num_heads", "num_attention_heads"))


def _either(module: Any, *names: str) -> Any:
    """Return the attribute that a module has: the libraries name it differently."""
    return next(getattr(module, name) for name in names if hasattr(module, name))
