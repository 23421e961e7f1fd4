"""Annotators: how far they agree, what most of them say, what they made of predictions."""
