"""The temporal network, as a torch module. Importing this imports torch.

It has three streams, after the two-stream networks for videos (Simonyan and Zisserman, 2014): one
sees what is anywhere on the frame, one how the parts of the frame change, one all of it. With few
videos a network that sees all learns by heart what has nothing to do with a label: so each label is
given to the streams that tell it best on videos that were not trained on.
"""

from collections.abc import Sequence

import torch

from backends.detection.timeline.attributes import NetworkSize
from backends.detection.timeline.frame_features import COLOURS, FeatureBlocks

DROPOUT = 0.3
# Deviations that are small beside the largest one are noise, and stay small.
LEAST_DEVIATION = 0.1
STREAMS = 3
# Principal components of each of the FeatureBlocks: of the whole frame, of its cells, and of how
# the cells change.
WHOLE, CELLS, CHANGES = (0, 0, 32, COLOURS), (48, 16, 0, 0), (48, 16, 0, 0)


class Projection(torch.nn.Module):
    """Projects features (…, features) to their principal components (…, components)."""

    mean: torch.Tensor
    components: torch.Tensor

    def __init__(self, features: int, components: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("components", torch.zeros(components, features))

    def set(self, mean: torch.Tensor, components: torch.Tensor) -> None:
        """Set the mean (features,) and the components (components, features)."""
        self.mean.copy_(mean)
        self.components.copy_(components)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the components of features."""
        return (features - self.mean) @ self.components.T


class Stream(torch.nn.Module):
    """Maps sequences of components (n, frames, components) to logits (n, frames, labels)."""

    def __init__(self, components: slice, size: NetworkSize, labels: int) -> None:
        super().__init__()
        self.seen = components
        self.dropout = torch.nn.Dropout(DROPOUT)
        self.recurrent = torch.nn.GRU(
            components.stop - components.start,
            size.hidden_size,
            size.num_layers,
            batch_first=True,
            bidirectional=True,
        )
        self.classify = torch.nn.Linear(2 * size.hidden_size, labels)

    def forward(self, projected: torch.Tensor) -> torch.Tensor:
        """Return the logits of the components that this stream sees."""
        outputs, _ = self.recurrent(self.dropout(projected[..., self.seen]))
        logits: torch.Tensor = self.classify(self.dropout(outputs))
        return logits


class TemporalNetwork(torch.nn.Module):
    """Tells which labels hold on the frames of a video, from the features of the frames.

    `mixture` (streams, labels) are the shares of the streams in each label's logit. The projections
    come from the training videos as they are, and are not trained.
    """

    mixture: torch.Tensor

    def __init__(
        self, features: int, components: tuple[int, int, int], size: NetworkSize, labels: int
    ) -> None:
        super().__init__()
        whole, cells, changes = components
        self.whole, self.cells = Projection(features, whole), Projection(features, cells)
        self.changes = Projection(features, changes)
        total = sum(components)
        seen = slice(0, whole), slice(whole + cells, total), slice(0, total)
        self.streams = torch.nn.ModuleList(Stream(part, size, labels) for part in seen)
        self.register_buffer("mixture", torch.full((STREAMS, labels), 1 / STREAMS))
        self.sequence_size = size.sequence_size

    def project(self, features: torch.Tensor) -> torch.Tensor:
        """Return what the streams see (frames, components) of a video's features."""
        changes = feature_changes(features, self.sequence_size)
        parts = self.whole(features), self.cells(features), self.changes(changes)
        return torch.cat(parts, dim=1)

    def stream_logits(self, projected: torch.Tensor) -> torch.Tensor:
        """Return the logits of each stream (streams, frames, labels) for a video.

        Sequences overlap by half. Near its ends a sequence has seen least around a frame, so it
        counts least there.
        """
        frames = len(projected)
        size = min(self.sequence_size, frames)
        starts = [*range(0, frames - size, max(size // 2, 1)), frames - size]
        sequences = torch.stack([projected[start : start + size] for start in starts])
        found = torch.stack([stream(sequences) for stream in self.streams])
        steps = torch.arange(size, device=projected.device)
        weights = torch.minimum(steps + 1, size - steps).float()[:, None]
        sums = torch.zeros(STREAMS, frames, found.shape[-1], device=projected.device)
        totals = torch.zeros(frames, 1, device=projected.device)
        for place, start in enumerate(starts):
            sums[:, start : start + size] += found[:, place] * weights
            totals[start : start + size] += weights
        return sums / totals

    def forward(self, projected: torch.Tensor) -> torch.Tensor:
        """Return the probability of each label on each frame (frames, labels) of a video."""
        return mix_logits(self.stream_logits(projected), self.mixture).sigmoid()


def mix_logits(logits: torch.Tensor, mixture: torch.Tensor) -> torch.Tensor:
    """Return the logits (frames, labels) that streams give by their shares (streams, labels)."""
    return (logits * mixture[:, None]).sum(dim=0)


def change_lag(sequence_size: int) -> int:
    """Return over how many frames a change is measured: a quarter of a sequence."""
    return max(sequence_size // 4, 1)


def feature_changes(features: torch.Tensor, sequence_size: int) -> torch.Tensor:
    """Return how features (frames, …) differ from those `change_lag` frames before.

    Or from the first, which has no change.
    """
    lag = min(change_lag(sequence_size), len(features))
    before = torch.cat([features[:1].expand(lag, -1), features[:-lag]])
    return features - before


def block_components(
    features: torch.Tensor, most: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and components of features: at most so many of each of the FeatureBlocks.

    Each block has components of its own: else what varies most, such as shapes, would leave none to
    what varies less, such as colours.
    """
    blocks = FeatureBlocks.of_width(features.shape[1])
    parts = [
        principal_components(features[:, block], count)
        for block, count in zip(blocks, most, strict=True)
    ]
    means, components = zip(*parts, strict=True)
    return torch.cat(means), torch.block_diag(*components)


def principal_components(features: torch.Tensor, most: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean and the components (components, features) of features (frames, features).

    Projected by them, features have a standard deviation of about 1 in each component.
    """
    mean, count = features.mean(dim=0), min(most, *features.shape)
    if not count:
        return mean, features.new_zeros(0, features.shape[1])
    _, lengths, directions = torch.pca_lowrank(features, q=count, center=True, niter=4)
    deviations = lengths / max(len(features) - 1, 1) ** 0.5
    deviations = deviations.clamp(min=float(deviations[0]) * LEAST_DEVIATION or 1.0)
    return mean, (directions / deviations).T
