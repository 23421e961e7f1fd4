"""Small detectors of transformers, seeded and untrained, as folders."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

CLASSES = {0: "circle", 1: "square", 2: "triangle"}
SIDE = 96
# Those whose queries differ only with larger weights.
SATURATED = ("detr", "conditional_detr", "yolos")


def save_detector(family: str, folder: Path) -> Path:
    """Save a detector of a family with its image processor."""
    import torch

    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    model, processor = BUILDERS[family]()
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:  # an untrained model gives nearly the same for all that it sees
                weights.mul_(4.0 if family in SATURATED else 2.0)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _small_layers(**others: Any) -> dict[str, Any]:
    return {
        "d_model": 32,
        "encoder_layers": 1,
        "decoder_layers": 2,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
        "num_queries": 20,
        "id2label": CLASSES,
        **others,
    }


def _resnet(stages: list[str] | None = None) -> Any:
    import transformers

    return transformers.ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=stages or ["stage4"],
    )


def _shortest_edge() -> dict[str, int]:
    return {"shortest_edge": SIDE, "longest_edge": 160}


def _detr(kind: str) -> Callable[[], tuple[Any, Any]]:
    def build() -> tuple[Any, Any]:
        import transformers

        stages = ["stage2", "stage3", "stage4"] if kind == "DeformableDetr" else None
        config = getattr(transformers, f"{kind}Config")(
            **_small_layers(), use_timm_backbone=False, backbone_config=_resnet(stages)
        )
        model = getattr(transformers, f"{kind}ForObjectDetection")(config)
        processor = getattr(transformers, f"{kind}ImageProcessor")(size=_shortest_edge())
        return model, processor

    return build


def _rt_detr(kind: str) -> Callable[[], tuple[Any, Any]]:
    def build() -> tuple[Any, Any]:
        import transformers

        stages = ["stage2", "stage3", "stage4"]
        if kind == "DFine":
            backbone = transformers.HGNetV2Config(
                embedding_size=8,
                stem_channels=[3, 8, 8],
                hidden_sizes=[8, 16, 16, 16],
                stage_in_channels=[8, 8, 16, 16],
                stage_mid_channels=[8, 8, 8, 8],
                stage_out_channels=[8, 16, 16, 16],
                stage_num_blocks=[1, 1, 1, 1],
                stage_numb_of_layers=[2, 2, 2, 2],
                out_features=stages,
            )
        else:
            backbone = transformers.RTDetrResNetConfig(
                embedding_size=8,
                hidden_sizes=[8, 8, 16, 16],
                depths=[1, 1, 1, 1],
                layer_type="basic",
                out_features=stages,
            )
        layers = _small_layers(
            encoder_hidden_dim=32, encoder_in_channels=[8, 16, 16], decoder_in_channels=[32] * 3
        )
        if kind == "DFine":
            layers["encoder_in_channels"] = [16, 16, 16]
        config = getattr(transformers, f"{kind}Config")(
            **layers, backbone_config=backbone, feat_strides=[8, 16, 32]
        )
        model = getattr(transformers, f"{kind}ForObjectDetection")(config)
        size = {"height": SIDE, "width": SIDE}
        return model, transformers.RTDetrImageProcessor(size=size)

    return build


def _yolos() -> tuple[Any, Any]:
    import transformers

    config = transformers.YolosConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=[96, 160],
        num_detection_tokens=20,
        id2label=CLASSES,
    )
    model = transformers.YolosForObjectDetection(config)
    return model, transformers.YolosImageProcessor(size=_shortest_edge())


BUILDERS: Mapping[str, Callable[[], tuple[Any, Any]]] = {
    "rt_detr": _rt_detr("RTDetr"),
    "rt_detr_v2": _rt_detr("RTDetrV2"),
    "d_fine": _rt_detr("DFine"),
    "detr": _detr("Detr"),
    "conditional_detr": _detr("ConditionalDetr"),
    "deformable_detr": _detr("DeformableDetr"),
    "yolos": _yolos,
}
