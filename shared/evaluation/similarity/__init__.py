"""How similar two regions are, from 0 to 1, and which of them are matched."""
