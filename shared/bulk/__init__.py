"""Predictions of many tasks: into files, into projects, as jobs, on one machine or several."""
