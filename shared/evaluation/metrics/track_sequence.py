"""The tracks of one label in one video, in the form in which trackeval compares them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.evaluation.similarity.boxes import box_iou, paired_box_iou
from shared.evaluation.similarity.track_frames import TrackFrames

Floats = NDArray[np.float64]


class TrackSequence:
    """True and predicted tracks of one label in one video, frame by frame.

    Frames on which nothing is shown are left out: they count for nothing.
    """

    def __init__(self, truth: Sequence[TrackFrames], predicted: Sequence[TrackFrames]) -> None:
        shown = [track.frames for track in (*truth, *predicted)]
        frames = np.unique(np.concatenate(shown)) if shown else np.zeros(0, np.int64)
        self._true_ids, self._true_boxes = _split_by_frame(truth, frames)
        self._ids, self._boxes = _split_by_frame(predicted, frames)
        self._tracks = len(truth), len(predicted)
        self._aspect = next((track.aspect for track in (*truth, *predicted)), 1.0)
        self._lengths = tuple(
            np.array([len(track.frames) for track in tracks], np.float64)
            for tracks in (truth, predicted)
        )

    def __len__(self) -> int:
        """The number of frames on which anything is shown."""
        return len(self._ids)

    def __getitem__(self, place: int) -> Floats:
        """Return the IoU of each true and each predicted box on a frame, shape (true, predicted).

        It is computed when it is asked for: all frames of a long video together are large.
        """
        truth, predicted = self._true_boxes[place], self._boxes[place]
        if not (truth[:, 4] % 360).any() and not (predicted[:, 4] % 360).any():
            return box_iou(truth[:, :4], predicted[:, :4])
        rows, columns = np.indices((len(truth), len(predicted))).reshape(2, -1)
        found = paired_box_iou(truth[rows], predicted[columns], self._aspect)
        return found.reshape(len(truth), len(predicted))

    def to_trackeval(self) -> dict[str, Any]:
        """Return what `eval_sequence` of trackeval's metrics takes."""
        true_ids, ids = self._true_ids, self._ids
        return {
            "num_timesteps": len(self),
            "num_gt_ids": self._tracks[0],
            "num_tracker_ids": self._tracks[1],
            "num_gt_dets": sum(map(len, true_ids)),
            "num_tracker_dets": sum(map(len, ids)),
            "gt_ids": true_ids,
            "tracker_ids": ids,
            "similarity_scores": self,
        }

    def mean_iou(self) -> Floats:
        """Return the IoU of each two tracks as `track_iou` does, shape (predicted, true)."""
        total, common = np.zeros(self._tracks), np.zeros(self._tracks)
        for place, (true_ids, ids) in enumerate(zip(self._true_ids, self._ids, strict=True)):
            both = np.ix_(true_ids, ids)
            total[both] += self[place]
            common[both] += 1
        shown = self._lengths[0][:, None] + self._lengths[1] - common
        return np.divide(total, shown, out=np.zeros_like(total), where=shown > 0).T


def _split_by_frame(
    tracks: Sequence[TrackFrames], frames: NDArray[np.int64]
) -> tuple[list[NDArray[np.int64]], list[Floats]]:
    """Return the numbers of the tracks that are shown on each frame, and their boxes."""
    at = np.concatenate([np.zeros(0, np.int64), *(track.frames for track in tracks)])
    ids = np.repeat(np.arange(len(tracks)), [len(track.frames) for track in tracks])
    boxes = np.concatenate([np.zeros((0, 5)), *(track.boxes for track in tracks)])
    order = np.argsort(at, kind="stable")
    starts = np.searchsorted(at[order], frames[1:])
    if not len(frames):
        return [], []
    return np.split(ids[order], starts), np.split(boxes[order], starts)
