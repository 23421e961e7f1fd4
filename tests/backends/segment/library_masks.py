"""Masks by the libraries' own predictors and processors, called as their documentation does."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from backends.segment.prompts import ObjectPrompt

Masks = NDArray[np.bool_]
# Returns the masks (objects, choices, height, width) and their scores (objects, choices).
Predict = Callable[[NDArray[np.uint8], Sequence[ObjectPrompt], bool], tuple[Masks, Any]]


def _given(prompts: Sequence[ObjectPrompt]) -> tuple[Any, Any, Any]:
    """Return points, labels and boxes as nested lists; None if the prompts have none."""
    points = [[[point.x, point.y] for point in prompt.points] for prompt in prompts]
    labels = [[int(point.is_positive) for point in prompt.points] for prompt in prompts]
    boxes = [
        [prompt.box.left, prompt.box.top, prompt.box.right, prompt.box.bottom]
        for prompt in prompts
        if prompt.box is not None
    ]
    return (points, labels, boxes or None) if points[0] else (None, None, boxes)


def by_ultralytics(network: Any, side: int) -> Predict:
    from ultralytics.models.sam.predict import Predictor, SAM2Predictor

    is_sam2 = hasattr(network, "sam_mask_decoder")
    options = {"imgsz": side, "verbose": False, "save": False, "device": "cpu", "conf": 0.0}
    predictor = (SAM2Predictor if is_sam2 else Predictor)(overrides=options)
    predictor.setup_model(network, verbose=False)

    def predict(image: Any, prompts: Sequence[ObjectPrompt], several: bool) -> tuple[Masks, Any]:
        predictor.set_image(np.ascontiguousarray(image[..., ::-1]))
        points, labels, boxes = (None if g is None else np.array(g) for g in _given(prompts))
        masks, found = predictor.inference_features(
            predictor.features,
            image.shape[:2],
            bboxes=boxes,
            points=points,
            labels=labels,
            multimask_output=several,
        )
        scores = found[:, 4].reshape(len(prompts), -1)
        return masks.numpy().reshape(*scores.shape, *image.shape[:2]), scores.numpy()

    return predict


def by_transformers(network: Any, processor: Any) -> Predict:
    def predict(image: Any, prompts: Sequence[ObjectPrompt], several: bool) -> tuple[Masks, Any]:
        points, labels, boxes = _given(prompts)
        asked = {"input_points": points, "input_labels": labels, "input_boxes": boxes}
        nested = {name: [value] for name, value in asked.items() if value is not None}
        inputs = processor(images=image, return_tensors="pt", **nested)
        sizes = [inputs.pop("original_sizes")]
        if "reshaped_input_sizes" in inputs:
            sizes.append(inputs.pop("reshaped_input_sizes"))
        floats = {k: v.float() if v.dtype == torch.float64 else v for k, v in inputs.items()}
        with torch.no_grad():
            found = network(multimask_output=several, **floats)
        return processor.post_process_masks(found.pred_masks, *sizes)[0].numpy(), (
            found.iou_scores[0].numpy()
        )

    return predict


def refine(network: Any, features: Sequence[Any], point: Any, earlier: Any) -> tuple[Any, Any]:
    """Return logits (1, 1, h, w) and scores of a click on features, after an earlier mask.

    The point (1, 1, 2) is in pixels of the network's square.
    """
    first, *larger = map(torch.from_numpy, features)
    points, labels = torch.from_numpy(point), torch.ones((1, 1), dtype=torch.int)
    mask = torch.from_numpy(earlier)
    with torch.no_grad():
        if hasattr(network, "get_image_wide_positional_embeddings"):
            embeddings = [*larger, first] if larger else first
            found = network(
                image_embeddings=embeddings,
                input_points=points[None],
                input_labels=labels[None],
                input_masks=mask,
                multimask_output=False,
            )
            return found.pred_masks[0].numpy(), found.iou_scores[0].numpy()
        is_sam2 = hasattr(network, "sam_mask_decoder")
        prompts = network.sam_prompt_encoder if is_sam2 else network.prompt_encoder
        decoder = network.sam_mask_decoder if is_sam2 else network.mask_decoder
        sparse, dense = prompts((points, labels), None, mask)
        more = {"repeat_image": True, "high_res_features": larger} if is_sam2 else {}
        logits, scores, *_ = decoder(first, prompts.get_dense_pe(), sparse, dense, False, **more)
        return logits.numpy(), scores.numpy()
