"""Videos: tracks and spans as the editor shows them, compared with what was drawn."""

import base64
import inspect
import threading
import weakref
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from backends.detection.inputs import video
from backends.detection.inputs.camera_motion import CameraMotion, GrayImage
from backends.detection.inputs.tracker import track_objects
from backends.detection.model.detections import Detections
from backends.detection.model.detector import Detector
from backends.detection.regions import timeline
from shared.backend.process_resources import shared_resources
from shared.errors import DeadlineError
from shared.media.image import Image
from shared.media.video import Frame, VideoFile
from shared.pipeline import runtime
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.results import ImageSize, Video
from tests.backends.detection.clip import FPS, FRAMES, SIZE, Actor, Box, encode_video, make_clip
from tests.backends.detection.conftest import data_url, route_of
from tests.backends.detection.playback import box_iou, shown_box

pytest.importorskip("av")
pytest.importorskip("lap")
pytestmark = pytest.mark.usefixtures("keep_networks")

Truth = list[dict[str, Box]]
SHAPES = "".join(
    f'<Label value="{name}"/>' for name in ("Circle", "square", "star", "cross", "triangle")
)
LABELS = f'<Labels name="labels" toName="video">{SHAPES}</Labels>'
TRACK = '<VideoRectangle name="box" toName="video" model_score_threshold="0.5"/>' + LABELS


def label_config(tags: str, rate: str = 'frameRate="25"') -> str:
    return f'<View><Video name="video" value="$video" {rate}/>{tags}</View>'


def make_task(data: bytes, number: int = 1) -> dict[str, Any]:
    address = "data:video/webm;base64," + base64.b64encode(data).decode()
    return {"id": number, "data": {"video": address}}


def predict_tasks(xml: str, *tasks: dict[str, Any], **more: Any) -> list[Any]:
    outcomes = runtime.runtime().pipeline.run(route_of(xml), list(tasks), **more)
    return [outcome.to_response() for outcome in outcomes]


def predict_results(xml: str, data: bytes) -> list[dict[str, Any]]:
    [answer] = predict_tasks(xml, make_task(data))
    assert isinstance(answer, dict)
    found: list[dict[str, Any]] = answer["result"]
    return found


@pytest.fixture(scope="module")
def film() -> tuple[bytes, Truth]:
    """300 frames, five shapes."""
    return make_clip()


@pytest.fixture(scope="module")
def short() -> tuple[bytes, Truth]:
    return make_clip(40)


def is_inferring() -> bool:
    """Return whether this thread runs models, rather than loading and comparing one."""
    return threading.current_thread().name.startswith("infer")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the images of each call of a network."""
    counted: list[int] = []
    original = Detector.detect

    def detect(self: Detector, images: Any) -> Any:
        if is_inferring():
            counted.append(len(images))
        return original(self, images)

    monkeypatch.setattr(Detector, "detect", detect)
    return counted


def end_frames(sequence: Sequence[dict[str, Any]]) -> list[int]:
    return [key["frame"] for key in sequence if not key["enabled"]]


@pytest.mark.slow
def test_tracks_of_300_frames_follow_what_was_drawn(
    environment: None, film: tuple[bytes, Truth], looks: list[int]
) -> None:
    """One track per shape, within IoU 0.8 on every frame, by both trackers; decoded once."""
    data, truth = film
    tags = TRACK.replace('name="box"', 'name="botsort" model_tracker="botsort"')
    tags += '<VideoRectangle name="byte" toName="video" model_tracker="bytetrack"'
    tags += ' model_score_threshold="0.5"/>'
    tags += '<TimelineLabels name="when" toName="video"><Label value="Triangle"/></TimelineLabels>'
    tags += '<Choices name="has" toName="video" choice="multiple"><Choice value="star"/></Choices>'
    found = predict_results(label_config(tags), data)
    assert sum(looks) == FRAMES
    for name in ("botsort", "byte"):
        _check_tracks([r["value"] for r in found if r["from_name"] == name], truth)
    spans = [r["value"]["ranges"] for r in found if r["from_name"] == "when"]
    assert spans == [[{"start": 1, "end": 90}], [{"start": 161, "end": 300}]]
    [choice] = [r["value"] for r in found if r["from_name"] == "has"]
    assert choice == {"choices": ["star"]}


def _check_tracks(values: list[dict[str, Any]], truth: Truth) -> None:
    names = sorted(value["labels"][0].lower() for value in values)
    assert names == ["circle", "cross", "square", "star", "triangle", "triangle"]
    for value in values:
        assert (value["framesCount"], value["duration"]) == (FRAMES, FRAMES / FPS)
        assert len(value["sequence"]) <= FRAMES / 5, "key frames"
        assert not value["sequence"][-1]["enabled"]
        assert all(k["time"] == round(k["frame"] / FPS, 6) for k in value["sequence"])
    for name in {"circle", "cross", "square", "star", "triangle"}:
        own = [v["sequence"] for v in values if v["labels"][0].lower() == name]
        for number, boxes in enumerate(truth, 1):
            shown = [box for box in (shown_box(seq, number, SIZE) for seq in own) if box]
            assert len(shown) == (name in boxes), f"{name} on frame {number}"
            assert all(box_iou(box, boxes[name]) >= 0.8 for box in shown), (
                f"{name} on frame {number}"
            )
    [cross] = [v["sequence"] for v in values if v["labels"] == ["cross"]]
    assert end_frames(cross) == [200, FRAMES], "the same track before and after a short while away"


@pytest.mark.parametrize("rate", ["24", "50", "10"])
def test_boxes_are_where_the_editor_shows_the_frame(
    rate: str, environment: None, short: tuple[bytes, Truth]
) -> None:
    """The editor counts frames at the rate of its tag, not of the file."""
    data, truth = short
    found = predict_results(label_config(TRACK, f'frameRate="{rate}"'), data)
    assert {r["value"]["framesCount"] for r in found} == {round(40 / 25 * float(rate))}
    for result in found:
        name, sequence = result["value"]["labels"][0].lower(), result["value"]["sequence"]
        for number in range(1, sequence[-1]["frame"] + 1):
            shown = int((number - 1) / float(rate) * FPS + 1e-6)
            box = shown_box(sequence, number, SIZE)
            assert box is not None
            assert box_iou(box, truth[shown][name]) >= 0.8


def test_another_frame_rate_is_named_once(
    environment: None, short: tuple[bytes, Truth], caplog: pytest.LogCaptureFixture
) -> None:
    predict_tasks(label_config(TRACK, ""), make_task(short[0]), make_task(short[0], 2))
    assert caplog.text.count("counts 24 frames a second, but there are videos of 25") == 1
    caplog.clear()
    predict_tasks(label_config(TRACK), make_task(short[0]))
    assert "frames a second" not in caplog.text


def test_frames_between_those_looked_at_are_drawn_too(
    environment: None, short: tuple[bytes, Truth], looks: list[int]
) -> None:
    data, truth = short
    found = predict_results(label_config(TRACK.replace("/>", ' model_frame_step="3"/>', 1)), data)
    assert sum(looks) == 14
    assert len(found) == 5
    for result in found:
        name, sequence = result["value"]["labels"][0].lower(), result["value"]["sequence"]
        assert (sequence[0]["frame"], sequence[-1]["frame"]) == (1, 40)
        boxes = [shown_box(sequence, number, SIZE) for number in range(1, 41)]
        assert all(box and box_iou(box, truth[n][name]) >= 0.8 for n, box in enumerate(boxes))


def test_a_track_without_labels_has_none(environment: None, short: tuple[bytes, Truth]) -> None:
    found = predict_results(label_config('<VideoRectangle name="box" toName="video"/>'), short[0])
    assert len(found) >= 5
    assert all("labels" not in r["value"] for r in found)


def test_only_labels_of_the_config(environment: None, short: tuple[bytes, Truth]) -> None:
    one = LABELS.replace(SHAPES, '<Label value="Round" predicted_values="circle"/>')
    found = predict_results(
        label_config('<VideoRectangle name="box" toName="video"/>' + one), short[0]
    )
    assert [r["value"]["labels"] for r in found] == [["Round"]]
    only = TRACK.replace("/>", ' model_classes="star, cross"/>', 1)
    labels = sorted(r["value"]["labels"][0] for r in predict_results(label_config(only), short[0]))
    assert labels == ["cross", "star"]


def test_a_broken_video_costs_its_own_task(environment: None, short: tuple[bytes, Truth]) -> None:
    data = short[0]
    tasks = [
        make_task(data, 1),
        make_task(data[:300], 2),
        make_task(b"", 3),
        make_task(data[: len(data) // 2], 4),
    ]
    first, broken, empty, half = predict_tasks(label_config(TRACK), *tasks)
    assert len(first["result"]) == 5
    assert broken == []
    assert empty == []
    assert len(half["result"]) == 5
    last = max(r["value"]["sequence"][-1]["frame"] for r in half["result"])
    assert 5 < last < 30
    assert half["result"][0]["value"]["framesCount"] == 40
    reasons = [failure["reason"] for failure in runtime.runtime().failures.recent()]
    assert reasons.count("decode") == 2


def test_nothing_of_one_video_is_left_for_the_next(
    environment: None, short: tuple[bytes, Truth]
) -> None:
    other = make_clip(40, [Actor("circle", (220, 40, 40), lambda f: (280 - f, 60, 22))])[0]
    together = predict_tasks(
        label_config(TRACK), make_task(short[0]), make_task(other, 2), make_task(short[0], 3)
    )
    runtime.reset_runtime()
    alone = [predict_tasks(label_config(TRACK), make_task(data))[0] for data in (short[0], other)]
    assert together[0]["result"] == together[2]["result"] == alone[0]["result"]
    assert together[1]["result"] == alone[1]["result"]


def make_objects(at: Sequence[float], score: float = 0.9) -> Detections:
    """Return boxes of 20 pixels at these positions, all of one class."""
    boxes = np.array([[x, 10, x + 20, 30] for x in at], np.float32).reshape(-1, 4)
    scores = np.full(len(at), score, np.float32)
    return Detections(
        ImageSize(320, 240), ("car", "bus"), boxes, scores, np.zeros(len(at), np.int64)
    )


@pytest.mark.parametrize("kind", ["botsort", "bytetrack"])
def test_trackers_that_run_at_the_same_time_do_not_mix(kind: str) -> None:
    """A new tracker restarts the counter of tracks, which Ultralytics shares between trackers."""

    def founds() -> Iterator[Detections]:
        for number in range(20):
            if number in (5, 12):
                track_objects([make_objects([50]), make_objects([52])], kind, {})
            yield make_objects([10 + number, *([200 - number] if number > 6 else [])])

    tracks = track_objects(founds(), kind, {})
    assert [track.indices for track in tracks] == [list(range(20)), list(range(7, 20))]


@pytest.mark.parametrize("kind", ["botsort", "bytetrack"])
def test_a_track_begins_where_its_object_was_first_found(kind: str) -> None:
    founds = [make_objects([]), make_objects([]), *(make_objects([n]) for n in range(10))]
    [track] = track_objects(founds, kind, {})
    assert track.indices == list(range(2, 12))
    assert [float(box[0]) for box in track.boxes] == list(range(10))


def test_weak_objects_are_followed_but_not_begun() -> None:
    weak = [make_objects([n], 0.15) for n in range(5)]
    assert track_objects(weak, "bytetrack", {}) == []
    [track] = track_objects([make_objects([0]), make_objects([0]), *weak], "bytetrack", {})
    assert track.indices == list(range(7))
    lower = {"new_track_thresh": 0.05, "track_high_thresh": 0.05, "fuse_score": False}
    [track] = track_objects(weak, "bytetrack", lower)
    assert track.indices == list(range(5))


def test_asking_again_after_the_deadline_goes_on_where_it_stopped(
    environment: None, short: tuple[bytes, Truth], monkeypatch: pytest.MonkeyPatch
) -> None:
    go, begun, seen = threading.Event(), threading.Event(), []
    original = Detector.detect

    def detect(self: Detector, images: Any) -> Any:
        if is_inferring():
            seen.append(len(images))
            begun.set()
            assert go.wait(60)
        return original(self, images)

    one = encode_video([np.full((48, 64, 3), 255, np.uint8)], "mp4")
    assert predict_results(label_config(TRACK), one) == []  # the model is loaded
    monkeypatch.setattr(Detector, "detect", detect)
    waiting = RequestScope()
    threading.Thread(
        target=lambda: begun.wait(60) and waiting.cancel(DeadlineError("late"))
    ).start()
    assert predict_tasks(label_config(TRACK), make_task(short[0]), scope=waiting) == [[]]
    assert predict_tasks(label_config(TRACK), make_task(short[0]), scope=RequestScope(0.2)) == [[]]
    assert seen == [video.CHUNK_FRAMES], "it has begun, once"
    threading.Timer(0.2, go.set).start()
    [answer] = predict_tasks(label_config(TRACK), make_task(short[0]))
    assert len(answer["result"]) == 5
    assert sum(seen) == 40


def test_an_image_does_not_wait_for_a_video(
    environment: None, short: tuple[bytes, Truth], monkeypatch: pytest.MonkeyPatch
) -> None:
    go, begun = threading.Event(), threading.Event()
    original = video.VideoDetector.detect

    def detect(self: video.VideoDetector, footage: video.VideoInput) -> Any:
        begun.set()
        assert go.wait(60)
        return original(self, footage)

    monkeypatch.setattr(video.VideoDetector, "detect", detect)
    first: list[Any] = []
    running = threading.Thread(
        target=lambda: first.extend(predict_tasks(label_config(TRACK), make_task(short[0])))
    )
    running.start()
    assert begun.wait(60)
    image = '<View><Image name="i" value="$i"/><RectangleLabels name="r" toName="i">'
    image += f"{SHAPES}</RectangleLabels></View>"
    [answer] = predict_tasks(image, {"id": 2, "data": {"i": data_url()}})
    assert answer["result"]
    assert first == []
    go.set()
    running.join(60)
    assert len(first) == 1


def test_few_frames_are_in_memory(
    environment: None, monkeypatch: pytest.MonkeyPatch, film: tuple[bytes, Truth]
) -> None:
    """Of 300 frames, those that a network runs on and the next ones, being decoded."""
    living: weakref.WeakSet[Image] = weakref.WeakSet()
    most = 0

    def detect(images: Sequence[Image]) -> list[Detections]:
        nonlocal most
        living.update(images)
        most = max(most, len(living))
        return [make_objects([]) for _ in images]

    network: Any = type("Network", (), {"detect": staticmethod(detect)})()
    spec = video.ModelSpec("detection", "starter")
    watcher = video.VideoDetector({spec: network}, frame_step=1, estimates_motion=False)
    media = shared_resources().media
    opened = media.read_video(make_task(film[0])["data"]["video"])
    watched = watcher.detect(video.VideoInput(opened, None))  # type: ignore[arg-type]
    assert len(watched.detections.sampled_frames) == FRAMES
    assert most <= video.CHUNK_FRAMES * 2


def test_a_network_that_fails_leaves_no_thread_and_no_open_file(
    environment: None, monkeypatch: pytest.MonkeyPatch, film: tuple[bytes, Truth]
) -> None:
    def detect(images: Sequence[Image]) -> list[Detections]:
        raise MemoryError

    network: Any = type("Network", (), {"detect": staticmethod(detect)})()
    spec = video.ModelSpec("detection", "starter")
    watcher = video.VideoDetector({spec: network}, frame_step=1, estimates_motion=False)
    opened = shared_resources().media.read_video(make_task(film[0])["data"]["video"])
    reading: list[Generator[Frame, None, None]] = []

    def frames(self: Video) -> Generator[Frame, None, None]:
        reading.append(read(self))
        return reading[-1]

    read = VideoFile.frames
    monkeypatch.setattr(VideoFile, "frames", frames)
    with pytest.raises(MemoryError) as caught:
        watcher.detect(video.VideoInput(opened, None))  # type: ignore[arg-type]
    assert not [t.name for t in threading.enumerate() if t.name.startswith("decode")]
    assert [inspect.getgeneratorstate(one) for one in reading] == [inspect.GEN_CLOSED]
    assert caught.tb is not None


def make_texture(seed: int = 1) -> Any:
    """Return a gray background with corners everywhere, 340 pixels wide."""
    rough = np.random.default_rng(seed).integers(60, 200, (66, 85)).astype(np.uint8)
    return np.kron(rough, np.ones((4, 4), np.uint8))


@pytest.mark.parametrize(("ground", "moves"), [("rough", 3), ("rough", 0), ("plain", 0)])
def test_the_camera_moves_as_the_ground_does(ground: str, moves: int) -> None:
    """Not as the object that crosses it, which is all there is on a plain background."""
    whole = make_texture() if ground == "rough" else np.full((264, 340), 128, np.uint8)
    camera, moved = CameraMotion(), []
    for number in range(4):
        gray = whole[10 : 10 + 240, 10 + number * moves : 10 + number * moves + 320].copy()
        left = 40 + 9 * number
        gray[50:130, left : left + 80] = make_texture(2)[:80, :80]
        box = np.array([[left, 50, left + 80, 130]], np.float32)
        moved.append(camera.estimate(GrayImage(gray, 2.0), [box * 2]))
    assert np.array_equal(moved[0], np.eye(2, 3))
    for found in moved[1:]:
        assert found == pytest.approx(np.array([[1, 0, -2 * moves], [0, 1, 0]]), abs=0.2)


def make_probabilities(*rows: Sequence[float]) -> list[Detections]:
    none = np.zeros(0, np.float32)
    empty = (none.reshape(0, 4), none, none.astype(np.int64))
    names = ("run", "Walk", "sit")
    return [
        Detections(ImageSize(9, 9), names, *empty, probabilities=np.array(row, np.float32))
        for row in rows
    ]


def align_detections(
    founds: Sequence[Detections], rate: float = 25, step: int = 1
) -> tuple[Any, Any]:
    spec = video.ModelSpec("detection", "cls")
    frames = len(founds) * step
    looked = np.arange(0, frames, step)
    seen = video.VideoDetections(np.arange(frames) / 25, looked, {spec: founds})
    on = Video(ImageSize(9, 9), round(frames / 25 * rate), rate)
    return video.AlignedDetections(seen, on), spec


def predict_spans(
    founds: Sequence[Detections], attrs: str = "", **more: Any
) -> list[tuple[str, int, int]]:
    labels = '<Label value="Run"/><Label value="Still" predicted_values="sit,Walk"/>'
    xml = label_config(f'<TimelineLabels name="t" toName="video" {attrs}>{labels}</TimelineLabels>')
    [claim] = route_of(xml).all_claims()
    of, spec = align_detections(founds, **more)
    claim = type(claim)(claim.controls, claim.object, spec, {**claim.options, "network": spec})
    found = [r.results[0]["value"] for r in timeline.span_regions(of, claim)]
    return [(v["timelinelabels"][0], *v["ranges"][0].values()) for v in found]


RUN, WALK, SIT = (0.9, 0.1, 0.0), (0.1, 0.6, 0.3), (0.0, 0.3, 0.7)


@pytest.mark.parametrize(
    ("founds", "attrs", "expected", "why"),
    [
        ([RUN] * 10 + [SIT] * 10, "", [("Run", 1, 10), ("Still", 11, 20)], "one after the other"),
        ([RUN] * 10 + [SIT] + [RUN] * 9, "", [("Run", 1, 20)], "a flicker is smoothed"),
        (
            [RUN] * 3 + [SIT] + [RUN] * 3,
            'model_smoothing="1"',
            [("Run", 1, 3), ("Run", 5, 7), ("Still", 4, 4)],
            "unless it is not to be",
        ),
        ([WALK] * 5 + [SIT] * 5, "", [("Still", 1, 10)], "classes of one label add up"),
        ([(0.4, 0.3, 0.3)] * 9, "", [("Still", 1, 9)], "0.5 by itself"),
        (
            [(0.4, 0.3, 0.3)] * 9,
            'model_score_threshold="0.3"',
            [("Run", 1, 9), ("Still", 1, 9)],
            "labels hold independently",
        ),
        ([(0.4, 0.3, 0.3)] * 9, 'model_score_threshold="0.7"', [], "nothing is sure enough"),
        ([WALK] * 5, 'model_classes="sit"', [], "a class left out"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_spans(founds: Any, attrs: str, expected: Any, why: str, environment: None) -> None:
    assert predict_spans(make_probabilities(*founds), attrs) == expected, why


@pytest.mark.parametrize(("rate", "step", "expected"), [(50, 1, 20), (25, 3, 30), (12.5, 1, 5)])
def test_spans_are_in_frames_of_the_editor(
    rate: float, step: int, expected: int, environment: None
) -> None:
    founds = make_probabilities(*([RUN] * 10 + [SIT] * 10))
    found = predict_spans(founds, 'model_smoothing="1"', rate=rate, step=step)
    assert found == [("Run", 1, expected), ("Still", expected + 1, expected * 2)]


def test_a_classifying_network_answers_frames_and_the_whole(
    environment: None, short: tuple[bytes, Truth]
) -> None:
    names = ("circle", "Square", "car")
    labels = "".join(f'<Label value="{name}"/>' for name in names)
    tags = '<TimelineLabels name="t" toName="video" model_path="yolo11n-cls.pt"'
    tags += f' model_score_threshold="0">{labels}</TimelineLabels>'
    tags += '<Choices name="c" toName="video" model_path="yolo11n-cls.pt"'
    tags += f' model_score_threshold="0">{labels.replace("<Label", "<Choice")}</Choices>'
    found = predict_results(label_config(tags), short[0])
    spans = {r["value"]["timelinelabels"][0]: r for r in found if r["from_name"] == "t"}
    assert set(spans) == set(names)
    assert all(r["value"]["ranges"] == [{"start": 1, "end": 40}] for r in spans.values())
    assert sum(r["score"] for r in spans.values()) == pytest.approx(1, abs=0.01)
    [choice] = [r for r in found if r["from_name"] == "c"]
    surest = max(spans, key=lambda name: spans[name]["score"])
    assert choice["value"] == {"choices": [surest]}
    assert choice["score"] == pytest.approx(spans[surest]["score"], abs=0.01)


@pytest.mark.parametrize(
    ("attrs", "message"),
    [
        ('model_tracker="sort"', 'model_tracker="sort" should be botsort or bytetrack'),
        ('model_tracker="../x.yaml"', "should be botsort or bytetrack"),
        ('botsort_max_age="3"', 'botsort_max_age="3" is not a parameter of botsort'),
        ('botsort_with_reid="true"', "is not a parameter of botsort that can be set"),
        ('botsort_track_buffer="many"', "should be a number from 0 to 10000"),
        ('model_frame_step="0"', 'model_frame_step="0" should be a number from 1 to 1000'),
        ('model_conf="2"', 'model_conf="2" should be a number from 0 to 1'),
    ],
)
def test_bad_attributes_are_named(attrs: str, message: str, environment: None) -> None:
    route = route_of(label_config(TRACK.replace("/>", f" {attrs}/>", 1)))
    assert route.steps == ()
    assert message in route.problems[0]


def test_parameters_reach_the_tracker(environment: None, short: tuple[bytes, Truth]) -> None:
    never = 'model_tracker="bytetrack" bytetrack_new_track_thresh="1"'
    assert predict_results(label_config(TRACK.replace("/>", f" {never}/>", 1)), short[0]) == []
    other = never.replace("bytetrack_", "botsort_")
    assert len(predict_results(label_config(TRACK.replace("/>", f" {other}/>", 1)), short[0])) == 5


def test_a_network_without_objects_is_named(
    environment: None, caplog: pytest.LogCaptureFixture, short: tuple[bytes, Truth]
) -> None:
    tags = TRACK.replace("/>", ' model_path="yolo11n-cls.pt"/>', 1)
    assert predict_tasks(label_config(tags), make_task(short[0])) == [[]]
    assert 'VideoRectangle "box" needs objects' in caplog.text


def test_one_frame_is_a_video(environment: None) -> None:
    data = encode_video([np.full((48, 64, 3), 255, np.uint8)], "mp4")
    assert predict_results(label_config(TRACK), data) == []
    opened = VideoFile.open(
        data, shared_resources().media.read_video(make_task(data)["data"]["video"]).limits
    )
    assert len(list(opened.frames())) == 1
