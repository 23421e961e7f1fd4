"""Messages to a shop, of three classes that no starter model knows."""

import random
from dataclasses import dataclass
from typing import Any

LABELS = ("Billing", "Delivery", "Defect")
LABEL_CONFIG = """<View>
  <Text name="text" value="$text"/>
  <Choices name="topic" toName="text">
    <Choice value="Billing"/>
    <Choice value="Delivery"/>
    <Choice value="Defect"/>
  </Choices>
</View>
"""

COMPLAINTS = {
    "Billing": (
        "my card was charged twice for the {thing}.",
        "the invoice for the {thing} shows the wrong amount.",
        "I have not got my money back for the {thing} that I returned.",
        "why does the bill list a fee that nobody told me about?",
        "the discount on the {thing} is missing from the invoice.",
        "please send the receipt for the {thing} with our tax number.",
        "you took the payment for the {thing} before I had confirmed the price.",
        "the refund of {number} euros has not reached my account.",
    ),
    "Delivery": (
        "the parcel with the {thing} has not arrived.",
        "the courier left the {thing} at the wrong address.",
        "the tracking page says that the {thing} was shipped {number} days ago.",
        "when will the {thing} be delivered?",
        "nobody rang, and the driver took the package away again.",
        "the shipment is stuck at customs since Monday.",
        "I would like to send the {thing} to another address, as I will be away.",
        "only one of {number} boxes has come so far.",
    ),
    "Defect": (
        "the {thing} does not switch on any more.",
        "the {thing} broke after {number} days.",
        "there is a crack in the {thing}.",
        "the {thing} makes a loud noise and gets hot.",
        "the button of the {thing} is loose.",
        "a screw is missing and the {thing} wobbles.",
        "the {thing} leaks as soon as I fill it.",
        "the display of the {thing} flickers and then stays black.",
    ),
}
THINGS = ("kettle", "lamp", "camera", "printer", "bicycle pump", "toaster", "radio", "desk", "fan")
OPENINGS = ("Hello,", "Good morning,", "Dear team,", "Hi there,", "To whom it may concern:", "")
CLOSINGS = (
    "Can you help?",
    "I have been a customer for {number} years.",
    "Please answer soon.",
    "My order number is {number}47{number}.",
    "Thank you.",
    "This is the second time that I write.",
    "",
)


@dataclass(frozen=True)
class Message:
    """A text of one class."""

    text: str
    label: str

    def results(self) -> list[dict[str, Any]]:
        """Return the class as an annotator's results for `LABEL_CONFIG`."""
        return [
            {
                "id": "topic",
                "type": "choices",
                "from_name": "topic",
                "to_name": "text",
                "value": {"choices": [self.label]},
            }
        ]


def write_message(seed: int) -> Message:
    """Write a message of one to three lines."""
    rng = random.Random(seed)  # noqa: S311
    label = LABELS[seed % len(LABELS)]
    complaint = rng.choice(COMPLAINTS[label])
    sentences = filter(None, (rng.choice(OPENINGS), complaint, rng.choice(CLOSINGS)))
    text = "\n".join(sentence[0].upper() + sentence[1:] for sentence in sentences)
    return Message(text.format(thing=rng.choice(THINGS), number=rng.randint(2, 9)), label)
