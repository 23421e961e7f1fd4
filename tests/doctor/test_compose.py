"""`prelabel doctor --from-compose`: what each setting of an official example's file does here."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import shared.cli.doctor  # noqa: F401  # registers the command
from shared.cli import app
from shared.doctor.check import Check
from shared.doctor.compose import check_compose_file
from shared.doctor.compose_file import Volume, read_compose_file
from shared.doctor.remedies import REMEDIES
from shared.errors import SettingError

NER = """
services:
  names:
    image: some/huggingface-ner:1
    environment:
      BASELINE_MODEL_NAME: dslim/bert-base-NER
      FINETUNED_MODEL_NAME: tuned
      NUM_TRAIN_EPOCHS: 3
      LABEL_STUDIO_HOST: http://localhost:8080
      LABEL_STUDIO_API_KEY: your-api-key
      BASIC_AUTH_PASS:
      MODEL_DIR: /data/models
      NER_AGGREGATION: max
      MINE: 1
    volumes: ["./server:/data", {type: volume, source: kept, target: /cache}]
"""
SAM = """
services:
  ml-backend:
    build: {context: .}
    environment:
      - DEVICE=cuda
      - MODEL_CONFIG=configs/sam2.1/sam2.1_hiera_t.yaml
      - MODEL_CHECKPOINT=${CHECKPOINT:-sam2.1_hiera_tiny.pt}
      - LABEL_STUDIO_URL=http://host.docker.internal:8080
      - LABEL_STUDIO_API_KEY=${LABEL_STUDIO_API_KEY}
    volumes: [./server:/data]
  store:
    image: minio/minio
    environment: [MINIO_ROOT_USER=me]
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "docker-compose.yml"
    file.write_text(text)
    return file


def check(folder: Path, text: str) -> dict[str, list[Check]]:
    """Return the checks of a Compose file, by what they are about."""
    found: dict[str, list[Check]] = {}
    for one in check_compose_file(write(folder, text)):
        found.setdefault(one.link, []).append(one)
    return found


def test_every_setting_of_a_file_is_answered(tmp_path: Path) -> None:
    checks = check(tmp_path, NER)
    told = {link: [(one.state, one.found) for one in ones] for link, ones in checks.items()}
    assert told == {
        "names": [("warning", "huggingface_ner: image some/huggingface-ner:1")],
        "BASELINE_MODEL_NAME": [("ok", "read as NER_MODEL=dslim/bert-base-NER")],
        "FINETUNED_MODEL_NAME": [
            (
                "skipped",
                "no effect: MODEL_DIR has no trained model in the folder tuned; trainings of this"
                " server are in TRAIN_DIR",
            )
        ],
        "NUM_TRAIN_EPOCHS": [
            (
                "skipped",
                "no effect: a training finds it out by itself, and stops at the best epoch;"
                " TRAIN_MAX_MINUTES bounds it",
            )
        ],
        "LABEL_STUDIO_HOST": [("warning", "it names the container itself")],
        "LABEL_STUDIO_API_KEY": [("warning", "it holds the example's placeholder")],
        "BASIC_AUTH_PASS": [("skipped", "empty, which counts as unset")],
        "MODEL_DIR": [
            (
                "ok",
                "read under the same name: models that are fetched by name go to CACHE_DIR",
            )
        ],
        "NER_AGGREGATION": [("ok", "read: one of this server's own")],
        "MINE": [("skipped", "no example and nothing here reads it")],
    }
    assert "EXTRAS=ner,train " in checks["names"][0].remedy


def test_what_the_example_has_trained_is_looked_for_where_it_is_mounted(tmp_path: Path) -> None:
    folder = tmp_path / "server" / "models" / "tuned"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"architectures": ["BertForTokenClassification"]}')
    checks = check(tmp_path, NER)
    assert checks["FINETUNED_MODEL_NAME"][0].found == "read as NER_MODEL=tuned"
    assert checks["BASELINE_MODEL_NAME"][0].found == (
        "not read as NER_MODEL: FINETUNED_MODEL_NAME comes before it"
    )


@pytest.mark.parametrize(
    ("checkpoint", "model"),
    [(None, "sam2.1_t.pt"), ("sam2.1_hiera_large.pt", "sam2.1_l.pt")],
    ids=["default", "of-the-shell"],
)
def test_example_is_known_by_its_variables(
    checkpoint: str | None, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if checkpoint:
        monkeypatch.setenv("CHECKPOINT", checkpoint)
    checks = check(tmp_path, SAM)
    [image] = checks["ml-backend"]
    assert image.found.startswith("segment_anything_2_image or ")
    assert checks["MODEL_CHECKPOINT"][0].found == f"read as SEGMENT_MODEL={model}"
    assert checks["LABEL_STUDIO_API_KEY"][0].state == "skipped"
    assert [one.rule for one in checks["volumes"]] == ["compose_cache"]
    assert checks["store"][0].found == "no example of an ML backend: it stays as it is"


def test_the_folder_of_a_built_example_names_it(tmp_path: Path) -> None:
    folder = tmp_path / "segment_anything_2_image"
    folder.mkdir()
    [image] = check(folder, SAM)["ml-backend"]
    assert image.found.startswith("segment_anything_2_image: ")
    assert "EXTRAS=segment " in image.remedy


def test_a_value_that_no_setting_takes_is_broken(tmp_path: Path) -> None:
    text = "services: {llm_interactive: {environment: {TEMPERATURE: hot, OPENAI_MODEL: gpt}}}"
    [broken] = check(tmp_path, text)["Settings"]
    assert (broken.state, broken.rule) == ("broken", "setting")
    assert broken.found.startswith("TEMPERATURE='hot'")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("services:\n  a: [\n", "line 3 is no YAML"),
        ("- a", "it has no services"),
        ("services: {}", "it has no services"),
        ("services: {a: b}", "services.a should be a mapping"),
        ("services: {a: {environment: 7}}", "services.a.environment should be a list or a mapping"),
        ("!!python/object/apply:os.system ['true']", "is no YAML: could not determine a construct"),
        ("[" * 2_000, "line 1: nested deeper than 50"),
        ("#" * 200_001, "is longer than 200000 bytes"),
        ("\x00", "is no YAML"),
        ("services: !!bool x", "is no YAML: KeyError"),
        ("services: !!int ''", "is no YAML: IndexError"),
        ("services: !!timestamp x", "is no YAML: AttributeError"),
        (f"services: {'9' * 101}", "a number of 101 digits; expected 100 at most"),
        (f"services: 1{':59' * 50}", "a number of 151 digits"),
        ("services: &s {a: *s}", "[*]s stands within &s"),
        (
            "x0: &a0 {k: v}\n"
            + "".join(f"x{i}: &a{i} {{<<: [{f'*a{i - 1},' * 9}]}}\n" for i in range(1, 9)),
            "line 7: its aliases stand for over 2000000 characters",
        ),
        ("services: {a: {environment: {B: [c]}}}", "a.environment.B should be one value, found a"),
        ("services: {a: {environment: [{B: c}]}}", "environment should be one value, found a map"),
        ('services: {a: {environment: {B: "c\\0"}}}', "a.environment.B has a null character"),
    ],
    ids=[
        *("yaml", "list", "no-services", "text", "environment", "code", "deep", "large", "binary"),
        *("bool", "int", "timestamp", "digits", "base-60", "recursive", "aliases"),
        *("value-list", "value-mapping", "null"),
    ],
)
def test_what_is_no_compose_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=message):
        read_compose_file(write(tmp_path, text), {})
    [broken] = check_compose_file(write(tmp_path, text))
    assert (broken.state, broken.rule) == ("broken", "compose_file")


def test_what_a_file_names_is_shown_as_it_is_written(tmp_path: Path) -> None:
    file = write(tmp_path, 'services: {"[/red]\\e[31m": {environment: {MODEL_DIR: x}}}')
    result = CliRunner().invoke(app, ["doctor", "--from-compose", str(file)])
    assert result.output.splitlines()[0].startswith("! [/red]\\x1b[31m ")


def test_a_device_is_not_read_to_its_end() -> None:
    with pytest.raises(SettingError, match="/dev/zero is longer than 200000 bytes"):
        read_compose_file(Path("/dev/zero"), {})


@pytest.mark.parametrize(
    "entry",
    [
        f"env_file: {'a' * 300}",
        'env_file: "a\\0b"',
        "env_file: [[a], {path: {b: c}}, null]",
        "volumes: ['~nobody-of-this-name/x:/y', 5, null, [x], '::::']",
    ],
    ids=["env-long", "env-null", "env-kinds", "volumes"],
)
def test_what_names_no_file_costs_only_itself(entry: str, tmp_path: Path) -> None:
    file = write(tmp_path, f"services: {{a: {{environment: {{B: c}}, {entry}}}}}")
    [service] = read_compose_file(file, {})
    assert service.environment == {"B": "c"}


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    [broken] = check_compose_file(tmp_path / "none.yml")
    assert broken.found == f"{tmp_path}/none.yml: No such file or directory"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("A=${X}", "x"),
        ("A=$X-$X", "x-x"),
        ("A=${X:-y}", "x"),
        ("A=${E:-y}", "y"),
        ("A=${E-y}", ""),
        ("A=${NONE-y}", "y"),
        ("A=${NONE}", ""),
        ("A=${X:+z}", "z"),
        ("A=${E:+z}", ""),
        ("A=${X:?must be set}", "x"),
        ("A=$$X", "$X"),
        ("A=b=c", "b=c"),
        ("A=", ""),
    ],
)
def test_values_are_filled_as_compose_does(written: str, value: str, tmp_path: Path) -> None:
    text = f"services: {{a: {{environment: [{json.dumps(written)}]}}}}"
    [service] = read_compose_file(write(tmp_path, text), {"X": "x", "E": ""})
    assert service.environment == {"A": value}


def test_values_of_the_shell_files_and_other_types(tmp_path: Path) -> None:
    (tmp_path / "own.env").write_text("# a comment\nFROM_FILE='7'\nA=file\n")
    text = """
services:
  a:
    env_file: [own.env, missing.env]
    environment: {A: 1.5, B: true, SHELL_ONE: null, NOT_SET: null}
    volumes: [./here:/there:ro, named:/kept, /bare]
"""
    [service] = read_compose_file(write(tmp_path, text), {"SHELL_ONE": "set"})
    expected = {"FROM_FILE": "7", "A": "1.5", "B": "true", "SHELL_ONE": "set", "NOT_SET": ""}
    assert service.environment == expected
    assert service.volumes == (
        Volume("/there", tmp_path / "here"),
        Volume("/kept"),
        Volume("/bare", Path("/bare")),
    )
    assert service.find_on_host(Path("/there/models")) == tmp_path / "here" / "models"
    assert service.find_on_host(Path("/other")) == Path("/other")


def test_every_remedy_of_a_compose_file_has_its_test(tmp_path: Path) -> None:
    found = {
        one.rule
        for text in (NER, SAM, "a")
        for ones in check(tmp_path, text).values()
        for one in ones
    }
    assert {rule for rule in REMEDIES if rule.startswith("compose_")} <= found
