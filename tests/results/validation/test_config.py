"""Label configs that the editor shows an error for are named, and those that it shows are not."""

import pytest
from label_studio_sdk.label_interface import control_tags, object_tags

from shared.backend.registry import find_backends
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.tags import is_known
from shared.pipeline.runtime import runtime
from shared.results.validation import check_results, config_problems
from tests.e2e.configs import IMAGE, ROWS, Row, on
from tests.gallery_templates import templates


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_is_said_is_what_the_editor_does(row: Row) -> None:
    """tests/e2e/test_configs.py holds `error` and `drawn` to the real editor."""
    found = config_problems(LabelConfig.parse(row.xml))
    assert [problem.rule for problem in found] == ([row.rule] if row.rule else [])
    assert [problem.severity for problem in found] == ([row.severity] if row.rule else [])
    assert all(row.says in problem.message for problem in found)
    assert bool(found) == bool(row.error or not row.drawn)


def test_a_tag_that_is_none_is_said_once() -> None:
    xml = on(IMAGE, "RectangleLabels", more="<br/><br/><Header><b>now</b></Header><br/>")
    messages = [problem.message for problem in config_problems(LabelConfig.parse(xml))]
    assert [message.partition(" ")[0] for message in messages] == ["<br>", "<b>"]


def test_what_is_in_a_hypertext_is_a_document() -> None:
    xml = on(IMAGE, "RectangleLabels", more='<HyperText name="h" value="$x"><p>Hi</p></HyperText>')
    assert config_problems(LabelConfig.parse(xml)) == []


def test_tags_in_any_case_are_read_alike() -> None:
    lower = """<view><image name="o" value="$image"/><taxonomy name="t" toname="o">
      <choice value="A"><choice value="B"/></choice></taxonomy>
      <relations><relation value="r"/></relations>
      <repeater on="$x"><ellipselabels name="c" toname="o"><label value="a"/></ellipselabels>
      </repeater><ranker name="k" toname="o"><bucket name="best"/></ranker></view>"""
    config = LabelConfig.parse(lower)
    taxonomy, ellipse, ranker = config.controls
    assert [control.tag for control in config.controls] == ["Taxonomy", "EllipseLabels", "Ranker"]
    assert config.objects["o"].tag == "Image"
    assert set(taxonomy.paths) == {("A",), ("A", "B")}
    assert (list(ellipse.labels), ellipse.repeated) == (["a"], True)
    assert (ranker.buckets, config.relation_labels) == (("best",), ("r",))


def test_results_of_a_tag_that_is_none_are_not_judged() -> None:
    value = {"x": 10, "y": 10, "width": 20, "height": 20, "rectanglelabels": ["a"]}
    result = {
        "id": "r",
        "from_name": "c",
        "to_name": "o",
        "type": "rectanglelabels",
        "value": value,
    }
    assert check_results(LabelConfig.parse(ROWS["misspelt"].xml), [result]) == []
    for name in ("control tag in lower case", "labels in lower case"):
        config = LabelConfig.parse(ROWS[name].xml)
        assert check_results(config, [result]) == []
        [finding] = check_results(config, [{**result, "type": "rectanglelabel"}])
        assert finding.rule == "wrong_type"


def test_the_server_says_the_same_of_a_label_config() -> None:
    config = LabelConfig.parse(ROWS["misspelt"].xml)
    backends = [cls(label_config=config.xml, served=True) for cls in find_backends().values()]
    assert ROWS["misspelt"].says in "\n".join(runtime().planner.plan(config, backends).problems)


def test_the_gallery_and_the_sdk_have_no_other_tags() -> None:
    for name, xml in templates():
        found = config_problems(LabelConfig.parse(xml))
        assert {problem.severity for problem in found} <= {"warning"}, name
        assert all("only Label Studio Enterprise" in problem.message for problem in found), name
    names = {name for module in (control_tags, object_tags) for name in vars(module)}
    tags = {name.removesuffix("Tag") for name in names if name.endswith("Tag")}
    unknown = {tag for tag in tags if not is_known(tag)}
    assert unknown == {"LabelStudio", "Control", "Object", "ChatMessage"}, "base classes, a result"
