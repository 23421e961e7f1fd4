"""What all control tags of one training share."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.backend.training import TrainedWeights
from shared.media.reader import MediaReader
from shared.settings import Settings
from shared.training.epoch_log import ReportProgress
from shared.training.snapshot import Snapshot
from shared.training.trainable import ServingBackends
from shared.training.version_store import TrainedVersion, VersionStore


@dataclass(frozen=True)
class TrainingTools:
    """The means of a training.

    `serving` are the versions that served when it began, by control tag. `report` takes what the
    job's progress says.
    """

    project: str
    settings: Settings
    backends: ServingBackends
    media: MediaReader
    store: VersionStore
    snapshot: Snapshot
    serving: Mapping[str, TrainedVersion]
    folder: Path
    report: ReportProgress
    log: Path
    device: str = "cpu"
    batch_scale: float = 1.0
    max_epochs: int = 0

    @property
    def serving_weights(self) -> dict[str, TrainedWeights]:
        """The weights that serve, by control tag."""
        return {control: version.weights for control, version in self.serving.items()}
