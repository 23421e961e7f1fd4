"""Messages of a Chat, each a region of its own.

The format is that of Label Studio's guide (https://labelstud.io/tags/chat, "Prediction format").
The editor of the open-source release has no Chat: only Label Studio Enterprise shows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.results.types import ShapeValue

# Who may speak, by the guide.
ROLES = ("user", "assistant", "system", "tool", "developer")


@dataclass(frozen=True)
class ChatMessage:
    """A message that is added to a chat: who speaks, and what.

    `created_at` is in milliseconds; the editor orders messages by it.
    """

    role: str
    content: str
    created_at: int = 0

    def to_value(self, source: Any = None) -> ShapeValue:
        """Return the message under `chatmessage`."""
        message = {"role": self.role, "content": self.content, "createdAt": self.created_at}
        return {"chatmessage": message}, {}

    @classmethod
    def from_value(cls, value: Mapping[str, Any], source: Any = None) -> "ChatMessage":
        """Read the message of a result's `value`."""
        message = value["chatmessage"]
        return cls(message["role"], message["content"], int(message.get("createdAt") or 0))
