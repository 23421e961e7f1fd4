"""docs/official-examples.md: what becomes of the label configs and variables of the 26 examples."""
