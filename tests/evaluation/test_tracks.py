"""HOTA and IDF1 of tracks are those of trackeval on the same frames, and those computed by hand."""

import math

import numpy as np
import pytest
import trackeval
from trackeval.datasets._base_dataset import _BaseDataset

from shared.evaluation.metrics.bootstrap import Bootstrap
from shared.evaluation.metrics.track_metric import TrackMetric
from shared.evaluation.problems import ProblemLog
from shared.label_studio.label_config import Control
from shared.results import ImageSize, Rectangle, TimelineSpan, Video, VideoBox, VideoTrack
from tests.evaluation.regions import region_of

TRACK = Control("VideoRectangle", "track", "video")
VIDEO = Video(ImageSize(100, 100), 1)


def track(label, *keys, score=None):
    """Return a track of boxes of height 10, from (frame, left, is enabled) and a width, or 10."""
    boxes = [
        VideoBox(frame, Rectangle(left, 0, *(width or (10,)), 10), enabled)
        for frame, left, enabled, *width in keys
    ]
    return region_of(VideoTrack(boxes), label, TRACK, source=VIDEO, score=score)


def add_all(cases):
    metric = TrackMetric(TRACK)
    return metric, [
        metric.add(case, truth, predicted) for case, (truth, predicted) in enumerate(cases)
    ]


CAR = track("car", (0, 0, True), (3, 30, False))

# True and predicted tracks, HOTA and IDF1.
BY_HAND = {
    "the same": ([CAR], [CAR], 1, 1),
    # Frames 0–3, of which each half is found as a track of its own. Detection: all 4 boxes are
    # hit, DetA = 1. Association: of each hit 2 of the 4 boxes of both tracks together, AssA = 1/2.
    # Identity: one of the two tracks is the car, 2 hits, 2 misses, 2 inventions.
    "an identity switch": (
        [CAR],
        [
            track("car", (0, 0, True), (1, 10, False)),
            track("car", (2, 20, True), (3, 30, False)),
        ],
        math.sqrt(1 / 2),
        2 / (2 + (2 + 2) / 2),
    ),
    # 2 of 4 frames: DetA = 2/4, AssA = 2/4; identity: 2 hits, 2 misses.
    "the first half": (
        [CAR],
        [track("car", (0, 0, True), (1, 10, False))],
        math.sqrt(1 / 2 * 1 / 2),
        2 / (2 + 2 / 2),
    ),
    # IoU 5 / 15 on each frame: hit at the thresholds .05 to .30, which are 6 of 19.
    "half aside": (
        [CAR],
        [track("car", (0, 5, True), (3, 35, False))],
        6 / 19,
        0,
    ),
    # IoU 1 on frames 0 and 3; between them the editor draws 0, 10, 20, 30.
    "more key frames of the same way": (
        [CAR],
        [track("car", (0, 0, True), (1, 10, True), (2, 20, True), (3, 30, False))],
        1,
        1,
    ),
    "another label": ([CAR], [track("bus", (0, 0, True), (3, 30, False))], 0, 0),
    "nothing predicted": ([CAR], [], 0, 0),
    "nothing true": ([], [CAR], 0, 0),
    # Turned by 90° about (16, 0) of frames 16:9: the square 9 × 16 percent to its left.
    "a turned box": (
        [
            region_of(
                VideoTrack([VideoBox(0, Rectangle(16, 0, 9, 16, 90))]), "car", TRACK, source=VIDEO
            )
        ],
        [region_of(VideoTrack([VideoBox(0, Rectangle(7, 0, 9, 16))]), "car", TRACK, source=VIDEO)],
        1,
        1,
    ),
}


@pytest.mark.parametrize(("truth", "predicted", "hota", "idf1"), BY_HAND.values(), ids=BY_HAND)
def test_figures_computed_by_hand(truth, predicted, hota, idf1):
    metric, (outcome,) = add_all([(truth, predicted)])
    figures = metric.figures(Bootstrap(1))
    assert figures["hota"] == pytest.approx(hota, abs=1e-6)
    assert figures["idf1"] == pytest.approx(idf1, abs=1e-6)
    assert outcome.score == pytest.approx(idf1, abs=1e-6)
    assert figures["regions"] == {"truth": len(truth), "predicted": len(predicted)}
    assert figures["interval"]["hota"] == pytest.approx([hota] * 2, abs=1e-6)


def make_case(generator):
    """Return true and predicted tracks: jittered, with gaps, switched, missing and invented."""
    truth, predicted = [], []
    for label in ("car", "car", "bus"):
        starts = np.sort(generator.choice(30, 4, replace=False)).tolist()
        lefts = generator.integers(0, 60, 4).tolist()
        enabled = [True, bool(generator.integers(2)), True, False]
        keys = [(*key, 12) for key in zip(starts, lefts, enabled, strict=True)]
        truth.append(track(label, *keys))
        jitter = generator.integers(-3, 4, 4).tolist()
        moved = [(f, x + d, on, 12) for (f, x, on, _), d in zip(keys, jitter, strict=True)]
        if generator.integers(3):
            predicted.append(track(label, *moved[:2]))
            predicted.append(track(label, *moved[2:]))
        elif generator.integers(2):
            predicted.append(track(label, *moved))
    predicted.append(track("bus", (5, 50, True), (9, 60, False)))
    return truth, predicted


def boxes_by_frame(region, last):
    """Draw a track frame by frame, as the editor's VideoRectangleRegion does."""
    keys = sorted(region.shape.boxes, key=lambda key: key.frame)
    drawn = {}
    for frame in range(last + 1):
        before = [key for key in keys if key.frame <= frame]
        after = [key for key in keys if key.frame > frame]
        if not before or not (before[-1].enabled or before[-1].frame == frame):
            continue
        start = before[-1]
        box = start.box
        drawn[frame] = [box.x, box.y, box.width, box.height]
        if after:
            end = after[0]
            part = (frame - start.frame) / (end.frame - start.frame)
            drawn[frame][0] += (end.box.x - box.x) * part
            drawn[frame][2] += (end.box.width - box.width) * part
    return drawn


def sequence_of(truth, predicted, last):
    drawn = [[boxes_by_frame(one, last) for one in tracks] for tracks in (truth, predicted)]
    ids = [
        [np.array([n for n, one in enumerate(tracks) if t in one], int) for t in range(last + 1)]
        for tracks in drawn
    ]
    boxes = [
        [np.array([one[t] for one in tracks if t in one]).reshape(-1, 4) for t in range(last + 1)]
        for tracks in drawn
    ]
    return {
        "num_timesteps": last + 1,
        "num_gt_ids": len(truth),
        "num_tracker_ids": len(predicted),
        "num_gt_dets": sum(map(len, ids[0])),
        "num_tracker_dets": sum(map(len, ids[1])),
        "gt_ids": ids[0],
        "tracker_ids": ids[1],
        "similarity_scores": [
            _BaseDataset._calculate_box_ious(one, other, box_format="xywh")
            for one, other in zip(*boxes, strict=True)
        ],
    }


def label_of(region):
    return region.values[TRACK][0]


@pytest.fixture(scope="module")
def cases():
    generator = np.random.default_rng(3)
    return [make_case(generator) for _ in range(12)]


@pytest.fixture(scope="module")
def sequences(cases):
    """What trackeval is given by label: all videos, frame by frame, drawn here on their own."""
    found = {"car": {}, "bus": {}}
    for number, (truth, predicted) in enumerate(cases):
        last = max(box.frame for one in (*truth, *predicted) for box in one.shape.boxes)
        for label, of_label in found.items():
            own = [
                [one for one in tracks if label_of(one) == label] for tracks in (truth, predicted)
            ]
            of_label[number] = sequence_of(*own, last)
    return found


@pytest.mark.parametrize("label", ["car", "bus", None])
def test_figures_are_those_of_trackeval(cases, sequences, label):
    figures = add_all(cases)[0].figures(Bootstrap(len(cases)))
    own = figures if label is None else figures["labels"][label]
    chosen = [label] if label else list(sequences)
    data = {(name, n): one for name in chosen for n, one in sequences[name].items()}
    for key, name, metric in (
        ("hota", "HOTA", trackeval.metrics.HOTA()),
        ("idf1", "IDF1", trackeval.metrics.Identity({"PRINT_CONFIG": False})),
    ):
        results = {place: metric.eval_sequence(one) for place, one in data.items()}
        expected = float(np.mean(metric.combine_sequences(results)[name]))
        assert own[key] == pytest.approx(expected, abs=1e-6)
        assert 0.2 < expected < 0.9
        low, high = own["interval"][key]
        assert low < expected < high


def test_figures_count_tracks_and_tasks(cases):
    figures = add_all(cases)[0].figures(Bootstrap(len(cases)))
    assert figures["tasks"] == 12
    assert figures["regions"]["truth"] == 36
    assert figures["labels"]["car"]["regions"]["truth"] == 24
    assert list(figures["labels"]) == ["bus", "car"]


def test_outcomes_tell_hits_misses_and_inventions():
    bus = track("bus", (0, 0, True), (1, 0, False))
    near = track("car", (0, 1, True), (3, 31, False), score=0.8)
    metric, (outcome,) = add_all([([CAR, bus], [near, track("car", (0, 80, False), score=0.4)])])
    # 1 aside: 9 of 11
    assert [hit.similarity for hit in outcome.hits] == pytest.approx([9 / 11])
    assert outcome.misses == [bus]
    assert [one.score for one in outcome.inventions] == [0.4]
    # 4 frames are hit; 2 are missed, 1 is invented
    assert outcome.score == pytest.approx(4 / (4 + 3 / 2))
    scored = metric.scored()["car"]
    assert (scored.scores.tolist(), scored.hits.tolist(), scored.truths) == (
        [0.8, 0.4],
        [True, False],
        1,
    )


def test_nothing_found_where_nothing_is_counts_as_right():
    metric, (outcome,) = add_all([([], [])])
    assert outcome.score == 1
    assert metric.figures(Bootstrap(1)) == {"regions": {"truth": 0, "predicted": 0}, "tasks": 0}


def test_tracks_without_a_key_frame_have_no_figures():
    metric, _ = add_all([([track("car")], [])])
    figures = metric.figures(Bootstrap(1))
    assert figures["regions"] == {"truth": 1, "predicted": 0}
    assert "hota" not in figures


def test_an_interval_is_that_of_the_resampled_videos(cases):
    # HOTA of a resample is that of its videos, those drawn twice taken twice
    metric, _ = add_all(cases[:3])
    weights = Bootstrap(3).weights(np.arange(3)).astype(int)
    drawn = [
        add_all([cases[n] for n in range(3) for _ in range(times[n])])[0].figures(Bootstrap(9))
        for times in np.unique(weights, axis=0)
    ]
    _, places = np.unique(weights, axis=0, return_inverse=True)
    values = np.array([figures["hota"] for figures in drawn])[places.ravel()]
    expected = np.percentile(values, (2.5, 97.5))
    assert metric.figures(Bootstrap(3))["interval"]["hota"] == pytest.approx(expected, abs=1e-9)


def test_a_track_that_is_too_long_costs_only_itself():
    problems = ProblemLog()
    metric = TrackMetric(TRACK, problems=problems)
    metric.add(0, [CAR], [CAR, track("car", (0, 0, True), (5_000_000, 0, True))])
    assert metric.figures(Bootstrap(1))["hota"] == 1
    (problem,) = problems
    assert str(problem) == (
        "tracks of track have key frames after frame 1000000, as no video has: they are left out"
    )


def test_spans_of_frames_are_no_tracks():
    span = region_of(TimelineSpan(0, 5), "car", TRACK, source=VIDEO)
    assert add_all([([span], [])])[0].figures(Bootstrap(1))["regions"]["truth"] == 0
