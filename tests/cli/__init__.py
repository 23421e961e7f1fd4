"""Tests of the commands that read and write files of tasks, run as users run them."""
