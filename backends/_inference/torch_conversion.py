"""Converts PyTorch's networks to OpenVINO's."""

import warnings
from collections.abc import Sequence
from typing import Any

from backends._inference.openvino import import_openvino


def trace_to_openvino(network: Any, example: Sequence[Any], inputs: Sequence[Any]) -> Any:
    """Return a torch module as OpenVINO's model.

    `example` are tensors to trace it with; `inputs` are OpenVINO's descriptions of its inputs:
    their shapes, and types where these are to be others. It is traced once: PyTorch would trace it
    again, to compare both, and who calls this compares outputs.
    """
    import torch

    package = import_openvino()
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's, about the libraries' code
        traced = TorchScriptPythonDecoder(
            network, example_input=tuple(example), trace_kwargs={"check_trace": False}
        )
        return package.convert_model(traced, input=list(inputs))
