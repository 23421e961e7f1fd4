"""Objects by words that no class of a network was trained on: the labels, or what a user types."""
