"""How a temporal network learns: epochs over random sequences. Importing this imports torch."""

import copy
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from backends.detection.timeline.network import STREAMS, Stream, TemporalNetwork, mix_logits

BATCH_SEQUENCES = 32
# An epoch has each frame twice on average, but at least this many batches.
LEAST_BATCHES = 8
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 1e-2
# A rare label counts more, at most by this factor.
MOST_WEIGHT = 5.0
# A stream has learned what it can after this many epochs without a lower validation loss.
PATIENCE = 15


class VideoTensors(NamedTuple):
    """What the streams see of a video's frames (frames, components), and (frames, labels)."""

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
        """Yield components, labels, and which frames count, for the sequences of an epoch."""
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
        at = torch.arange(start, start + size, device=video.labels.device)
        counts = (at < frames).float()[:, None]
        at = at.clamp(max=frames - 1)
        return video.projected[at], video.labels[at], counts


class StreamLearner:
    """Trains one stream until it gets no better, and remembers its best state."""

    def __init__(self, stream: Stream, sampler: SequenceSampler) -> None:
        self._stream, self._sampler = stream, sampler
        self._optimizer = torch.optim.AdamW(
            stream.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY
        )
        self._label_weights = _label_weights(sampler.videos)
        self._best_loss, self._best_state = math.inf, stream.state_dict()
        self._epochs_since_best = 0

    @property
    def is_learning(self) -> bool:
        """Whether it may still get better."""
        return self._epochs_since_best < PATIENCE

    def run_epoch(self) -> float:
        """Train on an epoch's sequences and return the mean loss."""
        self._stream.train()
        losses = [self._step(*batch) for batch in self._sampler.batches()]
        self._stream.eval()
        return sum(losses) / len(losses)

    def _step(self, projected: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor) -> float:
        losses = binary_cross_entropy_with_logits(
            self._stream(projected), labels, pos_weight=self._label_weights, reduction="none"
        )
        loss = (losses * counts).sum() / (counts.sum() * labels.shape[-1])
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._stream.parameters(), 1.0)
        self._optimizer.step()
        return float(loss.item())

    def note_loss(self, loss: float) -> None:
        """Note the validation loss after an epoch; the state is kept if it is the lowest."""
        self._epochs_since_best += 1
        if loss < self._best_loss:
            self._best_loss, self._epochs_since_best = loss, 0
            self._best_state = copy.deepcopy(self._stream.state_dict())
        if not self.is_learning:
            self.restore_best()

    def restore_best(self) -> None:
        """Give the stream its best state back."""
        self._stream.load_state_dict(self._best_state)


class Validation:
    """Measures a network on videos; `chooses_mixture` if it was not trained on these."""

    def __init__(
        self, videos: Sequence[VideoTensors], threshold: float, chooses_mixture: bool
    ) -> None:
        self._videos, self._threshold = videos, threshold
        self._truth = torch.cat([video.labels for video in videos])
        self._chooses_mixture = chooses_mixture

    def measure(self, network: TemporalNetwork) -> tuple[list[float], FrameFigures]:
        """Return the loss of each stream, and the figures of the network.

        The network then has the mixture with the lowest loss for each label.
        """
        network.eval()
        with torch.no_grad():
            found = [network.stream_logits(video.projected) for video in self._videos]
            logits = torch.cat(found, dim=1)
            if self._chooses_mixture:
                network.mixture.copy_(self._best_mixture(logits))
            losses = [self._label_losses(one).mean().item() for one in logits]
            return losses, self._figures(mix_logits(logits, network.mixture))

    def _label_losses(self, logits: torch.Tensor) -> torch.Tensor:
        losses = binary_cross_entropy_with_logits(logits, self._truth, reduction="none")
        return losses.mean(dim=0)

    def _best_mixture(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the shares of the streams (streams, labels): of some of them, equally."""
        choices = [
            torch.tensor(chosen, dtype=logits.dtype, device=logits.device) / sum(chosen)
            for chosen in itertools.product((0, 1), repeat=STREAMS)
            if any(chosen)
        ]
        labels = logits.shape[-1]
        mixtures = [choice[:, None].expand(-1, labels) for choice in choices]
        losses = [self._label_losses(mix_logits(logits, mixture)) for mixture in mixtures]
        best = torch.stack(losses).argmin(dim=0)
        return torch.stack(choices)[best].T

    def _figures(self, logits: torch.Tensor) -> FrameFigures:
        held, true = logits.sigmoid() >= self._threshold, self._truth > 0
        hits, named = (held & true).sum(dim=0), held.sum(dim=0) + true.sum(dim=0)
        # A label that is neither there nor predicted has no F1.
        f1 = (2 * hits / named)[named > 0]
        return FrameFigures(
            self._label_losses(logits).mean().item(),
            f1.mean().item() if len(f1) else 0.0,
            (held == true).float().mean().item(),
        )


def _label_weights(videos: Sequence[VideoTensors]) -> torch.Tensor:
    shares = torch.cat([video.labels for video in videos]).mean(dim=0).clamp(min=1e-6)
    return ((1 - shares) / shares).sqrt().clamp(1.0, MOST_WEIGHT)
