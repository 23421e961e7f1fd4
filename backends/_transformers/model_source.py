"""Where a network is loaded from."""

from pathlib import Path
from typing import Any, NamedTuple


class ModelSource(NamedTuple):
    """A model's folder, the transformers class that reads it, and the folder of its conversions.

    `label` is its name in messages: the folder of a hub's model is named by a hash.
    """

    auto_class: str
    folder: Path
    cache_folder: Path
    label: str = ""

    @property
    def name(self) -> str:
        """The name in messages."""
        return self.label or self.folder.name

    def load_network(self, half: bool = False) -> Any:
        """Load the PyTorch network, in half precision or f32; code beside it is not run."""
        import transformers

        reader = getattr(transformers, self.auto_class)
        dtype = "float16" if half else "float32"
        # Other weights are pickles, which can contain code.
        return reader.from_pretrained(
            self.folder, dtype=dtype, trust_remote_code=False, use_safetensors=True
        ).eval()
