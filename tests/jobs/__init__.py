"""Tests of `shared.jobs`."""
