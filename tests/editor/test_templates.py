from shared.editor.assets import EditorAssets
from shared.editor.templates import parse_template, read_templates
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.sample_data import make_sample_data
from shared.label_studio.variables import missing_keys


def test_title_and_label_config_of_a_template() -> None:
    text = "title: Boxes\ntype: community\nconfig: |\n  <View>\n    <Image name='i' value='$a'/>\n"
    text += "    <Text name='t' value='$b'/>\n  </View>\nother: x\n"
    title, xml = parse_template(text)
    assert title == "Boxes"
    assert xml.startswith("<View>\n  <Image")
    assert xml.endswith("</View>")


def test_no_templates_without_the_editor() -> None:
    assert read_templates(None) == ()


def test_each_template_gets_data_for_all_it_shows(assets: EditorAssets) -> None:
    templates = read_templates(assets.folder)
    assert len(templates) == 69
    for template in templates:
        config = LabelConfig.parse(template.label_config)
        data = make_sample_data(config)
        shown = [tag.value for tag in config.objects.values()]
        shown += [c.attrs.get("value", "") for c in config.dynamic_controls]
        assert [key for value in shown for key in missing_keys(value, data)] == [], template.name
        assert all(value != "" for value in data.values()), template.name
