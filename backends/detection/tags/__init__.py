"""Control tags: which are filled, by which network, and what their attributes ask for."""
