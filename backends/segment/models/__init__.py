"""Promptable segmenters: an image becomes an embedding, an embedding and prompts become masks."""
