"""Methods that find events in series without any training."""
