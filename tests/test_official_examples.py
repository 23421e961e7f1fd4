"""Every control tag of the official examples' label configs is filled, or waits for a setting."""

from shared.label_studio.official_examples import EXAMPLES
from tests.documents import REPO
from tests.documents.official_examples.configs import CONFIGS, ExampleConfig
from tests.documents.official_examples.run import PlannedTag, plan_configs
from tests.documents.official_examples.stories import STORIES

# Its answers are for the paid edition's Interfaces, which have no label config.
WITHOUT_CONFIG = {"docling"}


def test_every_control_tag_is_filled_or_waits_for_what_the_page_names() -> None:
    page = (REPO / "docs" / "official-examples.md").read_text()
    for plan in plan_configs():
        assert plan.tags
        for tag in plan.tags:
            check_tag(tag, plan.example, page)


def check_tag(tag: PlannedTag, example: ExampleConfig, page: str) -> None:
    name, what = tag.control.name, f"{tag.control} of {example.example}"
    if name in example.typed:
        assert tag.control.tag == "TextArea", what
        assert not tag.with_settings, what
    elif name in example.left:
        assert not tag.with_settings, what
        assert example.left[name] in page, what
    else:
        assert tag.with_settings, f"nothing fills {what}"
        assert all(f"`{variable}`" in page for variable in example.sets), what


def test_every_example_has_a_label_config_and_a_row() -> None:
    assert {config.example for config in CONFIGS} == set(EXAMPLES) - WITHOUT_CONFIG
    assert set(STORIES) == set(EXAMPLES)
    page = (REPO / "docs" / "official-examples.md").read_text()
    assert [name for name in EXAMPLES if f"\n| `{name}` | " not in page] == []
