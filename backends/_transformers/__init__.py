"""Models of the `transformers` library: files, tokenizers, engines, and a base for backends."""
