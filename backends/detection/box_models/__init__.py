"""Boxes of fixed classes by models of other libraries: transformers, torchvision, and ONNX files.

Each is told by its files (`backends/detection/model/kinds.py`), and loaded only where it is named.
"""
