"""`prelabel doctor`: checks every step between Label Studio and a prediction of the server."""
