import pytest

from shared.errors import ConfigError
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.tag_attribute import set_attribute

ROWS = [
    pytest.param(
        '<Labels name="l" toName="t"/>',
        '<Labels name="l" toName="t" key="0.5"/>',
        id="self-closing",
    ),
    pytest.param(
        '<Labels name="l" toName="t" />',
        '<Labels name="l" toName="t" key="0.5" />',
        id="self-closing after a space",
    ),
    pytest.param(
        "<Labels name='l' toName='t'><Label value='a'/></Labels>",
        "<Labels name='l' toName='t' key=\"0.5\"><Label value='a'/></Labels>",
        id="single quotes",
    ),
    pytest.param(
        '<Labels name="l"\n        toName="t"\n>',
        '<Labels name="l"\n        toName="t"\n        key="0.5"\n>',
        id="several lines",
    ),
    pytest.param(
        '<Labels key="0.1" name="l" toName="t">',
        '<Labels key="0.5" name="l" toName="t">',
        id="replaced in its place",
    ),
    pytest.param(
        "<Labels name = 'l' KEY = '0.1' toName='t'>",
        "<Labels name = 'l' KEY = '0.5' toName='t'>",
        id="replaced with its spelling and quotes",
    ),
    pytest.param(
        '<Labels key="0.1" Key="0.2" name="l" toName="t">',
        '<Labels key="0.1" Key="0.5" name="l" toName="t">',
        id="the last of two spellings counts",
    ),
    pytest.param(
        """<Labels hint="a > b 'key' name=" name="l" toName="t">""",
        """<Labels hint="a > b 'key' name=" name="l" toName="t" key="0.5">""",
        id="brackets and quotes inside an attribute",
    ),
    pytest.param(
        '<!-- <Labels name="l" toName="t"/> --><Labels name="l" toName="t"/>',
        '<!-- <Labels name="l" toName="t"/> --><Labels name="l" toName="t" key="0.5"/>',
        id="a comment looks alike",
    ),
    pytest.param(
        '<Style><![CDATA[<Labels name="l" toName="t"/>]]></Style><Labels name="l" toName="t"/>',
        '<Style><![CDATA[<Labels name="l" toName="t"/>]]></Style>'
        '<Labels name="l" toName="t" key="0.5"/>',
        id="CDATA looks alike",
    ),
    pytest.param(
        '<Filter name="l" toName="x"/><Text name="l2" value="$l"/><Labels name="l" toName="t"/>',
        '<Filter name="l" toName="x"/><Text name="l2" value="$l"/>'
        '<Labels name="l" toName="t" key="0.5"/>',
        id="no control tag",
    ),
    pytest.param(
        '<Style>.a > b { content: "x" }</Style><Labels name="l" toName="t"/>',
        '<Style>.a > b { content: "x" }</Style><Labels name="l" toName="t" key="0.5"/>',
        id="brackets and quotes in a text",
    ),
]


@pytest.mark.parametrize(("xml", "expected"), ROWS)
def test_only_the_attribute_changes(xml: str, expected: str) -> None:
    assert set_attribute(xml, "l", "key", "0.5") == expected


def test_name_is_read_as_xml() -> None:
    xml = '<Labels name="a&amp;&quot;b" toName="t"/>'
    assert 'key="1"' in set_attribute(xml, 'a&"b', "key", "1")


@pytest.mark.parametrize("quote", ['"', "'"])
def test_value_is_written_as_xml(quote: str) -> None:
    value = "<a> & \"b\" 'c'"
    for written in (
        f"<Labels name='l' toName='t' key={quote}x{quote}/>",
        '<Labels name="l" toName="t"/>',
    ):
        made = set_attribute(written, "l", "key", value)
        [tag] = LabelConfig.parse(made).written_tags()
        assert tag.attrs["key"] == value


def test_missing_control_tag_is_named() -> None:
    with pytest.raises(ConfigError, match='no control tag of the name "other"'):
        set_attribute('<Labels name="l" toName="t"/>', "other", "key", "1")
