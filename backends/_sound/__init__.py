"""What the backends that hear share: where speech is, and which tags ask for what is said."""
