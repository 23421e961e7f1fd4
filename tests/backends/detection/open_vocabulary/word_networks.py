"""Small YOLO-World and YOLOE networks and text encoders, seeded and untrained."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.backends.detection.networks import SIZE, WIDTH, spread_scores

DIMENSIONS = 512
STORED_WORDS = ("circle", "Square", "car")
NETWORKS = ("yolov8n-world", "yolov8n-worldv2", "yoloe-v8n", "yoloe-11n-seg", "yoloe-26n-seg")


def save_word_network(name: str, folder: Path, stored: bool = True) -> Path:
    """Save an open-vocabulary network of Ultralytics, with the embeddings of `STORED_WORDS`."""
    import torch
    from ultralytics import YOLO
    from ultralytics.nn.tasks import yaml_model_load

    description = yaml_model_load(f"{name}.yaml")
    for key in ("yaml_file", "scale"):
        description.pop(key, None)
    description["scales"] = {"n": [0.33, WIDTH, 512]}
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(description))
    torch.manual_seed(0)
    made = YOLO(path)
    network = made.model
    spread_scores(network)
    _spread_comparisons(network)
    if stored:
        words = torch.from_numpy(word_vectors(STORED_WORDS))[None]
        network.names = dict(enumerate(STORED_WORDS))
        network.model[-1].nc = len(STORED_WORDS)
        if "world" in name:
            network.txt_feats = words
        else:
            network.pe = words
    made.ckpt = {"train_args": {"imgsz": SIZE}}
    file = folder / f"{name}{'' if stored else '-wordless'}.pt"
    made.save(file)
    return file


def _spread_comparisons(network: Any) -> None:
    """Let the scores of words vary: an untrained head gives all of them nearly 0."""
    import torch

    for head in network.model[-1].cv4, getattr(network.model[-1], "one2one_cv4", ()):
        for comparison in head:
            comparison.bias.data.fill_(-3.0)
            comparison.logit_scale.data.fill_(float(torch.tensor(3.0).log()))


def word_vectors(words: Sequence[str]) -> Any:
    """Return an embedding of length 1 of each word, the same on each call."""
    rows = [np.random.default_rng(sum(word.encode())).standard_normal(DIMENSIONS) for word in words]
    vectors = np.stack(rows).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def save_clip_tokenizer(folder: Path, max_tokens: int = 77) -> Any:
    """Save a tokenizer of single bytes, as CLIP's without its merges."""
    from transformers import CLIPTokenizer
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters = list(bytes_to_unicode().values())
    pieces = [*letters, *(f"{letter}</w>" for letter in letters)]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)},
        merges=[],
        model_max_length=max_tokens,
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def clip_text_config(**changes: Any) -> dict[str, Any]:
    """Return the configuration of a small text encoder for that tokenizer."""
    return {
        "vocab_size": 514,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 77,
        "projection_dim": DIMENSIONS,
        "bos_token_id": 512,
        "eos_token_id": 513,
        "pad_token_id": 513,
    } | changes


def save_clip(folder: Path, **changes: Any) -> Path:
    """Save a small CLIP text encoder with its tokenizer, as a folder of transformers."""
    import torch
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    folder.mkdir(parents=True, exist_ok=True)
    save_clip_tokenizer(folder)
    torch.manual_seed(0)
    model = CLIPTextModelWithProjection(CLIPTextConfig(**clip_text_config(**changes)))
    with torch.no_grad():  # far from each other: an untrained one gives all texts nearly the same
        for weights in model.parameters():
            weights.add_(torch.randn_like(weights) * 0.3)
    model.save_pretrained(folder)
    return folder
