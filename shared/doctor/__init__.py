"""The checks of every step between Label Studio and a prediction of the server."""
