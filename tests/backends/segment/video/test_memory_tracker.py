"""SAM 2 and SAM 3 follow objects as transformers has them do, and forget what they do not need."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.segment import SegmentBackend
from backends.segment.models.starter_model import StarterModel
from backends.segment.prompts import Box, ObjectPrompt, Point
from backends.segment.video.memory_tracker import MemoryNetwork, MemoryTracker
from backends.segment.video.prompted_tracker import PromptedTracker
from shared.pipeline.runtime import reset_runtime, runtime
from shared.settings import Settings
from tests.backends.segment import small_networks
from tests.backends.segment.video.moving import (
    CONFIG,
    RED,
    box_of,
    draw,
    drawn,
    iou,
    key,
    swing,
    url,
    video,
)
from tests.tiny import made, routed

torch = pytest.importorskip("torch")

FRAMES = 7
# A box, and a click beside another one.
PROMPTS = (
    ObjectPrompt(box=Box(10, 8, 60, 40)),
    ObjectPrompt((Point(70, 30), Point(20, 20, is_positive=False))),
)
NETWORKS = [small_networks.transformers_sam2_video, small_networks.transformers_sam3_video]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks: several threads would wait for each other on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Recorder:
    """Runs a network, and keeps its masks."""

    def __init__(self, network: Any) -> None:
        self.network, self.config = network, network.config
        self.masks: list[Any] = []

    def __call__(self, **inputs: Any) -> Any:
        answer = self.network(**inputs)
        self.masks.append(answer.pred_masks.numpy()[:, 0])
        return answer


def saved(build: Callable[[], Any], folder: Path) -> Path:
    torch.manual_seed(0)
    network = build()
    with torch.no_grad():  # random weights look at nothing: make the memory matter
        for parameter in network.parameters():
            parameter.mul_(3)
        # And the objects are seen on every frame.
        network.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(1000)
    network.save_pretrained(folder / "small")
    return folder / "small"


@pytest.mark.parametrize("build", NETWORKS, ids=["sam2", "sam3"])
def test_masks_are_the_librarys_own(build: Callable[[], Any], tmp_path: Path) -> None:
    """The library keeps all frames, the tracker a few: what they find is the same."""
    source = MemoryNetwork.load(saved(build, tmp_path), "small", Settings(engine="torch"))
    assert source is not None
    recorder = Recorder(source.network)
    bounded = MemoryTracker(
        MemoryNetwork(recorder, source.session_class, source.frame, source.device)
    )
    images = [draw(5 * number, {RED: swing})[0] for number in range(FRAMES)]
    found = [bounded.start(images[0], PROMPTS), *(map(bounded.follow, images[1:]))]
    assert [len(one) for one in found] == [2] * FRAMES
    expected = library_masks(source, images)
    for number, (mine, theirs) in enumerate(zip(recorder.masks, expected, strict=True)):
        assert np.abs(mine - theirs).max() <= 1e-4 * max(1.0, np.abs(theirs).max()), number
    assert np.abs(expected[-1] - expected[1]).max() > 1e-3  # it is not the same on all frames
    session = bounded._session
    assert list(session.processed_frames) == [FRAMES - 1]
    for stored in session.output_dict_per_obj.values():
        assert len(stored["non_cond_frame_outputs"]) == source.kept_frames + 1


def library_masks(source: MemoryNetwork, images: list[Any]) -> list[Any]:
    """What the library finds, with a session that it fills and nobody empties."""
    size = images[0].shape[:2]
    session = source.session_class(video_height=size[0], video_width=size[1], dtype=torch.float32)
    scale = np.array([source.frame.side / size[1], source.frame.side / size[0]], np.float32)
    points = [[[10, 8], [60, 40]], [[70, 30], [20, 20]]]
    for number, (places, labels) in enumerate(zip(points, [[2, 3], [1, 0]], strict=True)):
        inputs = {
            "point_coords": torch.tensor(np.array(places, np.float32) * scale)[None, None],
            "point_labels": torch.tensor(labels, dtype=torch.int32)[None, None],
        }
        session.add_point_inputs(session.obj_id_to_idx(number), 0, inputs)
    session.obj_with_new_inputs = [0, 1]
    masks = []
    for image in images:
        pixels = torch.from_numpy(source.frame.prepare(image))
        with torch.inference_mode():
            masks.append(source.network(session, frame=pixels).pred_masks.numpy()[:, 0])
    return masks


def test_a_folder_of_a_model_of_images_has_no_memory(tmp_path: Path) -> None:
    small_networks.transformers_sam2().save_pretrained(tmp_path / "small")
    assert MemoryNetwork.load(tmp_path / "small", "small", Settings(engine="torch")) is None


def test_a_model_of_videos_follows_a_drawn_box(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Random weights see anything: the request is answered, with a track or with the reason."""
    folder = saved(NETWORKS[0], tmp_path)
    monkeypatch.setenv("MODEL_DIR", str(folder.parent))
    monkeypatch.setenv("SEGMENT_MODEL", folder.name)
    monkeypatch.setenv("ENGINE", "torch")
    reset_runtime()
    plan = routed(made(SegmentBackend, CONFIG), xml=CONFIG)
    task = {"id": 1, "data": {"video": url(video(6, {RED: swing}))}}
    [outcome] = runtime().pipeline.run(plan, [task], {"result": [drawn(key(1, box_of(0)))]})
    if outcome.prediction is None:
        assert "Nothing is found in the box" in str(outcome.error)
    else:
        assert [one["id"] for one in outcome.prediction.results] == ["drawn"]


def test_the_starter_follows_a_shape_over_a_texture() -> None:
    """A few frames that are far apart; `tests.bench.tracks` measures 300."""
    tracker = PromptedTracker(StarterModel())
    numbers = range(0, 24, 4)
    start = Box(*box_of(0))
    images = {number: draw(number, {RED: swing})[0] for number in numbers}
    found = [tracker.start(images[0], [ObjectPrompt(box=start)])[0]]
    found += [tracker.follow(images[number])[0] for number in numbers if number]
    overlaps = [
        one and iou(tuple(one.box), box_of(n)) for one, n in zip(found, numbers, strict=True)
    ]
    assert min(one or 0.0 for one in overlaps) > 0.8
