"""Networks of every family with random weights, a few thousand numbers each."""

from functools import partial
from typing import Any

import torch

SIDE, SAM3_SIDE = 128, 112


def ultralytics_sam() -> Any:
    from ultralytics.models.sam.modules.decoders import MaskDecoder
    from ultralytics.models.sam.modules.encoders import ImageEncoderViT, PromptEncoder
    from ultralytics.models.sam.modules.sam import SAMModel
    from ultralytics.models.sam.modules.transformer import TwoWayTransformer

    return SAMModel(
        image_encoder=ImageEncoderViT(
            depth=2,
            embed_dim=32,
            img_size=SIDE,
            mlp_ratio=2,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            num_heads=2,
            patch_size=16,
            qkv_bias=True,
            use_rel_pos=True,
            global_attn_indexes=[1],
            window_size=4,
            out_chans=32,
        ),
        prompt_encoder=PromptEncoder(32, (SIDE // 16,) * 2, (SIDE, SIDE), 16),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(depth=2, embedding_dim=32, mlp_dim=64, num_heads=2),
            transformer_dim=32,
            iou_head_depth=3,
            iou_head_hidden_dim=32,
        ),
        pixel_mean=[123.675, 116.28, 103.53],
        pixel_std=[58.395, 57.12, 57.375],
    )


def ultralytics_sam2() -> Any:
    from ultralytics.models.sam.build import _build_sam2

    network = _build_sam2(
        encoder_embed_dim=16,
        encoder_stages=[1, 2, 2, 1],
        encoder_num_heads=1,
        encoder_global_att_blocks=[4],
        encoder_window_spec=[8, 4, 8, 4],
        encoder_backbone_channel_list=[128, 64, 32, 16],
    )
    network.set_imgsz((SIDE, SIDE))
    return network


def _sam_parts(names: str, **decoder: Any) -> dict[str, Any]:
    import transformers

    vision, prompts, masks = (
        getattr(transformers, f"{names}{part}Config")
        for part in ("Vision", "PromptEncoder", "MaskDecoder")
    )
    return {
        "vision_config": vision(
            hidden_size=32,
            output_channels=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=SIDE,
            patch_size=16,
            window_size=4,
            global_attn_indexes=[1],
            mlp_dim=64,
            num_pos_feats=16,
        ),
        "prompt_encoder_config": prompts(hidden_size=32, image_size=SIDE, patch_size=16),
        "mask_decoder_config": masks(**_small_decoder(), **decoder),
    }


def _small_decoder() -> dict[str, int]:
    return {
        "hidden_size": 32,
        "mlp_dim": 64,
        "num_attention_heads": 2,
        "iou_head_hidden_dim": 32,
    }


def transformers_sam() -> Any:
    import transformers

    return transformers.SamModel(transformers.SamConfig(**_sam_parts("Sam")))


def transformers_sam_hq() -> Any:
    import transformers

    return transformers.SamHQModel(transformers.SamHQConfig(**_sam_parts("SamHQ", vit_dim=32)))


def transformers_sam2() -> Any:
    import transformers as library

    backbone = library.Sam2HieraDetConfig(
        hidden_size=16,
        num_attention_heads=1,
        image_size=[SIDE, SIDE],
        blocks_per_stage=[1, 2, 2, 1],
        embed_dim_per_stage=[16, 32, 64, 128],
        num_attention_heads_per_stage=[1, 2, 4, 8],
        window_size_per_stage=[8, 4, 8, 4],
        global_attention_blocks=[4],
    )
    vision = library.Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[128, 64, 32, 16],
        backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]],
        fpn_hidden_size=32,
    )
    config = library.Sam2Config(
        vision_config=vision,
        prompt_encoder_config=library.Sam2PromptEncoderConfig(
            hidden_size=32, image_size=SIDE, patch_size=16
        ),
        mask_decoder_config=library.Sam2MaskDecoderConfig(**_small_decoder()),
    )
    return library.Sam2Model(config)


def transformers_sam3() -> Any:
    import transformers as library

    backbone = library.Sam3ViTConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=SAM3_SIDE,
        pretrain_image_size=SAM3_SIDE,
        patch_size=14,
        window_size=4,
        global_attn_indexes=[1],
    )
    vision = library.Sam3VisionConfig(
        backbone_config=backbone,
        fpn_hidden_size=32,
        backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]],
        scale_factors=[4.0, 2.0, 1.0],
    )
    config = library.Sam3TrackerConfig(
        vision_config=vision,
        prompt_encoder_config=library.Sam3TrackerPromptEncoderConfig(
            hidden_size=32, image_size=SAM3_SIDE, patch_size=14
        ),
        mask_decoder_config=library.Sam3TrackerMaskDecoderConfig(**_small_decoder()),
    )
    return library.Sam3TrackerModel(config)


# The memory of SAM 2 and SAM 3 has 64 channels; the rest has more, and a multiple of them.
MEMORY_WIDTH, VIDEO_WIDTH = 64, 128


def _small_memory(side: int, patch: int) -> dict[str, Any]:
    """What a network of videos has beside that of images."""
    return {
        "image_size": side,
        "num_maskmem": 3,
        "max_object_pointers_in_encoder": 4,
        "memory_attention_hidden_size": VIDEO_WIDTH,
        "memory_attention_num_layers": 1,
        "memory_attention_feed_forward_hidden_size": 32,
        "memory_attention_rope_feat_sizes": [side // patch, side // patch],
        "memory_encoder_hidden_size": VIDEO_WIDTH,
        "memory_encoder_output_channels": MEMORY_WIDTH,
        "mask_downsampler_embed_dim": VIDEO_WIDTH,
        "memory_fuser_embed_dim": VIDEO_WIDTH,
        "memory_fuser_intermediate_dim": 64,
    }


def _video_network(name: str, vision: Any, side: int, patch: int) -> Any:
    """Build a network of videos that sees as the one of images whose `vision` config is given."""
    import transformers

    vision.fpn_hidden_size = VIDEO_WIDTH
    prompts, masks, whole, network = (
        getattr(transformers, f"{name}{part}")
        for part in ("PromptEncoderConfig", "MaskDecoderConfig", "Config", "Model")
    )
    config = whole(
        vision_config=vision,
        prompt_encoder_config=prompts(hidden_size=VIDEO_WIDTH, image_size=side, patch_size=patch),
        mask_decoder_config=masks(**{**_small_decoder(), "hidden_size": VIDEO_WIDTH}),
        **_small_memory(side, patch),
    )
    return network(config)


def transformers_sam2_video() -> Any:
    return _video_network("Sam2Video", transformers_sam2().config.vision_config, SIDE, 16)


def transformers_sam3_video() -> Any:
    vision = transformers_sam3().config.vision_config
    vision.scale_factors = [4.0, 2.0, 1.0, 0.5]  # the last one is left out
    return _video_network("Sam3TrackerVideo", vision, SAM3_SIDE, 14)
