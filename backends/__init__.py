"""One folder a task type; whatever lies here with a `Backend` in it is found by itself."""
