"""How values of the official examples' variables become values of ours."""

import json
import re
from collections.abc import Callable
from importlib.util import find_spec

from shared.label_studio.official_examples.variable import NoMeaningError, Surroundings

# Meta's names of Segment Anything's weights, and those under which Ultralytics publishes them.
SAM_SIZES = {"tiny": "t", "small": "s", "base_plus": "b", "large": "l"}
_SAM_2 = re.compile(r"(sam2(?:\.1)?)_hiera_(tiny|small|base_plus|large)\.pt")
# The first Segment Anything by its size: Ultralytics publishes two, and the hub has the third.
SAM_1 = {
    "sam_vit_b_01ec64.pth": "sam_b.pt",
    "sam_vit_l_0b3195.pth": "sam_l.pt",
    "sam_vit_h_4b8939.pth": "facebook/sam-vit-huge",
}
SAM_CHOICES = {"mobilesam": "mobile_sam.pt", "sam": "sam_vit_h_4b8939.pth"}
# Files of Grounding DINO, and the same networks as transformers reads them.
GROUNDING_DINO = {
    "swint": "IDEA-Research/grounding-dino-tiny",
    "swinb": "IDEA-Research/grounding-dino-base",
}
# The ends of the architectures in a `config.json` of transformers, by backend.
_ARCHITECTURES = {
    "ner": "ForTokenClassification",
    "text_classification": "ForSequenceClassification",
}


def read_fraction(value: str, around: Surroundings) -> str:
    """Return a number from 0 to 1."""
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise NoMeaningError(f"{value!r} is no number from 0 to 1")
    return value


def read_whole_number(value: str, around: Surroundings) -> str:
    """Return a whole number of 1 or more."""
    if not value.strip().isdecimal() or int(value) < 1:
        raise NoMeaningError(f"{value!r} is no whole number of 1 or more")
    return value


def find_trained_folder(backend: str) -> Callable[[str, Surroundings], str]:
    """Return what finds the folder in MODEL_DIR that an example has trained for a backend."""

    def find(value: str, around: Surroundings) -> str:
        config = around.find_file(f"{value}/config.json")
        names = _read_architectures(config.read_bytes()) if config else []
        if not any(name.endswith(_ARCHITECTURES[backend]) for name in names):
            raise NoMeaningError(
                f"MODEL_DIR has no trained model in the folder {value}; trainings of this server"
                " are in TRAIN_DIR"
            )
        return value

    return find


def _read_architectures(data: bytes) -> list[str]:
    try:
        names = json.loads(data).get("architectures")
    except (ValueError, AttributeError):  # no JSON, or no object
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def find_gliner_folder(value: str, around: Surroundings) -> str:
    """Return the folder of a GLiNER model that the example has trained."""
    if around.find_file(f"{value}/gliner_config.json") is None:
        raise NoMeaningError(
            f"MODEL_DIR has no trained model in the folder {value}; trainings of this server"
            " are in TRAIN_DIR"
        )
    return value


def name_sam_weights(value: str, around: Surroundings) -> str:
    """Return Segment Anything's weights: a file in MODEL_DIR, else their published name."""
    file = around.find_file(value)
    if file is not None:
        return file.relative_to(around.model_dir).as_posix()
    name = value.replace("\\", "/").rpartition("/")[2]
    if found := _SAM_2.fullmatch(name):
        return f"{found[1]}_{SAM_SIZES[found[2]]}.pt"
    return SAM_1.get(name, name)


def choose_sam(value: str, around: Surroundings) -> str:
    """Return the weights that SAM_CHOICE means, from the files that the example names for it."""
    variables = {"mobilesam": "MOBILESAM_CHECKPOINT", "sam": "VITH_CHECKPOINT"}
    choice = "sam" if value.lower() == "onnx" else value.lower()  # the same network, exported
    if choice not in SAM_CHOICES:
        raise NoMeaningError(f"{value!r} is none of MobileSAM, SAM, ONNX")
    named = around.environment.get(variables[choice], "")
    return name_sam_weights(named or SAM_CHOICES[choice], around)


def choose_sam_after_boxes(value: str, around: Surroundings) -> str:
    """Return the weights that USE_SAM or USE_MOBILE_SAM turn on."""
    if value.strip().lower() not in {"true", "1", "yes"}:
        raise NoMeaningError("it is off; SEGMENT_MODEL turns it on")
    mobile = around.environment.get("USE_MOBILE_SAM", "").strip().lower() in {"true", "1", "yes"}
    variable, default = (
        ("MOBILESAM_CHECKPOINT", SAM_CHOICES["mobilesam"])
        if mobile
        else ("SAM_CHECKPOINT", SAM_CHOICES["sam"])
    )
    return name_sam_weights(around.environment.get(variable) or default, around)


def name_grounding_dino(value: str, around: Surroundings) -> str:
    """Return the model on the hub that a file of Grounding DINO's own repository is."""
    for part, name in GROUNDING_DINO.items():
        if part in value.lower():
            return name
    raise NoMeaningError(
        f"{value!r} is no file of Grounding DINO that is known: set DETECTION_MODEL to a model"
        f" such as {GROUNDING_DINO['swint']}"
    )


def read_by_easyocr(become: str = "") -> Callable[[str, Surroundings], str]:
    """Return what turns EasyOCR's languages into a setting: `become`, or else the languages."""

    def read(value: str, around: Surroundings) -> str:
        if find_spec("easyocr") is None:
            raise NoMeaningError(
                "with the extra `easyocr`, which is not installed here, it would be OCR_ENGINE and"
                " OCR_LANG"
            )
        return become or value

    return read


def name_local_chat_model(value: str, around: Surroundings) -> str:
    """Return a transformers model that runs here, as PROMPT_MODEL names it."""
    return f"hf:{value}"
