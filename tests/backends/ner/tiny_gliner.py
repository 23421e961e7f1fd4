"""A tiny GLiNER with random weights, as users have it: saved by the library, with its tokenizer."""

import shutil
from pathlib import Path
from typing import Any

from .conftest import STARTER


def save_tiny_gliner(base: Path, models: Path, **options: Any) -> Path:
    """Save the model in the folder `tiny` of `models`, its encoder in `base`.

    `options` go to its configuration.
    """
    import torch
    from gliner import GLiNER, GLiNERConfig
    from transformers import BertConfig, BertModel

    made = models / "tiny"
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertModel(BertConfig(vocab_size=4000, intermediate_size=64, **shape)).save_pretrained(base)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(STARTER / name, base / name)
    sizes = {"hidden_size": 32, "max_width": 4, "max_len": 24}
    config = GLiNERConfig(model_name=str(base), **sizes, **options)
    GLiNER.from_config(config).save_pretrained(str(made), safe_serialization=True)
    return made
