"""Messages that continue a chat, as Label Studio Enterprise takes them."""

from typing import Any

from backends.prompt.answer_schema import build_schema
from shared.backend import LabelConfig
from tests.prompt.content.shown import read
from tests.prompt.regions.test_boxes import regions

CHAT = '<Chat name="chat" value="$v" toName="chat"/>'
# The gallery's "Fine-Tune an Agent without an LLM".
BOTH = (
    '<Chat name="chat" value="$v" toName="chat" minMessages="4" messageroles="user,assistant"'
    ' editable="true"/>'
)
RATED = (
    f'{CHAT}<View visibleWhen="region-selected" whenRole="assistant">'
    '<Rating name="stars" toName="chat" perRegion="true"/></View>'
)
SAID = [
    {"role": "user", "content": "Hi", "createdAt": 1757612212681},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "Is it open?"},
]


def field(xml: str, value: Any) -> Any:
    config = LabelConfig.parse(f"<View>{xml}</View>")
    sources = read(xml, {"v": value}).sources
    return build_schema(config.controls, config, sources)["properties"]["chat"]


def test_the_assistant_answers() -> None:
    asked = field(CHAT, SAID)
    assert (asked["minItems"], asked["maxItems"]) == (1, 1)
    assert asked["items"]["properties"]["role"]["enum"] == ["assistant"]
    shown = read(CHAT, {"v": SAID})
    values = {"chat": [{"role": "assistant", "content": " Until six. "}]}
    [found], left = regions(CHAT, shown, values)
    assert left == []
    [result] = found.results
    assert (result["from_name"], result["to_name"], result["type"]) == (
        "chat", "chat", "chatmessage",
    )  # fmt: skip
    assert result["value"]["chatmessage"] == {
        "role": "assistant",
        "content": "Until six.",
        "createdAt": 1757612212682,
    }


def test_a_whole_conversation_is_written_where_it_lacks() -> None:
    asked = field(BOTH, [])
    assert (asked["minItems"], asked["items"]["properties"]["role"]["enum"]) == (
        4,
        ["user", "assistant"],
    )
    assert field(BOTH, SAID)["minItems"] == 1
    items = [{"role": ("user", "assistant")[n % 2], "content": f"m{n}"} for n in range(4)]
    found, left = regions(BOTH, read(BOTH, {"v": []}), {"chat": items})
    assert left == []
    messages = [region.results[0]["value"]["chatmessage"] for region in found]
    assert [(message["content"], message["createdAt"]) for message in messages] == [
        ("m0", 1), ("m1", 2), ("m2", 3), ("m3", 4),
    ]  # fmt: skip
    assert len({region.id for region in found}) == 4


def test_what_is_said_of_messages_obeys_their_role() -> None:
    items = [
        {"role": "user", "content": "And Sunday?", "values": {"stars": 2}},
        {"role": "assistant", "content": "Closed.", "values": {"stars": 5}},
    ]
    (user, assistant), left = regions(RATED, read(RATED, {"v": SAID}), {"chat": items})
    assert left == []
    assert len(user.results) == 1
    assert assistant.results[1]["value"]["rating"] == 5
    assert assistant.results[1]["id"] == assistant.id


def test_what_is_no_message_is_named() -> None:
    items = ["Hi", {"role": "robot", "content": "Hi"}, {"role": "assistant", "content": " "}]
    found, left = regions(CHAT, read(CHAT, {"v": SAID}), {"chat": items})
    assert found == []
    assert [why.rpartition(" is ")[2] for why in left] == ["no message"] * 3
    assert left[0].startswith('Chat "chat": the model\'s answer at /chat/0: "Hi"')
