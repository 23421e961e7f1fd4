"""Label Studio's editor without Label Studio: its page, a browser for it, and what it draws."""
