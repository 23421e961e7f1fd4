"""The models that hear."""
