"""Annotated examples of labels that no starter model knows, made from a number each.

The demo of training, its benchmark and tests learn from them: pictures of three shapes, sentences
with two kinds of entity, messages of three classes. One number always gives the same example.
"""
