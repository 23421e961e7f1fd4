"""What `prelabel new` makes backends of: code that runs, with a stand-in for the model.

Its definitions are copied, by their names, into the new folder: `pairs.py` says which, and
`compose.py` how. What is read here is read by the author of a fork, too.
"""
