"""What a network has to learn for a control tag, and which tags cannot be trained."""

from backends.detection.tags.image_tags import shared_labels
from backends.detection.tags.tag_options import MASK_TAGS, base_tag
from shared.backend.claim import Claim
from shared.label_studio.label_config import Control, LabelConfig

# Tags whose regions have outlines, from which a network learns masks.
OUTLINE_TAGS = (*MASK_TAGS, "Ellipse")


def network_task(control: Control) -> str:
    """Return the task in Ultralytics' words: detect, segment, pose, obb or classify."""
    if base_tag(control) in OUTLINE_TAGS:
        return "segment"
    if base_tag(control) == "KeyPoint":
        return "pose"
    if control.tag == "Choices":
        return "classify"
    turns = control.get_flag("model_obb", default=control.get_flag("canRotate"))
    return "obb" if turns and control.tag != "VideoRectangle" else "detect"


def find_obstacle(claim: Claim, config: LabelConfig) -> str | None:
    """Return why a network cannot be trained for a claim; None if it can."""
    control, shown = claim.control, claim.object.tag
    if control.tag == "Taxonomy":
        return f"{control}: a network learns one class for a picture, not paths of a Taxonomy"
    if control.tag == "TimelineLabels" or (control.tag == "Choices" and shown == "Video"):
        return f"{control}: networks are trained on pictures, and it describes whole videos"
    if control.tag == "Choices" and control.get_flag("perItem"):
        return f"{control}: networks are trained on single images, not on each image of a list"
    if control.tag == "Choices" and control.attrs.get("choice", "").startswith("multiple"):
        return f"{control}: a network learns one class for a picture, and several may be chosen"
    if not any(one.has_labels for one in claim.controls):
        return f"{control} gives its regions no labels, so there is nothing to learn"
    if base_tag(control) == "KeyPoint" and not box_controls(claim, config):
        return (
            f"{control}: a network learns key points together with the boxes around them: add"
            " RectangleLabels on the same image"
        )
    return None


def box_controls(claim: Claim, config: LabelConfig) -> tuple[Control, ...]:
    """Return the control tag that draws the boxes around key points, and its Labels, if any.

    It is the one that predictions put boxes into, or else the first on the image.
    """
    control = claim.control
    if base_tag(control) != "KeyPoint":
        return ()
    boxes = [one for one in config.controls_on(control.to_name) if base_tag(one) == "Rectangle"]
    chosen = [one for one in boxes if one.name == claim.options.get("boxes")] or boxes
    return (chosen[0], *shared_labels(chosen[0], config)) if chosen else ()
