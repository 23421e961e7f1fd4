"""How a temporal network learns: epochs over random sequences. Importing this imports torch."""

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

from backends.detection.timeline.network import label_probabilities

BATCH_SEQUENCES = 32
# An epoch has each frame twice on average, but at least this many batches.
LEAST_BATCHES = 8
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 1e-2
# A rare label counts more, at most by this factor.
MOST_WEIGHT = 5.0


class VideoTensors(NamedTuple):
    """The projected features of a video's frames (frames, components), and (frames, labels)."""

    projected: torch.Tensor
    labels: torch.Tensor


class FrameFigures(NamedTuple):
    """How well labels are told on frames: the loss, F1 as the mean over labels, and accuracy."""

    loss: float
    f1: float
    accuracy: float


@dataclass(frozen=True)
class SequenceSampler:
    """Draws batches of sequences from videos, each frame as likely as any other."""

    videos: Sequence[VideoTensors]
    sequence_size: int
    batch_size: int
    random: np.random.Generator

    def batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Yield features, labels, and which frames count, for the sequences of an epoch."""
        frames = np.array([len(video.labels) for video in self.videos])
        count = max(2 * frames.sum() // (self.sequence_size * self.batch_size), LEAST_BATCHES)
        for _ in range(count):
            chosen = self.random.choice(len(frames), self.batch_size, p=frames / frames.sum())
            parts = [self._cut(self.videos[place]) for place in chosen]
            projected, labels, counts = (torch.stack(part) for part in zip(*parts, strict=True))
            yield projected, labels, counts

    def _cut(self, video: VideoTensors) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return a random sequence; that of a shorter video repeats its last frame."""
        size, frames = self.sequence_size, len(video.labels)
        start = int(self.random.integers(max(frames - size, 0) + 1))
        at = torch.arange(start, start + size)
        counts = (at < frames).float()[:, None].to(video.labels.device)
        at = at.clamp(max=frames - 1)
        return video.projected[at], video.labels[at], counts


class Learner:
    """Trains a network, and remembers its best state."""

    def __init__(self, network: Any, sampler: SequenceSampler) -> None:
        self._network, self._sampler = network, sampler
        self._optimizer = torch.optim.AdamW(
            network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY
        )
        self._weights = _label_weights(sampler.videos)
        self._best_loss, self._best_state = math.inf, network.state_dict()

    def run_epoch(self) -> float:
        """Train on an epoch's sequences and return the mean loss."""
        self._network.train()
        losses = []
        for projected, labels, counts in self._sampler.batches():
            losses_of_frames = binary_cross_entropy_with_logits(
                self._network(projected), labels, pos_weight=self._weights, reduction="none"
            )
            loss = (losses_of_frames * counts).sum() / (counts.sum() * labels.shape[-1])
            self._optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
            self._optimizer.step()
            losses.append(float(loss))
        return sum(losses) / len(losses)

    def is_best(self, loss: float) -> bool:
        """Return whether a loss is the lowest so far; the state is then the best one."""
        if loss >= self._best_loss:
            return False
        self._best_loss = loss
        self._best_state = copy.deepcopy(self._network.state_dict())
        return True

    def restore_best(self) -> None:
        """Give the network the best state back."""
        self._network.load_state_dict(self._best_state)


def measure(
    network: Any, videos: Sequence[VideoTensors], sequence_size: int, threshold: float
) -> FrameFigures:
    """Return how well a network tells the labels of frames, as it predicts them."""
    network.eval()
    found = torch.cat([label_probabilities(network, v.projected, sequence_size) for v in videos])
    truth = torch.cat([video.labels for video in videos])
    held, true = found >= threshold, truth > 0
    hits = (held & true).sum(dim=0)
    named = held.sum(dim=0) + true.sum(dim=0)
    # A label that is neither there nor predicted has no F1.
    f1 = (2 * hits / named)[named > 0]
    return FrameFigures(
        float(binary_cross_entropy(found, truth)),
        float(f1.mean()) if len(f1) else 0.0,
        float((held == true).float().mean()),
    )


def _label_weights(videos: Sequence[VideoTensors]) -> torch.Tensor:
    shares = torch.cat([video.labels for video in videos]).mean(dim=0).clamp(min=1e-6)
    return ((1 - shares) / shares).sqrt().clamp(1.0, MOST_WEIGHT)
