"""Which version serves where those that should cannot."""

import shutil
from pathlib import Path

import pytest

from shared.training.serving_choice import VersionName, choose_versions
from shared.training.version_store import VersionStore
from tests.server.own_models import add_version

ONE, TWO, THREE = "v1-one00000", "v2-two00000", "v3-three000"


@pytest.fixture
def store(tmp_path: Path) -> VersionStore:
    """Three versions of one control tag; each served, the last one serves."""
    store = VersionStore(tmp_path)
    for word in ("one", "two", "three"):
        store.promote(add_version(store, "7.1", word))
    return store


@pytest.mark.parametrize(
    ("failed", "gone", "chosen", "problem"),
    [
        ([], [], THREE, None),
        ([THREE], [], TWO, f'"label" is served by {TWO}, for {THREE}: too large'),
        ([], [THREE], TWO, f'"label" is served by {TWO}, for {THREE}: its folder is gone'),
        (
            [THREE],
            [TWO],
            ONE,
            f'"label" is served by {ONE}, for {THREE}: too large; {TWO}: its folder is gone',
        ),
        (
            [THREE, TWO, ONE],
            [],
            None,
            f'"label" is served by the base model, for {THREE}: too large; {TWO}: too large;'
            f" {ONE}: too large",
        ),
        ([ONE], [TWO], THREE, None),
    ],
    ids=["all good", "failed", "gone", "failed and gone", "none left", "older ones do not matter"],
)
def test_the_version_before_serves_where_one_cannot(
    failed: list[str], gone: list[str], chosen: str | None, problem: str | None, store: VersionStore
) -> None:
    for name in gone:
        shutil.rmtree(store.find("7.1", "label", name).folder)
    failures = {VersionName("label", name): "too large" for name in failed}
    found = choose_versions(store, "7.1", failures)
    assert [one.name for one in found.versions] == ([chosen] if chosen else [])
    assert found.problems == ((problem,) if problem else ())


def test_a_rollback_to_the_base_model_is_no_problem(store: VersionStore) -> None:
    for _ in range(3):
        store.roll_back("7.1", "label")
    assert choose_versions(store, "7.1", {}) == ((), ())
    assert choose_versions(store, "8.1", {}) == ((), ())


@pytest.mark.parametrize("weights", ["empty", "missing"])
def test_a_version_without_weights_cannot_serve(weights: str, store: VersionStore) -> None:
    folder = store.find("7.1", "label", THREE).weights.folder
    shutil.rmtree(folder)
    if weights == "empty":
        folder.mkdir()
    found = choose_versions(store, "7.1", {})
    assert [one.name for one in found.versions] == [TWO]
    assert found.problems == (f'"label" is served by {TWO}, for {THREE}: its weights are gone',)


def test_each_control_tag_has_its_own(store: VersionStore) -> None:
    store.promote(add_version(store, "7.1", "other", control="kind"))
    found = choose_versions(store, "7.1", {VersionName("label", THREE): "too large"})
    assert [(one.control, one.name) for one in found.versions] == [
        ("label", TWO),
        ("kind", "v1-other000"),
    ]


@pytest.mark.parametrize("linked", ["weights", "weights/word"])
def test_weights_elsewhere_do_not_serve(linked: str, store: VersionStore, tmp_path: Path) -> None:
    path = store.find("7.1", "label", THREE).folder / linked
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    found = choose_versions(store, "7.1", {})
    assert [one.name for one in found.versions] == [TWO]
    expected = f'"label" is served by {TWO}, for {THREE}: its weights are links to elsewhere'
    assert found.problems == (expected,)


def test_a_damaged_version_is_told(store: VersionStore) -> None:
    (store.find("7.1", "label", THREE).folder / "version.json").write_text("{")
    found = choose_versions(store, "7.1", {})
    expected = f'"label" is served by {TWO}, for {THREE}: its version.json cannot be read'
    assert found.problems == (expected,)
