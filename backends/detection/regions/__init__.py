"""From detections to regions of the control tags."""
