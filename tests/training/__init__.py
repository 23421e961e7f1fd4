"""Tests of `shared.training`."""
