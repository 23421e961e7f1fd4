"""docs/gallery.md: who fills each control tag of Label Studio's own templates, and with what."""
