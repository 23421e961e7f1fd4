"""Which control tags on videos get tracks, and what their attributes ask for."""

from collections.abc import Iterator

from backends.segment.settings import SegmentSettings
from backends.segment.tag_choice import choose_model
from backends.segment.video.drawn_tracks import TrackOptions
from shared.backend import Claim, LabelConfig, ModelSpec, spec_options
from shared.settings import Settings

TAG = "VideoRectangle"


def claim_videos(
    config: LabelConfig, settings: SegmentSettings, server: Settings, backend: str
) -> Iterator[Claim]:
    """Yield a claim on each VideoRectangle that the editor sends when it is drawn.

    It does so unless the tag says smart="false".
    """
    for control, target in config.tag_pairs():
        if control.tag != TAG or target.tag != "Video" or not control.get_flag("smart", True):
            continue
        model = choose_model([control], settings, server)
        if model:
            spec = ModelSpec(backend, model, spec_options(video=True))
            options = {"track": TrackOptions.read(control)}
            yield Claim((control,), target, spec, options, interactive_only=True)


def is_video_spec(spec: ModelSpec) -> bool:
    """Return whether a model follows objects through videos."""
    return bool(dict(spec.options).get("video"))
