"""What the backends of texts lean on: transformers models, their files, their engines."""
