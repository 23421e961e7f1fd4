"""Trains backends from annotations: snapshot, training, gate, versions."""
