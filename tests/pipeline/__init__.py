"""Tests of `shared/`, one module each."""
