"""Trains a network on annotated pictures, with Ultralytics' own trainer."""
