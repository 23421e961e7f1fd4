"""Pages for a browser: what the server does, and a playground. Imported when one is asked for."""
