"""Datasets for trainers: annotated tasks become the files that a trainer's own loader opens."""
