"""An Ultralytics network with what belongs to its ends, so that any engine can run it by itself."""

from typing import Any

import torch
from torchvision.transforms import Normalize


class ExportWrapper(torch.nn.Module):
    """RGB pixels in, uint8 of shape (n, height, width, 3), and a tuple of float arrays out."""

    mean: torch.Tensor
    spread: torch.Tensor

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network.fuse(verbose=False)
        mean, spread = _colours(network)
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("spread", torch.tensor(spread))
        head = self.network.model[-1]
        head.export = head.dynamic = True
        if getattr(head, "dfl", None) is not None:
            head.dfl = Distances(head.reg_max)
        self.requires_grad_(False)
        self.eval()

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Of `mean`'s precision inside."""
        images = (pixels.to(self.mean.dtype) / 255 - self.mean) / self.spread
        found = self.network(images.permute(0, 3, 1, 2))
        return found if isinstance(found, tuple) else (found,)


class Distances(torch.nn.Module):
    """From distributions of a box's edges to their means, in single precision whatever the rest.

    As a sum: in the original it is a convolution, which would be rounded where an engine runs in
    less; and half precision has no halves of pixels beyond 1024.
    """

    values: torch.Tensor

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.bins = bins
        self.register_buffer("values", torch.arange(bins)[:, None])

    def forward(self, edges: torch.Tensor) -> torch.Tensor:
        """Distributions (n, 4 * bins, places) to means (n, 4, places)."""
        edges = edges.float()
        if self.bins == 1:
            return edges
        count, _, places = edges.shape
        spread = edges.view(count, 4, self.bins, places).softmax(2)
        return (spread * self.values).sum(2)


def _colours(network: Any) -> tuple[list[float], list[float]]:
    """Mean and spread of the colours, 0 to 1, with which a classifying network was trained."""
    for step in getattr(getattr(network, "transforms", None), "transforms", ()):
        if isinstance(step, Normalize):
            return [*map(float, step.mean)], [*map(float, step.std)]
    return [0.0] * 3, [1.0] * 3
