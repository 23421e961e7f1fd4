"""A box that is drawn on a frame becomes a track that follows the object."""

from typing import Any

import numpy as np
import pytest

from shared.backend.progress import listening
from shared.errors import TaskError
from shared.pipeline.runtime import reset_runtime, runtime
from tests.backends.segment.video.moving import (
    BLUE,
    CONFIG,
    HEIGHT,
    RED,
    WIDTH,
    ColourBackend,
    Json,
    box_of,
    clip,
    drawn,
    iou,
    key,
    swing,
    track_boxes,
    url,
    video,
)
from tests.tiny import made, routed

pytest.importorskip("av")


def outcome_of(
    *regions: Json, data: bytes | None = None, config: str = CONFIG, kind: str = "webm"
) -> Any:
    """What becomes of a request with these regions."""
    plan = routed(made(ColourBackend, config), xml=config)
    task = {"id": 1, "data": {"video": url(clip() if data is None else data, kind)}}
    [outcome] = runtime().pipeline.run(plan, [task], {"result": list(regions)})
    return outcome


def follow(*regions: Json, **more: Any) -> list[Json]:
    outcome = outcome_of(*regions, **more)
    assert outcome.error is None, outcome.error
    return list(outcome.prediction.results)


def overlaps(result: Json, place: Any = swing) -> list[float]:
    return [iou(box, box_of(frame, place)) for frame, box in track_boxes(result).items()]


def with_attributes(text: str) -> str:
    return CONFIG.replace('<VideoRectangle name="box"', f'<VideoRectangle {text} name="box"')


def test_a_box_becomes_a_track_to_the_end_of_the_video() -> None:
    [result] = follow(drawn(key(1, box_of(0)), meta={"text": ["mine"]}))
    assert (result["id"], result["from_name"], result["value"]["labels"]) == (
        "drawn",
        "box",
        ["Ball"],
    )
    assert result["meta"] == {"text": ["mine"]}
    sequence = result["value"]["sequence"]
    assert [one["enabled"] for one in sequence] == [True] * (len(sequence) - 1) + [False]
    assert list(track_boxes(result)) == list(range(40))
    assert len(sequence) < 30
    assert np.mean(overlaps(result)) > 0.9
    assert min(overlaps(result)) > 0.8
    assert 0 < result["score"] <= 1


@pytest.mark.parametrize(
    ("attributes", "kind", "start", "first", "last"),
    [
        pytest.param("", "webm", 9, 9, 39, id="forward"),
        pytest.param('model_direction="backward"', "mp4", 30, 0, 30, id="backward"),
        pytest.param('model_direction="both"', "webm", 20, 0, 39, id="both"),
        pytest.param('model_max_frames="5"', "mp4", 20, 20, 25, id="so many frames"),
        pytest.param(
            'model_direction="both" model_max_frames="5"', "webm", 20, 15, 25, id="both ways"
        ),
        pytest.param('model_frame_step="4"', "mp4", 0, 0, 39, id="every fourth frame"),
        pytest.param("", "webm", 39, 39, 39, id="from the last frame"),
        pytest.param('model_direction="backward"', "mp4", 0, 0, 0, id="backward from the first"),
    ],
)
def test_ways_through_a_video(
    attributes: str, kind: str, start: int, first: int, last: int
) -> None:
    region = drawn(key(start + 1, box_of(start)))
    config = with_attributes(attributes)
    [result] = follow(region, config=config, data=clip(kind=kind), kind=kind)
    shown = track_boxes(result)
    # With a step of 4, frame 37 is the last that is looked at.
    assert [min(shown), max(shown)] == [first, 36 if "step" in attributes else last]
    assert np.mean(overlaps(result)) > (0.85 if "step" in attributes else 0.9)


def test_a_track_that_ends_is_left_and_one_that_goes_on_is_followed_from_there() -> None:
    ended = drawn(key(1, box_of(0)), key(9, box_of(8), enabled=False), name="ended")
    open_end = drawn(key(3, box_of(2)), key(11, box_of(10)), name="open")
    [result] = follow(ended, open_end)
    assert result["id"] == "open"
    assert [one["frame"] for one in result["value"]["sequence"]][:2] == [3, 11]
    assert list(track_boxes(result)) == list(range(2, 40))


def test_up_to_the_frame_where_the_region_is_switched_off() -> None:
    [result] = follow(drawn(key(5, box_of(4)), key(20, box_of(4), enabled=False)))
    assert list(track_boxes(result)) == list(range(4, 20))
    assert np.mean(overlaps(result)) > 0.9


def test_backwards_keeps_what_is_drawn_later() -> None:
    region = drawn(key(20, box_of(19)), key(30, box_of(29)))
    [result] = follow(region, config=with_attributes('model_direction="backward"'))
    assert list(track_boxes(result)) == list(range(30))
    assert result["value"]["sequence"][-1]["frame"] == 30


def test_two_boxes_at_once_and_on_different_frames() -> None:
    def slide(frame: int) -> tuple[float, float, float]:
        return 20 + 3 * frame, 100, 10

    data = video(40, {RED: swing, BLUE: slide})
    ball, car = drawn(key(1, box_of(0)), name="ball"), drawn(key(1, box_of(0, slide)), name="car")
    late = drawn(key(11, box_of(10, slide)), name="late")
    results = follow(ball, car, late, data=data)
    assert [one["id"] for one in results] == ["ball", "car", "late"]
    for one, place in zip(results, (swing, slide, slide), strict=True):
        assert np.mean(overlaps(one, place)) > 0.85, one["id"]


def test_an_object_that_is_gone_ends_its_track_where_it_was_last_seen() -> None:
    def leave(frame: int) -> tuple[float, float, float] | None:
        return swing(frame) if frame < 15 else None

    [result] = follow(drawn(key(1, box_of(0))), data=video(40, {RED: leave}))
    assert list(track_boxes(result)) == list(range(15))
    assert ColourBackend.made.encoded == 21  # five frames more than 15 + 1 it may be hidden


def test_an_object_that_is_hidden_for_some_frames_is_found_again() -> None:
    def hide(frame: int) -> tuple[float, float, float] | None:
        return swing(frame) if not 15 <= frame < 18 else None

    [result] = follow(drawn(key(1, box_of(0))), data=video(40, {RED: hide}))
    assert list(track_boxes(result)) == list(range(40))
    assert min(overlaps(result)) > 0.7


@pytest.mark.parametrize(
    ("region", "says"),
    [
        pytest.param(drawn(), "has no key frame", id="no box"),
        pytest.param(drawn(key(1, (50, 50, 50, 50))), "0.0 × 0.0 pixels", id="zero size"),
        pytest.param(drawn(key(1, (-90, -90, -10, -10))), "0.0 × 0.0 pixels", id="outside"),
        pytest.param(drawn(key(1, (5, 5, 12, 12))), "Nothing is found in the box", id="on nothing"),
        pytest.param(drawn(key(400, box_of(0))), "the video has 40", id="after the end"),
        pytest.param(drawn(key(0, box_of(0))), "begins at frame 0", id="before the start"),
        pytest.param(drawn(key(1, (float("nan"),) * 4)), "is no number", id="not a number"),
        pytest.param(drawn({"frame": 1}), "cannot be read", id="a key frame without box"),
        pytest.param(drawn({**key(1, box_of(0)), "frame": "x"}), "cannot be read", id="no frame"),
    ],
)
def test_a_box_that_cannot_be_followed_costs_only_itself(region: Json, says: str) -> None:
    outcome = outcome_of(region)
    assert says in str(outcome.error)
    assert outcome.to_response(interactive=True) == {"result": []}
    good = drawn(key(1, box_of(0)), name="good")
    outcome = outcome_of(region, good)
    assert [one["id"] for one in outcome.prediction.results] == ["good"]
    assert says in outcome.prediction.dropped[0].message


@pytest.mark.parametrize(
    "drawn_now",
    [
        pytest.param([], id="nothing"),
        pytest.param(
            [{"id": "s", "from_name": "when", "to_name": "video", "type": "timelinelabels",
              "value": {"ranges": [{"start": 1, "end": 3}], "timelinelabels": ["Walk"]}}],
            id="another type",
        ),
        pytest.param([{**drawn(key(1, box_of(0))), "from_name": "unknown"}], id="another tag"),
        pytest.param(
            [drawn(key(1, box_of(0)), key(9, box_of(8), enabled=False))], id="a finished track"
        ),
    ],
)  # fmt: skip
def test_what_is_no_box_to_follow_is_answered_with_nothing(drawn_now: list[Json]) -> None:
    assert outcome_of(*drawn_now).to_response(interactive=True)["result"] == []


def test_the_size_beside_a_track_is_not_what_it_lies_on() -> None:
    plain = drawn(key(1, box_of(0)))
    [sized] = follow({**plain, "original_width": 7, "original_height": 7, "image_rotation": 0})
    assert sized["value"] == follow(plain)[0]["value"]


@pytest.mark.parametrize("context", [{"result": "text"}, {"result": [None]}, {"result": 7}])
def test_a_context_that_is_none_names_what_was_found(context: Json) -> None:
    plan = routed(made(ColourBackend, CONFIG), xml=CONFIG)
    task = {"id": 1, "data": {"video": url(clip())}}
    [outcome] = runtime().pipeline.run(plan, [task], context)
    assert "context.result should be a list of regions" in str(outcome.error)


def test_a_turned_box_begins_as_the_upright_one_around_it() -> None:
    left, top, right, bottom = box_of(0)
    turned = key(1, (right, top, right + (bottom - top), top + (right - left)), rotation=90)
    turned["x"] = 100 * right / WIDTH
    [result] = follow(drawn(turned))
    assert result["value"]["sequence"][0]["rotation"] == 0
    assert np.mean(overlaps(result)) > 0.9


def test_a_video_of_one_frame_and_one_that_is_cut_in_half() -> None:
    [result] = follow(drawn(key(1, box_of(0))), data=video(1, {RED: swing}))
    assert list(track_boxes(result)) == [0]
    whole = clip(kind="webm")
    [result] = follow(drawn(key(1, box_of(0))), data=whole[: len(whole) // 2])
    shown = track_boxes(result)
    assert 5 < len(shown) < 35
    assert list(shown) == list(range(len(shown)))
    assert np.mean(overlaps(result)) > 0.9


@pytest.mark.parametrize("rate", ["", "12.5", "50", "x"])
def test_the_editor_counts_frames_at_another_rate(rate: str) -> None:
    config = CONFIG.replace(' frameRate="25"', f' frameRate="{rate}"' if rate else "")
    fps = {"12.5": 12.5, "50": 50.0}.get(rate, 24.0)
    [result] = follow(drawn(key(1, box_of(0))), config=config)
    shown = track_boxes(result)
    assert list(shown) == list(range(round(1.6 * fps)))
    in_file = {frame: int(frame / fps * 25 + 1e-3) for frame in shown}
    found = [iou(shown[frame], box_of(in_file[frame])) for frame in shown]
    assert np.mean(found) > 0.88


def test_what_time_is_left_for_ends_the_track_open_and_is_followed_on_when_it_is_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEGMENT_TRACK_SECONDS", "0")
    reset_runtime()
    [first] = follow(drawn(key(1, box_of(0))))
    assert [one["enabled"] for one in first["value"]["sequence"]] == [True]
    monkeypatch.delenv("SEGMENT_TRACK_SECONDS")
    reset_runtime()
    [second] = follow(first)
    assert list(track_boxes(second)) == list(range(40))


def test_a_job_follows_to_the_end_says_how_far_it_is_and_can_be_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEGMENT_TRACK_SECONDS", "0")
    reset_runtime()
    heard: list[float] = []
    with listening(heard.append):
        [result] = follow(drawn(key(1, box_of(0))))
    assert list(track_boxes(result)) == list(range(40))
    assert heard == pytest.approx([frame / 39 for frame in range(40)])

    def stop(fraction: float) -> None:
        if fraction > 0.5:
            raise TaskError("cancelled")

    with listening(stop):
        outcome = outcome_of(drawn(key(1, box_of(0))))
    assert (outcome.prediction, str(outcome.error)) == (None, "cancelled")


def test_a_request_without_time_says_that_it_is_not_finished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not outcome_of(drawn(key(1, box_of(0)))).is_unfinished
    monkeypatch.setenv("SEGMENT_TRACK_SECONDS", "0")
    reset_runtime()
    outcome = outcome_of(drawn(key(1, box_of(0))))
    assert outcome.is_unfinished
    assert "Select its label again" in outcome.prediction.dropped[0].message


def test_the_same_box_gives_the_same_track() -> None:
    assert follow(drawn(key(1, box_of(0)))) == follow(drawn(key(1, box_of(0))))


def test_only_what_the_editor_sends_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = made(ColourBackend, CONFIG)
    [claim] = backend.claim(backend.config)
    assert (claim.control.name, claim.interactive_only) == ("box", True)
    off = CONFIG.replace('smart="true"', 'smart="false"')
    backend = made(ColourBackend, off)
    assert backend.claim(backend.config) == []
    monkeypatch.setenv("SEGMENT_MODEL", "")
    reset_runtime()
    backend = made(ColourBackend, CONFIG)
    assert backend.claim(backend.config) == []


def test_a_direction_that_there_is_not_is_named() -> None:
    plan = routed(made(ColourBackend, with_attributes('model_direction="up"')),
                  xml=with_attributes('model_direction="up"'))  # fmt: skip
    assert 'model_direction="up" should be forward, backward, both' in " ".join(plan.problems)


def test_memory_does_not_grow_with_the_number_of_frames() -> None:
    """Both ways, no more frames are held than the chunks have."""
    from backends.segment.video import frame_order
    from shared.media.video import VideoFile, VideoLimits

    file = VideoFile.open(clip(), VideoLimits(10, 10_000))
    forward = [frame.time for frame in frame_order.read_frames(file, 0.0, False)]
    for held in (1, 3, 7, 100):
        monkey = pytest.MonkeyPatch()
        monkey.setattr(frame_order, "MAX_HELD_FRAMES", held)
        backward = [frame.time for frame in frame_order.read_frames(file, 9.0, True)]
        monkey.undo()
        assert backward == pytest.approx(forward[::-1], abs=1e-6), held
    assert file.size.height == HEIGHT
