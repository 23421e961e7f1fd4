"""What annotators made of predictions: the truth of tasks, metrics, reports, datasets."""
