"""Small models of transformers that find what words name, seeded and untrained, as folders."""

from pathlib import Path
from typing import Any

from tests.backends.detection.open_vocabulary.word_networks import (
    clip_text_config,
    save_clip_tokenizer,
)

FAMILIES = ("grounding-dino", "mm-grounding-dino", "owlv2", "owlvit", "sam3")
# Tokens of BERT that Grounding DINO knows by their numbers.
BERT_TOKENS = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 1012: ".", 1029: "?"}


def save_word_model(family: str, folder: Path) -> Path:
    """Save a model of a family, with its tokenizer and its image processor."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    BUILDERS[family](family, folder)
    return folder


def _spread(model: Any, factor: float) -> None:
    """Let outputs differ: an untrained model gives nearly the same for all that it sees."""
    import torch

    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.mul_(factor)


def _save_grounding(family: str, folder: Path) -> None:
    import transformers

    kind = "GroundingDino" if family == "grounding-dino" else "MMGroundingDino"
    backbone = {
        "model_type": "swin",
        "image_size": 64,
        "embed_dim": 16,
        "depths": [1, 1, 1, 1],
        "num_heads": [1, 2, 2, 2],
        "window_size": 4,
        "out_indices": [2, 3, 4],
    }
    text = {
        "model_type": "bert",
        "vocab_size": 1100,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    config = getattr(transformers, f"{kind}Config")(
        backbone_config=transformers.SwinConfig(**_without_type(backbone)),
        text_config=transformers.BertConfig(**_without_type(text)),
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=20,
        num_feature_levels=4,
    )
    model = getattr(transformers, f"{kind}ForObjectDetection")(config)
    _spread(model, 3.0)
    model.save_pretrained(folder)
    transformers.GroundingDinoImageProcessor(
        size={"shortest_edge": 96, "longest_edge": 160}
    ).save_pretrained(folder)
    save_bert_tokenizer(folder)


def save_bert_tokenizer(folder: Path) -> Any:
    """Save a tokenizer of single letters, as BERT's without its words."""
    import transformers

    pieces = [BERT_TOKENS.get(number, f"[unused{number}]") for number in range(1100)]
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    for place, piece in enumerate([*letters, *(f"##{letter}" for letter in letters)], start=200):
        pieces[place] = piece
    tokenizer = transformers.BertTokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)}
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def _without_type(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != "model_type"}


def _save_owl(family: str, folder: Path) -> None:
    import transformers

    kind = "Owlv2" if family == "owlv2" else "OwlViT"
    text = clip_text_config(max_position_embeddings=16)
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": 96,
        "patch_size": 16,
    }
    config = getattr(transformers, f"{kind}Config")(
        text_config=text, vision_config=vision, projection_dim=32
    )
    model = getattr(transformers, f"{kind}ForObjectDetection")(config)
    _spread(model, 2.0)
    model.class_head.logit_scale.bias.data.fill_(8.0)  # likenesses are small differences
    model.box_head.dense2.weight.data.mul_(0.001)  # boxes stay on the picture
    model.save_pretrained(folder)
    getattr(transformers, f"{kind}ImageProcessor")(
        size={"height": 96, "width": 96}
    ).save_pretrained(folder)
    save_clip_tokenizer(folder, max_tokens=16)


def _save_sam3(family: str, folder: Path) -> None:
    import transformers

    layers = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64}
    config = transformers.Sam3Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam3_vit_model",
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "image_size": 112,
                "pretrain_image_size": 56,
                "patch_size": 14,
                "window_size": 4,
                "global_attn_indexes": [1],
            },
            "fpn_hidden_size": 32,
            "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
        },
        text_config=clip_text_config(max_position_embeddings=32)
        | {"model_type": "clip_text_model"},
        geometry_encoder_config={**layers, "num_layers": 1},
        detr_encoder_config={**layers, "num_layers": 1},
        detr_decoder_config={**layers, "num_layers": 1, "num_queries": 20},
        mask_decoder_config={"hidden_size": 32, "num_attention_heads": 4},
    )
    model = transformers.Sam3Model(config)
    _spread(model, 3.0)
    model.save_pretrained(folder)
    transformers.Sam3ImageProcessor(size={"height": 112, "width": 112}).save_pretrained(folder)
    save_clip_tokenizer(folder, max_tokens=32)


BUILDERS = {
    "grounding-dino": _save_grounding,
    "mm-grounding-dino": _save_grounding,
    "owlv2": _save_owl,
    "owlvit": _save_owl,
    "sam3": _save_sam3,
}
