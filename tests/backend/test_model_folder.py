"""Models in object stores: fetched once, by what may name them, with the version of their files."""

import shutil
from pathlib import Path

import pytest

from backends._transformers import hub
from backends.detection.model.weights import find_local_weights
from backends.detection.settings import DetectionSettings
from backends.detection.tags.tag_options import choose_model
from backends.ner.gliner import is_gliner
from shared.backend import model_folder
from shared.backend.model_folder import find_model, has_model_file
from shared.backend.weights import hash_files
from shared.errors import ConfigError, ModelError, SettingError
from shared.label_studio.label_config import Control, LabelConfig
from shared.settings import Settings, changed_environment, read_settings
from tests.object_store import S3Bucket

CONFIG = """<View><Image name="image" value="$image"/>
<RectangleLabels name="box" toName="image" model_path="{}"><Label value="car"/></RectangleLabels>
</View>"""


@pytest.fixture(autouse=True)
def _another_process() -> None:
    model_folder._fetch_once.cache_clear()


@pytest.fixture
def settings(s3: S3Bucket, tmp_path: Path) -> Settings:
    """MODEL_DIR is a folder of the bucket, beside others."""
    variables = {"MODEL_DIR": f"{s3.address}/models", "CACHE_DIR": str(tmp_path / "cache")}
    with changed_environment(variables):
        return read_settings(Settings)


def control(model: str) -> Control:
    return LabelConfig.parse(CONFIG.format(model)).controls[0]


def test_a_file_is_fetched_once_and_is_the_same_model(
    s3: S3Bucket, settings: Settings, tmp_path: Path
) -> None:
    s3.put("models/own/net.pt", b"weights")
    (tmp_path / "models" / "own").mkdir(parents=True)
    (tmp_path / "models" / "own" / "net.pt").write_bytes(b"weights")
    here = find_local_weights("own/net.pt", Settings(model_dir=tmp_path / "models"))
    there = find_local_weights("own/net.pt", settings)
    assert here is not None
    assert there is not None
    assert there.is_relative_to(tmp_path / "cache" / "stores")
    assert hash_files([there]) == hash_files([here])
    s3.delete("models/own/net.pt")
    assert find_local_weights("own/net.pt", settings) == there  # of this process


def test_a_file_that_changes_is_another_model_after_a_restart(
    s3: S3Bucket, settings: Settings
) -> None:
    s3.put("models/net.pt", b"one")
    first = find_model("net.pt", settings)
    s3.put("models/net.pt", b"two")
    assert find_model("net.pt", settings) == first
    model_folder._fetch_once.cache_clear()
    second = find_model("net.pt", settings)
    assert (first.read_bytes(), second.read_bytes()) == (b"one", b"two")
    s3.put("models/net.pt", b"one")
    model_folder._fetch_once.cache_clear()
    assert find_model("net.pt", settings) == first


def test_a_folder_is_fetched_whole(s3: S3Bucket, settings: Settings, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors", "more/vocab.txt"):
        s3.put(f"models/ner/{name}", name.encode())
    s3.put("models/ner2/config.json", b"another")
    s3.put("elsewhere/ner/config.json", b"another")
    reference = hub.ModelReference("ner", "NER_MODEL", tmp_path)
    folder = hub.find_folder(reference, settings)
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert found == {"config.json", "model.safetensors", "more/vocab.txt"}
    by_address = find_model(f"{s3.address}/elsewhere/ner", settings)
    assert (by_address / "config.json").read_bytes() == b"another"


def test_gliner_is_told_by_its_files(s3: S3Bucket, settings: Settings) -> None:
    s3.put("models/mine/gliner_config.json", b"{}")
    s3.put("elsewhere/mine/gliner_config.json", b"{}")
    assert is_gliner("mine", settings)
    assert is_gliner(f"{s3.address}/elsewhere/mine", settings)
    assert not is_gliner("other", settings)
    assert not (settings.cache_dir / "stores").exists()  # asked, not fetched


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("net.pt", True),
        ("own/net.pt", True),
        ("{bucket}/models/net.pt", True),
        ("none.pt", False),
        ("own", False),
        ("{bucket}/secret/net.pt", False),
        ("{bucket}/models/../secret/net.pt", False),
        ("../secret/net.pt", False),
        ("/secret/net.pt", False),
        ("s3://other/net.pt", False),
        ("file:///etc/passwd", False),
    ],
)
def test_what_a_label_config_may_name(
    name: str, allowed: bool, s3: S3Bucket, settings: Settings
) -> None:
    for key in ("models/net.pt", "models/own/net.pt", "secret/net.pt"):
        s3.put(key, b"weights")
    tag = control(name.format(bucket=s3.address))
    if allowed:
        assert choose_model(tag, DetectionSettings(), settings).model == tag.attrs["model_path"]
        return
    with pytest.raises(ConfigError, match="no file in MODEL_DIR"):
        choose_model(tag, DetectionSettings(), settings)


def test_no_address_is_allowed_where_model_dir_is_a_folder(s3: S3Bucket, tmp_path: Path) -> None:
    tag = control(s3.put("net.pt", b"weights"))
    with pytest.raises(ConfigError, match="no file in MODEL_DIR"):
        choose_model(tag, DetectionSettings(), Settings(model_dir=tmp_path))


def test_what_is_not_there_is_looked_for_again(s3: S3Bucket, settings: Settings) -> None:
    assert not find_model("net.pt", settings).exists()
    assert not has_model_file("net.pt", settings)
    s3.put("models/net.pt", b"weights")
    assert has_model_file("net.pt", settings)
    assert find_model("net.pt", settings).read_bytes() == b"weights"


def test_a_store_that_cannot_be_used(
    s3: S3Bucket, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    words = f"the store of {s3.address} cannot be reached"
    with pytest.raises(ModelError, match=f"/models/net.pt cannot be fetched: {words}"):
        find_model("net.pt", settings)
    with pytest.raises(ConfigError, match=words):
        choose_model(control("net.pt"), DetectionSettings(), settings)
    assert not list(settings.cache_dir.rglob("*.pt"))


@pytest.mark.parametrize("name", ["TRAIN_DIR", "CACHE_DIR", "LOCAL_FILES_ROOT"])
def test_folders_that_have_to_be_here(name: str) -> None:
    with (
        changed_environment({name: "s3://bucket/folder"}),
        pytest.raises(SettingError, match=f"{name}='s3://bucket/folder': expected a folder of"),
    ):
        read_settings(Settings)


def test_a_file_address_is_a_folder_here(tmp_path: Path) -> None:
    shutil.copy(__file__, tmp_path / "net.pt")
    with changed_environment({"MODEL_DIR": f"file://{tmp_path}"}):
        found = read_settings(Settings)
    assert found.model_store is None
    assert find_model("net.pt", found) == tmp_path / "net.pt"
