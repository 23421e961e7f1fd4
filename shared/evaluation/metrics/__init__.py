"""Metrics: how well predicted regions agree with true ones, by control tag."""
