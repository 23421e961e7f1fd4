"""Tests of `shared.evaluation`."""
