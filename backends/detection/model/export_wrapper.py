"""An Ultralytics network with what belongs to its ends, so that it can be exported as a whole."""

from typing import Any

import torch
from torchvision.transforms import Normalize


class ExportWrapper(torch.nn.Module):
    """Maps RGB pixels, uint8 (n, height, width, 3), to a tuple of float arrays."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network.fuse(verbose=False)
        mean, std = _normalization(network)
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))
        head = self.network.model[-1]
        head.export = head.dynamic = True
        if getattr(head, "dfl", None) is not None:
            head.dfl = DistributionFocalDecoder(head.reg_max)
        self.requires_grad_(False)
        self.eval()

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Normalize the pixels and run the network."""
        outputs = self.network(self.normalize(pixels))
        return outputs if isinstance(outputs, tuple) else (outputs,)

    def normalize(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return images (n, 3, height, width) as the network takes them, in its precision."""
        images = (pixels.to(self.mean.dtype) / 255 - self.mean) / self.std
        return images.permute(0, 3, 1, 2)


class DistributionFocalDecoder(torch.nn.Module):
    """Replaces Ultralytics' `DFL`: the expected distance of each box edge, in single precision.

    Written as a sum. The original is a convolution, which an engine of less precision would
    round, and half precision has no fractions of pixels beyond 1024.
    """

    values: torch.Tensor

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.bins = bins
        self.register_buffer("values", torch.arange(bins)[:, None])

    def forward(self, edges: torch.Tensor) -> torch.Tensor:
        """Map distributions (n, 4 * bins, anchors) to their means (n, 4, anchors)."""
        edges = edges.float()
        if self.bins == 1:
            return edges
        count, _, anchors = edges.shape
        distributions = edges.view(count, 4, self.bins, anchors).softmax(2)
        return (distributions * self.values).sum(2)


def _normalization(network: Any) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of the colours with which a classifier was trained."""
    for step in getattr(getattr(network, "transforms", None), "transforms", ()):
        if isinstance(step, Normalize):
            return [*map(float, step.mean)], [*map(float, step.std)]
    return [0.0] * 3, [1.0] * 3
