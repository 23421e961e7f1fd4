"""From the tokens of an image to the pixels of its masks, with a library's weights."""

from typing import Any, NamedTuple

from torch import Tensor, nn


class UpscalingParts(NamedTuple):
    """The modules between the tokens of the image and the masks' pixels, 4 × 4 for a token."""

    first: Any
    norm: Any
    activation: Any
    second: Any


class Upscaling(nn.Module):
    """Makes of each token of the image those of its 4 × 4 pixels, in blocks of blocks."""

    def __init__(self, parts: UpscalingParts) -> None:
        super().__init__()
        self.activation = parts.activation
        self.first, self.second = _as_linear(parts.first), _as_linear(parts.second)
        norm = parts.norm
        self.norm = nn.LayerNorm(norm.weight.shape[0], eps=norm.eps)
        self.norm.load_state_dict({"weight": norm.weight.detach(), "bias": norm.bias.detach()})

    def forward(self, tokens: Tensor, larger: list[Tensor]) -> Tensor:
        """Return tokens (n, 16 t, …); `larger` are the maps of SAM 2 by `TokenEncoder`."""
        half = self.first(tokens)
        half = half + larger[0] if larger else half
        half = half.reshape(tokens.shape[0], -1, self.second.in_features)
        whole = self.second(self.activation(self.norm(half)))
        whole = self.activation(whole + larger[1] if larger else whole)
        return whole.reshape(tokens.shape[0], -1, self.second.out_features // 4)


def _as_linear(convolution: Any) -> nn.Linear:
    """Return a transposed convolution of 2 × 2, step 2, as a layer that gives the four pixels."""
    inner, outer = convolution.weight.shape[:2]
    linear = nn.Linear(inner, 4 * outer)
    weight = convolution.weight.detach().permute(2, 3, 1, 0).reshape(4 * outer, inner)
    bias = convolution.bias.detach().repeat(4)
    linear.load_state_dict({"weight": weight, "bias": bias})
    return linear


def upscaling_parts(decoder: Any) -> UpscalingParts:
    if hasattr(decoder, "output_upscaling"):
        return UpscalingParts(*list(decoder.output_upscaling)[:4])
    return UpscalingParts(
        decoder.upscale_conv1,
        decoder.upscale_layer_norm,
        decoder.activation,
        decoder.upscale_conv2,
    )


def to_blocks(level: Tensor, height: int, width: int, folds: int) -> Tensor:
    """Return a map (1, c, 2 ** folds h, …) as the blocks of 2 × 2 of its tokens, each in turn."""
    channels = level.shape[1]
    pairs = [2] * folds
    split = level.reshape(channels, height, *pairs, width, *pairs)
    rows, columns = range(2, 2 + folds), range(3 + folds, 3 + 2 * folds)
    inner = [axis for pair in zip(rows, columns, strict=True) for axis in pair]
    blocks = split.permute(1, 2 + folds, *inner, 0)
    return blocks.reshape(1, height * width * 4 ** (folds - 1), 4 * channels)
