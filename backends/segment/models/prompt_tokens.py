"""Points and corners of boxes as tokens of a SAM."""

import math
from collections.abc import Sequence

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
