"""Predictions on Ray Data: the same files as the local engine's, by many processes and machines."""
