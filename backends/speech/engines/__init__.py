"""The engines of speech recognition, each behind one contract."""
