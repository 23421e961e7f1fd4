"""What the networks get: images, image lists and videos, and what belongs to a video's frames."""
