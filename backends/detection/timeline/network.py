"""The temporal network, as a torch module. Importing this imports torch."""

from typing import Any

import torch

from backends.detection.timeline.attributes import NetworkSize

DROPOUT = 0.3
# Standard deviations that are small beside the first one are noise, and stay small.
LEAST_SCALE = 0.03


class TemporalNetwork(torch.nn.Module):
    """Maps features (n, frames, features) to the logits of each label on each frame.

    The features are first projected to their principal components: `mean` (features,) and
    `components` (components, features) come from the training videos, and are not trained.
    """

    mean: torch.Tensor
    components: torch.Tensor

    def __init__(self, features: int, components: int, size: NetworkSize, labels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("components", torch.zeros(components, features))
        self.dropout = torch.nn.Dropout(DROPOUT)
        self.recurrent = torch.nn.GRU(
            components,
            size.hidden_size,
            size.num_layers,
            batch_first=True,
            bidirectional=True,
        )
        self.classify = torch.nn.Linear(2 * size.hidden_size, labels)

    def set_projection(self, mean: torch.Tensor, components: torch.Tensor) -> None:
        """Set how features are projected."""
        self.mean.copy_(mean)
        self.components.copy_(components)

    def project(self, features: torch.Tensor) -> torch.Tensor:
        """Return the principal components of features (…, features)."""
        return (features - self.mean) @ self.components.T

    def forward(self, projected: torch.Tensor) -> torch.Tensor:
        """Return the logits (n, frames, labels) of projected features (n, frames, components)."""
        outputs, _ = self.recurrent(self.dropout(projected))
        logits: torch.Tensor = self.classify(self.dropout(outputs))
        return logits


def principal_components(features: torch.Tensor, most: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean and the components (components, features) of features (frames, features).

    Projected by them, features have a standard deviation of about 1 in each component.
    """
    mean = features.mean(dim=0)
    count = max(min(most, *features.shape), 1)
    _, lengths, directions = torch.pca_lowrank(features, q=count, center=True, niter=4)
    deviations = lengths / max(len(features) - 1, 1) ** 0.5
    deviations = deviations.clamp(min=float(deviations[0]) * LEAST_SCALE or 1.0)
    return mean, (directions / deviations).T


def label_probabilities(network: Any, projected: torch.Tensor, sequence_size: int) -> torch.Tensor:
    """Return the probability of each label on each frame (frames, labels) of one video.

    Sequences overlap by half; near its ends a sequence has seen least around a frame, so it counts
    least there.
    """
    frames = len(projected)
    size = min(sequence_size, frames)
    starts = [*range(0, frames - size, max(size // 2, 1)), frames - size]
    weights = torch.minimum(torch.arange(1, size + 1), torch.arange(size, 0, -1)).float()
    sums = totals = None
    with torch.inference_mode():
        found = torch.sigmoid(network(torch.stack([projected[s : s + size] for s in starts])))
        sums = torch.zeros(frames, found.shape[-1], device=found.device)
        totals = torch.zeros(frames, 1, device=found.device)
        weights = weights.to(found.device)[:, None]
        for start, probabilities in zip(starts, found, strict=True):
            sums[start : start + size] += probabilities * weights
            totals[start : start + size] += weights
    return sums / totals
