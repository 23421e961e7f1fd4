"""What backends that run on OpenVINO have in common."""
