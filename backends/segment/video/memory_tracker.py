"""Follows objects with the memory of SAM 2 and SAM 3: transformers' models of videos.

They are given one frame after the other. What their session keeps of frames that they will not
look at again is dropped, so that memory does not grow with the number of frames.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backends._inference.device import choose_device
from backends.segment.models.frames import Frame
from backends.segment.models.sam_model import FIRST_CORNER, LAST_CORNER
from backends.segment.models.strokes import all_points
from backends.segment.models.transformers_models import frame_of_config, read_model_type
from backends.segment.prompts import ObjectPrompt
from backends.segment.video.object_tracker import FoundObject
from backends.segment.video.prompted_tracker import largest_part
from shared.errors import ModelError
from shared.media.image import Pixels
from shared.results import ImageSize
from shared.settings import Settings

# Model types of `config.json`, and the beginnings of the names of the classes for videos.
VIDEO_CLASSES = {
    "sam2_video": "Sam2Video",
    "sam3_tracker_video": "Sam3TrackerVideo",
    "sam3_video": "Sam3TrackerVideo",
}
# The labels of points, as these models have them; those of corners are 2 and 3, too.
NEGATIVE, POSITIVE = 0, 1


@dataclass(frozen=True, eq=False)
class MemoryNetwork:
    """A network of videos on its device; it runs on one frame at a time."""

    network: Any
    session_class: Any
    frame: Frame
    device: str
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def load(cls, folder: Path, name: str, settings: Settings) -> "MemoryNetwork | None":
        """Load the network of a folder; None if it is none of videos.

        ModelError if it cannot be read.
        """
        import transformers

        kind = VIDEO_CLASSES.get(read_model_type(folder, name))
        if kind is None:
            return None
        reader = getattr(transformers, f"{kind}Model")
        try:
            # Other weights are pickles, which can contain code.
            network = reader.from_pretrained(
                folder, dtype="float32", trust_remote_code=False, use_safetensors=True
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(f"{name} cannot be read as {reader.__name__}: {error}") from error
        session_class = getattr(transformers, f"{kind}InferenceSession")
        device = choose_device(settings)
        frame = frame_of_config(network.config)
        return cls(network.to(device).eval(), session_class, frame, device)

    @property
    def kept_frames(self) -> int:
        """How many frames back it looks."""
        config = self.network.config
        return int(max(config.num_maskmem, config.max_object_pointers_in_encoder))


@dataclass
class MemoryTracker:
    """Follows objects by a network with a memory. See `ObjectTracker`."""

    source: MemoryNetwork
    _session: Any = None
    _frame_number: int = 0

    def start(self, image: Pixels, prompts: Sequence[ObjectPrompt]) -> Sequence[FoundObject | None]:
        import torch

        size = ImageSize(image.shape[1], image.shape[0])
        device = self.source.device
        self._session = self.source.session_class(
            video_height=size.height,
            video_width=size.width,
            inference_device=device,
            inference_state_device=device,
            video_storage_device=device,
            dtype=torch.float32,
        )
        for number, prompt in enumerate(prompts):
            self._session.add_point_inputs(
                self._session.obj_id_to_idx(number), 0, self._place(prompt, size)
            )
        self._session.obj_with_new_inputs = list(range(len(prompts)))
        self._frame_number = 0
        return self._run(image)

    def follow(self, image: Pixels) -> Sequence[FoundObject | None]:
        self._frame_number += 1
        found = self._run(image)
        self._forget()
        return found

    def _place(self, prompt: ObjectPrompt, size: ImageSize) -> dict[str, Any]:
        """Return the clicks and the corners of a prompt, in the network's frame."""
        import torch

        places: list[tuple[float, float]] = []
        labels: list[int] = []
        box = prompt.box
        if box is not None:  # before the clicks, as the network was trained
            places += [(box.left, box.top), (box.right, box.bottom)]
            labels += [FIRST_CORNER - 1, LAST_CORNER - 1]
        for point in all_points(prompt):
            places.append((point.x, point.y))
            labels.append(POSITIVE if point.is_positive else NEGATIVE)
        placed = self.source.frame.place_points(np.array(places, np.float32), size)
        return {
            "point_coords": torch.from_numpy(placed)[None, None],
            "point_labels": torch.tensor(labels, dtype=torch.int32)[None, None],
        }

    def _run(self, image: Pixels) -> Sequence[FoundObject | None]:
        import torch

        source = self.source
        pixels = torch.from_numpy(source.frame.prepare(image)).to(source.device)
        with source.lock, torch.inference_mode():
            answer = source.network(
                inference_session=self._session, frame=pixels, frame_idx=self._frame_number
            )
            logits = answer.pred_masks.float().cpu().numpy()[:, 0]
            presence = torch.sigmoid(answer.object_score_logits.float()).cpu().numpy()
        size = ImageSize(image.shape[1], image.shape[0])
        masks = source.frame.restore(logits, size) > 0
        return [
            _to_object(mask, float(chance))
            for mask, chance in zip(masks, presence.reshape(-1), strict=True)
        ]

    def _forget(self) -> None:
        """Drop what the session keeps of frames that the network does not look at again."""
        session, first = self._session, self._frame_number - self.source.kept_frames
        for stored in (
            session.processed_frames,
            *(one["non_cond_frame_outputs"] for one in session.output_dict_per_obj.values()),
            *session.frames_tracked_per_obj.values(),
        ):
            limit = self._frame_number if stored is session.processed_frames else first
            for number in [number for number in stored if number < limit]:
                del stored[number]


def _to_object(mask: Any, chance: float) -> FoundObject | None:
    """Return what is seen of an object; None if it is more likely hidden, or has no pixels."""
    part = largest_part(mask) if chance > 0.5 else None
    return None if part is None else FoundObject.of_mask(part, chance)
