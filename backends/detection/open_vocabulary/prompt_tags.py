"""Says of a text area for prompts what a model that finds what is typed would do with it."""

from collections.abc import Callable, Iterator

from backends.detection.tags.tag_options import base_tag
from shared.label_studio.label_config import Control, LabelConfig

# Such a model, for messages.
EXAMPLE_MODEL = "IDEA-Research/grounding-dino-tiny"


def explain_prompts(
    rest: LabelConfig, whole: LabelConfig, is_open: Callable[[Control], bool]
) -> Iterator[str]:
    """Yield why text areas named "prompt…" on images with boxes are not read.

    `rest` has the control tags that nobody fills, of the `whole` label config. `is_open` says
    whether a control tag is filled by a model that finds what words name.
    """
    for control, target in rest.tag_pairs():
        if target.tag != "Image" or not _is_prompt(control):
            continue
        boxes = [one for one in whole.controls_on(target.name) if _takes_boxes(one)]
        if boxes and not any(map(is_open, boxes)):
            yield (
                f"{control} is not read: set DETECTION_MODEL to a model that finds what is typed,"
                f" such as {EXAMPLE_MODEL} (extra open-vocabulary)"
            )


def _is_prompt(control: Control) -> bool:
    return control.tag == "TextArea" and control.name.lower().startswith("prompt")


def _takes_boxes(control: Control) -> bool:
    return base_tag(control) == "Rectangle" and not control.get_flag("model_skip")
