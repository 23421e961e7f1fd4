"""What to label next: an order of the tasks without annotation."""
