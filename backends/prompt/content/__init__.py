"""What a task shows, read as a model gets it: texts, pictures, sound."""

from backends.prompt.content.content import Content, read_content
from backends.prompt.content.limits import ContentLimits
from backends.prompt.content.pictures import SentPicture, SentPictures

__all__ = ["Content", "ContentLimits", "SentPicture", "SentPictures", "read_content"]
