"""What Label Studio sends, stores and imports: label configs, tasks, projects, import files."""
