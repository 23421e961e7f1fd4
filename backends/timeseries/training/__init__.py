"""Models of series that are learned from annotations."""
