"""Where a network is loaded from."""

import json
from pathlib import Path
from typing import Any, NamedTuple

# The folder of the conversion that every exported model has, and a file in it.
EXPORTED_FILE = Path("f32") / "network.json"


def is_exported(folder: Path) -> bool:
    """Return whether a folder was written by `prelabel export`."""
    return (folder / EXPORTED_FILE).is_file()


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

    @property
    def is_exported(self) -> bool:
        """Whether the folder holds conversions in place of the model's own weights."""
        return is_exported(self.folder)

    @property
    def model_type(self) -> str:
        """The kind of network, in transformers' words; "" where the files do not say it."""
        path = self.folder / "config.json"
        if not path.is_file():
            return ""
        return str(json.loads(path.read_text("utf-8")).get("model_type", ""))

    def load_config(self) -> Any:
        """Load transformers' configuration."""
        import transformers

        return transformers.AutoConfig.from_pretrained(self.folder, trust_remote_code=False)

    def load_network(self, half: bool = False, attention: str | None = None) -> Any:
        """Load the PyTorch network, in half precision or f32; code beside it is not run.

        `attention` is transformers' name of an implementation of it.
        """
        import transformers

        reader = getattr(transformers, self.auto_class)
        options = {"attn_implementation": attention} if attention else {}
        # Other weights are pickles, which can contain code.
        return reader.from_pretrained(
            self.folder,
            dtype="float16" if half else "float32",
            trust_remote_code=False,
            use_safetensors=True,
            **options,
        ).eval()
