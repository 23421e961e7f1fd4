"""Geometry of a page: lines, words, reading order."""
