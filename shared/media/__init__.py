"""Addresses to bytes, and bytes to pixels, frames and texts. Nothing here knows a tag."""
