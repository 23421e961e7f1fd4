"""OCR engines: an image in, its lines of text out."""
