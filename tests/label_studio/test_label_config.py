from typing import Any

import pytest
from label_studio_ml.model import parse_config

from shared.errors import ConfigError
from shared.label_studio.control_tag import Condition
from shared.label_studio.label_config import MAX_CHARACTERS, Control, LabelConfig

IMAGE = '<Image name="image" value="$photo"/>'


def parsed(*inside: str) -> LabelConfig:
    return LabelConfig.parse(f"<View>{''.join(inside)}</View>")


def only(*inside: str) -> Control:
    (control,) = parsed(*inside).controls
    return control


def test_box_labels_on_an_image() -> None:
    config = parsed(
        '<Header value="Draw"/>',
        IMAGE,
        '<RectangleLabels name="label" toName="image" strokeWidth="2">'
        '<Label value="Car" background="red"/><Label value="Bus"/></RectangleLabels>',
    )
    (control,) = config.controls
    assert (control.tag, control.type, str(control)) == (
        "RectangleLabels",
        "rectanglelabels",
        'RectangleLabels "label"',
    )
    assert control.attrs["strokeWidth"] == "2"
    assert list(control.labels) == ["Car", "Bus"]
    assert control.labels["Car"] == {"value": "Car", "background": "red"}
    target = config.object_of(control)
    assert target is not None
    assert (target.tag, target.name, target.key, target.is_list) == (
        "Image",
        "image",
        "photo",
        False,
    )
    assert config.find_control("label") is control
    assert config.find_control("other") is None
    assert list(config.tag_pairs()) == [(control, target)]
    assert config.describe_controls() == 'RectangleLabels "label" on Image'


@pytest.mark.parametrize(
    ("label", "names"),
    [
        pytest.param('<Label value="Car"/>', ["Car"], id="value"),
        pytest.param('<Label value="Car" alias="c"/>', ["c"], id="alias-wins"),
        pytest.param('<Label value="Car" alias=""/>', ["Car"], id="empty-alias"),
        pytest.param('<Label alias="c"/>', ["c"], id="alias-alone"),
        pytest.param('<Label value=""/><Label/>', [], id="no-name"),
        pytest.param('<View><Label value="Car"/></View>', ["Car"], id="inside-a-view"),
        pytest.param('<Label value="A"/><Label value="A"/>', ["A"], id="twice"),
        pytest.param('<Label value="A &amp; B"/>', ["A & B"], id="entity-of-xml-itself"),
        pytest.param('<!-- <Label value="No"/> --><Label value="Ж"/>', ["Ж"], id="comment"),
    ],
)
def test_labels(label: str, names: list[str]) -> None:
    control = only(IMAGE, f'<RectangleLabels name="l" toName="image">{label}</RectangleLabels>')
    assert list(control.labels) == names


def test_nested_choices() -> None:
    control = only(
        '<Text name="t" value="$t"/><Taxonomy name="c" toName="t">'
        '<Choice value="Animal"><Choice value="Cat" alias="cat"/><Choice value="Dog"/></Choice>'
        '<Choice value="Plant"/></Taxonomy>'
    )
    assert list(control.labels) == ["Animal", "cat", "Dog", "Plant"]
    assert list(control.paths) == [("Animal",), ("Animal", "cat"), ("Animal", "Dog"), ("Plant",)]
    assert dict(control.paths["Animal", "cat"]) == {"value": "Cat", "alias": "cat"}


@pytest.mark.parametrize(
    ("attribute", "dynamic"),
    [
        pytest.param('value="$options"', True, id="variable"),
        pytest.param('apiUrl="http://labels"', True, id="apiUrl"),
        pytest.param('value="options"', False, id="literal"),
        pytest.param("", False, id="neither"),
    ],
)
def test_dynamic_labels(attribute: str, dynamic: bool) -> None:
    control = only(IMAGE, f'<Choices name="c" toName="image" {attribute}/>')
    assert control.dynamic is dynamic


@pytest.mark.parametrize(
    ("to_name", "found"),
    [
        pytest.param("image", "image", id="one"),
        pytest.param("text,image", "image", id="first-that-exists"),
        pytest.param("text, image", "image", id="blank-after-comma"),
        pytest.param("gone,text", "gone", id="none-exists"),
    ],
)
def test_to_name_list(to_name: str, found: str) -> None:
    assert only(IMAGE, f'<Choices name="c" toName="{to_name}"/>').to_name == found


def test_value_list() -> None:
    config = parsed('<Image name="pages" valueList="$pages"/>')
    assert config.objects["pages"].is_list
    assert config.objects["pages"].key == "pages"


@pytest.mark.parametrize(
    ("value", "key"),
    [
        pytest.param("$photo", "photo", id="variable"),
        pytest.param("$a.b", "a.b", id="path"),
        pytest.param("$a[0].b", "a[0].b", id="index"),
        pytest.param("A text", None, id="literal"),
        pytest.param("$", None, id="dollar"),
        pytest.param("$first: $second", None, id="joined"),
        pytest.param("$photo ", None, id="blank-behind"),
        pytest.param("$my-key", None, id="hyphen"),
        pytest.param("$\u043a\u043b\u044e\u0447", None, id="cyrillic"),
    ],
)
def test_key_of_an_object(value: str, key: str | None) -> None:
    assert parsed(f'<Text name="t" value="{value}"/>').objects["t"].key == key


@pytest.mark.parametrize(
    "tag",
    [
        pytest.param('<Filter name="f" toName="image"/>', id="filter"),
        pytest.param('<Choices toName="image"/>', id="no-name"),
        pytest.param('<Choices name="c"/>', id="no-toName"),
        pytest.param('<Choices name="c" toName=""/>', id="empty-toName"),
        pytest.param('<Header value="Hi"/>', id="header"),
    ],
)
def test_what_is_no_control(tag: str) -> None:
    config = parsed(IMAGE, tag)
    assert config.controls == ()
    assert list(config.objects) == ["image"]
    assert config.describe_controls() == "no control tags"


def test_control_that_names_no_object_is_in_no_pair() -> None:
    config = parsed('<Choices name="c" toName="gone"/>')
    assert list(config.tag_pairs()) == []
    assert config.describe_controls() == 'Choices "c" on gone'


@pytest.mark.parametrize(
    ("text", "flag"),
    [("true", True), (" TRUE ", True), ("1", True), ("yes", True), ("false", False), ("", False)],
)
def test_flag(text: str, flag: bool) -> None:
    control = only(IMAGE, f'<TextArea name="a" toName="image" perRegion="{text}"/>')
    assert control.per_region is flag
    assert control.get_flag("other", default=True) is True


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.25", 0.25), (" 1 ", 1), ("0", 0), ("", 0.5), ("  ", 0.5), (None, 0.5)],
)
def test_number(text: str | None, expected: float) -> None:
    control = Control("Choices", "c", "t", attrs={} if text is None else {"n": text})
    assert control.get_number("n", 0.5, 0, 1) == expected


@pytest.mark.parametrize("text", ["high", "1.01", "-0.1", "nan", "inf", "0,5", "50%"])
def test_number_that_is_none_names_tag_attribute_and_value(text: str) -> None:
    control = Control("Choices", "c", "t", attrs={"n": text})
    with pytest.raises(ConfigError) as caught:
        control.get_number("n", 0.5, 0, 1)
    assert str(caught.value) == f'Choices "c": n="{text}" should be a number from 0 to 1'


LAUGHS = """<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<View><Header value="&b;"/></View>"""


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param(" \n ", "is empty", id="blank"),
        pytest.param(None, "is empty", id="none"),
        pytest.param(7, "is empty", id="number"),
        pytest.param("<View>", "not well-formed XML: no element found", id="not-closed"),
        pytest.param("<View></Vie>", "not well-formed XML: mismatched tag", id="mismatched"),
        pytest.param("label studio", "not well-formed XML: syntax error", id="no-xml"),
        pytest.param('<View a="1" a="2"/>', "duplicate attribute", id="duplicate-attribute"),
        pytest.param("<View>&nbsp;</View>", "undefined entity", id="undefined-entity"),
        pytest.param("<View/><View/>", "junk after document element", id="two-roots"),
        pytest.param("<View>\0</View>", "not well-formed", id="null-character"),
        pytest.param("<View>\ud800</View>", "label config cannot be read", id="lone-surrogate"),
        pytest.param(LAUGHS, "has a DTD or entities", id="billion-laughs"),
        pytest.param("<!DOCTYPE View><View/>", "has a DTD or entities", id="doctype"),
        pytest.param(
            '<!DOCTYPE v [<!ENTITY x SYSTEM "file:///etc/passwd">]><v>&x;</v>',
            "has a DTD or entities",
            id="external-entity",
        ),
        pytest.param("<View " * (MAX_CHARACTERS // 6 + 1), "2000000 are allowed", id="too-long"),
        pytest.param("<View>" * 5000 + "</View>" * 5000, "nested", id="too-deep"),
        pytest.param(
            f'<View>{IMAGE}<Taxonomy name="t" toName="image">'
            + '<Choice value="a">' * 3000
            + "</Choice>" * 3000
            + "</Taxonomy></View>",
            "nested",
            id="choices-too-deep",
        ),
    ],
)
def test_refused_in_one_sentence(xml: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LabelConfig.parse(xml)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "declaration",
    ["", '<?xml version="1.0"?>', "\n<?xml version='1.0' encoding='UTF-16'?>\n", "\ufeff"],
    ids=["none", "declaration", "another-encoding", "byte-order-mark"],
)
def test_declaration_does_not_matter(declaration: str) -> None:
    xml = f"<View>{IMAGE}</View>"
    assert LabelConfig.parse(declaration + xml) is LabelConfig.parse(xml)


EVERYTHING = f"""<View>{IMAGE}<Text name="text" value="$text"/>
<Labels name="labels" toName="text"><Label value="A" alias="a"/></Labels>
<Rectangle name="box" toName="image"/>
<TextArea name="area" toName="image" perRegion="true" whenTagName="box"/>
<Choices name="choice" toName="text,image" value="$options"/>
<Filter name="filter" toName="labels"/>
</View>"""


def test_from_parsed_agrees_with_label_studio_ml() -> None:
    theirs = parse_config(EVERYTHING)
    ours = LabelConfig.from_parsed(theirs, EVERYTHING)
    assert ours is LabelConfig.parse(EVERYTHING)
    assert [control.name for control in ours.controls] == list(theirs)
    for control in ours.controls:
        their = theirs[control.name]
        assert control.tag == their["type"]
        assert control.to_name in [name.strip() for name in their["to_name"]]
        assert {k: dict(v) for k, v in control.labels.items()} == their["labels_attrs"]
        assert control.dynamic == their.get("dynamic_labels", False)


def test_from_parsed_keeps_what_the_caller_kept() -> None:
    theirs = parse_config(EVERYTHING)
    del theirs["box"]
    ours = LabelConfig.from_parsed(theirs, EVERYTHING)
    assert [control.name for control in ours.controls] == ["labels", "area", "choice"]
    assert ours.objects.keys() == {"image", "text"}


def test_relation_labels() -> None:
    config = parsed('<Relations><Relation value="org:founded_by"/><Relation value=""/></Relations>')
    assert config.relation_labels == ("org:founded_by",)


def test_a_header_in_a_control_tag_is_its_own() -> None:
    config = parsed(
        IMAGE,
        '<Choices name="a" toName="image"><Header value="Which?"/><Choice value="A"/></Choices>',
        '<TextArea name="b" toName="image"/>',
    )
    assert [control.header for control in config.controls] == ["Which?", ""]


CHOSEN = Condition("choice-selected", "a", choices=("A", "B"))


@pytest.mark.parametrize(
    ("around", "own", "expected"),
    [
        pytest.param("<View>", "", (), id="always"),
        pytest.param(
            "<View>",
            'visibleWhen="choice-selected" whenTagName="a" whenChoiceValue="A,B"',
            (CHOSEN,),
            id="its own",
        ),
        pytest.param(
            '<View visiblewhen="choice-selected" whenTagName="a" whenChoiceValue="A,B">',
            'visibleWhen="choice-unselected"',
            (CHOSEN, Condition("choice-unselected")),
            id="that of the View around it, too",
        ),
        pytest.param(
            "<View>",
            'whenChoiceValue="A"',
            (Condition("choice-selected", choices=("A",)),),
            id="a choice without visibleWhen",
        ),
        pytest.param(
            "<View>",
            'perRegion="true" whenTagName="label" whenLabelValue="Speech"',
            (Condition("region-selected", "label", labels=("Speech",)),),
            id="a region without visibleWhen",
        ),
        pytest.param("<View>", 'whenLabelValue="Speech"', (), id="no region is described"),
        pytest.param(
            '<View visibleWhen="region-selected" whenRole="assistant">',
            'perRegion="true"',
            (Condition("region-selected", roles=("assistant",)),),
            id="messages of a role",
        ),
    ],
)
def test_conditions(around: str, own: str, expected: tuple[Condition, ...]) -> None:
    assert only(IMAGE, f'{around}<TextArea name="t" toName="image" {own}/></View>').conditions == (
        expected
    )
