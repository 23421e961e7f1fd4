"""Work that takes longer than a request: jobs on disk, each a process of its own."""
