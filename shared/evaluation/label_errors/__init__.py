"""Annotations that may be wrong."""
