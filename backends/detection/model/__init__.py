"""Networks: from a file of weights to the detections on an image."""
