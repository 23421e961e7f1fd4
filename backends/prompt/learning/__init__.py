"""Learning without training: annotated tasks as examples, kept where they make answers better."""
