"""Tests of open vocabulary: models that find what words name."""
