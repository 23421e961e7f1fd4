"""A stand-in with the signatures of label-studio-ml 2.x, which no registry has."""
