"""Objects followed through videos: from a box on one frame to a track."""
