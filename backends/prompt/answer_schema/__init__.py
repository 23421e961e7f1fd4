"""The JSON schema of an answer, from the control tags that are asked for, and its check.

Pure: nothing is fetched, no model is asked.
"""

from backends.prompt.answer_schema.build import build_schema, property_name
from backends.prompt.answer_schema.check import check_answer, escape_pointer
from backends.prompt.answer_schema.fields import describe_value
from backends.prompt.answer_schema.keywords import allow_null, closed_object

__all__ = [
    "allow_null",
    "build_schema",
    "check_answer",
    "closed_object",
    "describe_value",
    "escape_pointer",
    "property_name",
]
