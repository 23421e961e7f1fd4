"""What becomes of the environment of an official example."""

import json
from pathlib import Path

import pytest

from shared.label_studio.official_examples import values
from shared.label_studio.official_examples.reading import (
    adopted_variables,
    describe_reading,
    describe_readings,
    read_variables,
)

NER = {"BASELINE_MODEL_NAME": "dslim/bert-base-NER", "FINETUNED_MODEL_NAME": "finetuned_model"}


@pytest.mark.parametrize(
    ("environment", "adopted"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"MODEL_NAME": "", "SAM_CHOICE": ""}, {}, id="empty-is-unset"),
        pytest.param(
            NER,
            {
                "NER_MODEL": "dslim/bert-base-NER",
                "TEXT_CLASSIFICATION_TRAIN_BASE": "dslim/bert-base-NER",
            },
            id="huggingface_ner",
        ),
        pytest.param(
            NER | {"NER_MODEL": "mine"},
            {"TEXT_CLASSIFICATION_TRAIN_BASE": "dslim/bert-base-NER"},
            id="ours-comes-first",
        ),
        pytest.param({"GLINER_MODEL_NAME": "a/b"}, {"NER_MODEL": "a/b"}, id="gliner"),
        pytest.param({"THRESHOLD": "0.3"}, {"NER_SCORE_THRESHOLD": "0.3"}, id="threshold"),
        pytest.param({"THRESHOLD": "80"}, {}, id="not-a-threshold"),
        pytest.param({"FLAIR_MODEL_NAME": "ner-multi"}, {}, id="flair"),
        pytest.param(
            {"SPACY_MODEL": "en_core_web_sm"}, {"NER_MODEL": "en_core_web_sm"}, id="spacy"
        ),
        pytest.param({"MODEL_NAME": "facebook/opt-125m"}, {}, id="a-name-that-says-too-little"),
        pytest.param(
            {"MODEL_NAME": "facebook/opt-125m", "MAX_LENGTH": "50"},
            {"PROMPT_MODEL": "hf:facebook/opt-125m", "PROMPT_MAX_TOKENS": "50"},
            id="huggingface_llm",
        ),
        pytest.param(
            {"MODEL_CHECKPOINT": "sam2.1_hiera_large.pt", "MODEL_CONFIG": "sam2.1_hiera_l.yaml"},
            {"SEGMENT_MODEL": "sam2.1_l.pt"},
            id="sam2.1",
        ),
        pytest.param(
            {"MODEL_CHECKPOINT": "sam2_hiera_base_plus.pt"},
            {"SEGMENT_MODEL": "sam2_b.pt"},
            id="sam2",
        ),
        pytest.param({"SAM_CHOICE": "MobileSAM"}, {"SEGMENT_MODEL": "mobile_sam.pt"}, id="mobile"),
        pytest.param({"SAM_CHOICE": "SAM"}, {"SEGMENT_MODEL": "facebook/sam-vit-huge"}, id="sam"),
        pytest.param(
            {"SAM_CHOICE": "ONNX", "VITH_CHECKPOINT": "/app/models/sam_vit_b_01ec64.pth"},
            {"SEGMENT_MODEL": "sam_b.pt"},
            id="sam-of-a-file",
        ),
        pytest.param({"SAM_CHOICE": "other"}, {}, id="no-sam"),
        pytest.param({"USE_SAM": "false", "USE_MOBILE_SAM": "true"}, {}, id="boxes-only"),
        pytest.param(
            {"USE_SAM": "true", "USE_MOBILE_SAM": "true"},
            {"SEGMENT_MODEL": "mobile_sam.pt"},
            id="boxes-and-mobile-sam",
        ),
        pytest.param(
            {"USE_SAM": "True"}, {"SEGMENT_MODEL": "facebook/sam-vit-huge"}, id="boxes-and-sam"
        ),
        pytest.param(
            {"GROUNDING_DINO_WEIGHTS": "groundingdino_swint_ogc.pth"},
            {"DETECTION_MODEL": "IDEA-Research/grounding-dino-tiny"},
            id="grounding-dino",
        ),
        pytest.param(
            {
                "GROUNDING_DINO_CONFIG": "GroundingDINO_SwinB_cfg.py",
                "GROUNDING_DINO_WEIGHTS": "groundingdino_swinb_cogcoor.pth",
            },
            {"DETECTION_MODEL": "IDEA-Research/grounding-dino-base"},
            id="grounding-dino-twice",
        ),
        pytest.param({"GROUNDING_DINO_WEIGHTS": "mine.pth"}, {}, id="another-dino"),
        pytest.param(
            {"MODEL_ROOT": "/app/models", "MODEL_DIR": "/data", "MODEL_SCORE_THRESHOLD": "0.5"},
            {"MODEL_DIR": "/app/models", "DETECTION_SCORE_THRESHOLD": "0.5"},
            id="yolo",
        ),
        pytest.param({"MODEL_ROOT": "/elsewhere"}, {}, id="a-root-of-something-else"),
        pytest.param(
            {"SCORE_THRESHOLD": "0.4"},
            {"DETECTION_SCORE_THRESHOLD": "0.4", "OCR_SCORE_THRESHOLD": "0.4"},
            id="one-name-for-two",
        ),
    ],
)
def test_what_becomes_ours(environment: dict[str, str], adopted: dict[str, str]) -> None:
    assert adopted_variables(read_variables(environment)) == adopted


def test_what_comes_before_one_of_ours_is_said() -> None:
    environment = {"MODEL_ROOT": "/app/models", "MODEL_DIR": "/data", "MODEL_SCORE_THRESHOLD": "0"}
    told = {one.name: describe_reading(one) for one in read_variables(environment, ["yolo"])}
    assert told["MODEL_DIR"] == "not read as MODEL_DIR: MODEL_ROOT comes before it"
    assert told["MODEL_ROOT"].startswith("read as MODEL_DIR=/app/models")
    del environment["MODEL_SCORE_THRESHOLD"]
    told = {one.name: describe_reading(one) for one in read_variables(environment, ["yolo"])}
    assert told["MODEL_DIR"].startswith("read under the same name")


def save_config(folder: Path, architecture: str) -> None:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": [architecture]}))


@pytest.mark.parametrize(
    ("architecture", "model", "base"),
    [
        ("BertForTokenClassification", {"NER_MODEL": "finetuned_model"}, {}),
        (
            "BertForSequenceClassification",
            {"TEXT_CLASSIFICATION_MODEL": "finetuned_model"},
            {"NER_MODEL": "dslim/bert-base-NER"},
        ),
        ("BertModel", {}, {"NER_MODEL": "dslim/bert-base-NER"}),
    ],
)
def test_what_an_example_has_trained_serves(
    architecture: str, model: dict[str, str], base: dict[str, str], tmp_path: Path
) -> None:
    save_config(tmp_path / "finetuned_model", architecture)
    readings = read_variables(NER | {"MODEL_DIR": str(tmp_path)})
    always = {"TEXT_CLASSIFICATION_TRAIN_BASE": "dslim/bert-base-NER"}
    assert adopted_variables(readings) == always | model | base


def test_a_gliner_that_an_example_has_trained_serves(tmp_path: Path) -> None:
    (tmp_path / "tuned").mkdir()
    (tmp_path / "tuned" / "gliner_config.json").write_text("{}")
    environment = {"FINETUNED_MODEL_PATH": "tuned", "GLINER_MODEL_NAME": "urchade/gliner"}
    readings = read_variables(environment | {"MODEL_DIR": str(tmp_path)})
    assert adopted_variables(readings) == {"NER_MODEL": "tuned"}
    assert "GLINER_MODEL_NAME is not read as NER_MODEL: FINETUNED_MODEL_PATH comes before it" in [
        *describe_readings(readings)
    ]


@pytest.mark.parametrize(
    ("installed", "adopted"),
    [(True, {"OCR_LANG": "mn,en", "OCR_ENGINE": "easyocr"}), (False, {})],
    ids=["installed", "not-installed"],
)
def test_languages_of_easyocr_need_it(
    installed: bool, adopted: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "find_spec", lambda name: installed or None)
    readings = read_variables({"LANG_LIST": "mn,en"})
    assert adopted_variables(readings) == adopted
    [*sentences] = describe_readings(readings)
    assert len(sentences) == (2 if installed else 1)


def test_weights_that_lie_in_model_dir_are_named_by_their_file(tmp_path: Path) -> None:
    (tmp_path / "sam2.1_hiera_large.pt").write_bytes(b"")
    environment = {"MODEL_CHECKPOINT": "/checkpoints/sam2.1_hiera_large.pt"}
    readings = read_variables(environment | {"MODEL_DIR": str(tmp_path)})
    assert adopted_variables(readings) == {"SEGMENT_MODEL": "sam2.1_hiera_large.pt"}


def test_sentences_join_variables_of_which_the_same_is_to_be_said() -> None:
    environment = {
        "LEARNING_RATE": "2e-5",
        "WEIGHT_DECAY": "0.01",
        "THREADS": "8",
        "OPENAI_MODEL": "gpt",
        "MODEL_NAME": "opt",
        "LABEL_STUDIO_ACCESS_TOKEN": "secret-token",
    }
    sentences = [*describe_readings(read_variables(environment))]
    assert "THREADS has no effect: threads are made as requests need them" in sentences
    assert "OPENAI_MODEL is read as PROMPT_MODEL" in sentences
    assert (
        "MODEL_NAME has no effect: it would be PROMPT_MODEL if MAX_LENGTH was set, too" in sentences
    )
    [rates] = [one for one in sentences if "LEARNING_RATE" in one]
    assert rates.startswith("LEARNING_RATE, WEIGHT_DECAY have no effect: a training finds")
    assert not any("secret-token" in one for one in sentences)
