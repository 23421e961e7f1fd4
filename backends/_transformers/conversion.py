"""Conversion of PyTorch networks to OpenVINO's format."""

import copy
from pathlib import Path
from typing import Any

from backends._inference.openvino import import_openvino, save_network, supports_bf16
from backends._inference.torch_conversion import trace_to_openvino
from backends._transformers.converted_model import NetworkDescription
from backends._transformers.runners import OPENVINO_FILE

# Increase it when the conversion changes: networks converted before are then converted again.
CONVERSION_VERSION = 2
# Tokens in each row of the example that the converter traces.
EXAMPLE_TOKENS = 16

# Ends of the names of linear layers whose output goes straight into another one: it stays in bf16.
BF16_OUTPUT_LAYERS = (
    *("query", "key", "value", "intermediate.dense"),  # BERT and its descendants
    *("q_lin", "k_lin", "v_lin", "lin1"),  # DistilBERT
)


def available_precisions() -> list[str]:
    """Return the precisions that the processor computes in, the fastest first."""
    return ["bf16", "f32"] if supports_bf16() else ["f32"]


def convert_network(
    network: Any, description: NetworkDescription, precision: str, folder: Path
) -> None:
    """Write a converted copy of the network into an empty folder.

    With bf16, matrices are multiplied in it. What flows past them from layer to layer, and its
    normalization, stays in f32: rounding it as well would more than double the errors.
    """
    import torch

    package = import_openvino()
    input_names = description.input_names
    if precision == "bf16":
        network = _with_bf16_layers(copy.deepcopy(network))

    class PositionalNetwork(torch.nn.Module):
        """The network with its inputs in a fixed order, and its logits alone."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *inputs: Any) -> Any:
            return self.network(**dict(zip(input_names, inputs, strict=True))).logits.float()

    width = min(description.max_tokens, EXAMPLE_TOKENS)  # a network of few positions takes no more
    example = tuple(torch.ones((2, width), dtype=torch.int64) for _ in input_names)
    shapes = [([-1, -1], package.Type.i64) for _ in input_names]
    model = trace_to_openvino(PositionalNetwork(), example, shapes)
    save_network(model, folder / OPENVINO_FILE, half_weights=True)


def _with_bf16_layers(network: Any) -> Any:
    """Put all linear layers but the last into bf16, whatever precision flows in and out."""
    import torch

    def cast_input(_: Any, inputs: Any) -> Any:
        return (inputs[0].to(torch.bfloat16),)

    def cast_output(_: Any, inputs: Any, output: Any) -> Any:
        return output.float()

    layers = [pair for pair in network.named_modules() if isinstance(pair[1], torch.nn.Linear)]
    for name, layer in layers[:-1]:  # the last one gives the logits, whose digits are compared
        layer.to(torch.bfloat16)
        layer.register_forward_pre_hook(cast_input)
        if not name.endswith(BF16_OUTPUT_LAYERS):
            layer.register_forward_hook(cast_output)
    return network
