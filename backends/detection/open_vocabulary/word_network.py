"""YOLO-World and YOLOE with the embeddings of words as a second input: all words share one."""

from collections.abc import Sequence
from types import MethodType
from typing import Any

import numpy as np
import torch

from backends.detection.model.export_wrapper import ExportWrapper
from backends.detection.model.letterbox import Floats
from shared.media.image import Pixels

# Classes of Ultralytics' heads that compare an image with words, and the argument of `predict`
# that takes their embeddings.
EMBEDDING_ARGUMENTS = {"WorldDetect": "txt_feats"}
# Words for comparing engines, and the likeness (cosine) of any two of them.
MAX_FITTING_WORDS = 8
MAX_LIKENESS = 0.7
YOLOE_ARGUMENT = "vpe"  # which is taken as it is


class WordNetwork(ExportWrapper):
    """Maps RGB pixels, as `ExportWrapper` does, and embeddings (1, words, dimensions) to arrays."""

    def __init__(self, network: Any) -> None:
        super().__init__(network)
        head = self.network.model[-1]
        self._argument = EMBEDDING_ARGUMENTS.get(type(head).__name__, YOLOE_ARGUMENT)
        compare = _compare_yoloe if self._argument == YOLOE_ARGUMENT else _compare_world
        head.forward = MethodType(compare, head)

    def forward(  # type: ignore[override]
        self, pixels: torch.Tensor, embeddings: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """Run the network on images, all with the same words."""
        images = self.normalize(pixels)
        arguments = {self._argument: embeddings.to(images.dtype)}
        outputs = self.network.predict(images, **arguments)
        return outputs if isinstance(outputs, tuple) else (outputs,)


def _compare_world(head: Any, maps: list[torch.Tensor], words: torch.Tensor) -> torch.Tensor:
    """Do what `WorldDetect` does, for any number of words: it counts them when it is traced."""
    decoded: torch.Tensor = head._inference(_score_words(head, maps, words))
    return decoded


def _compare_yoloe(head: Any, inputs: list[torch.Tensor]) -> Any:
    """Do what `YOLOEDetect` and its segmenting descendants do, for any number of words."""
    *maps, words = inputs
    found = _score_words(head, maps, words)
    if not hasattr(head, "cv5"):
        return head._inference(found)
    masks = [head.cv5[level](one).flatten(2) for level, one in enumerate(maps)]
    found["mask_coefficient"] = torch.cat(masks, 2)
    takes_all_maps = hasattr(head.proto, "feat_refine")
    prototypes = head.proto(maps, return_semantic=False) if takes_all_maps else head.proto(maps[0])
    return head._inference(found), prototypes


def _score_words(head: Any, maps: list[torch.Tensor], words: torch.Tensor) -> dict[str, Any]:
    boxes = [head.cv2[level](one).flatten(2) for level, one in enumerate(maps)]
    scores = [
        head.cv4[level](head.cv3[level](one), words).flatten(2) for level, one in enumerate(maps)
    ]
    return {"boxes": torch.cat(boxes, 2), "scores": torch.cat(scores, 2), "feats": list(maps)}


def word_dimensions(network: Any) -> int:
    """Return how many numbers the embedding of a word has; 0 for a network of fixed classes.

    The classes of YOLOE are fixed once they are fused into its head, and without prompts.
    """
    head = network.model[-1]
    kinds = {kind.__name__ for kind in type(head).__mro__}
    if "WorldDetect" in kinds:
        return int(head.cv3[0][-1].out_channels)
    if "YOLOEDetect" not in kinds:
        return 0
    is_fixed = getattr(head, "is_fused", False) or hasattr(head, "lrpc") or head.cv2 is None
    return 0 if is_fixed else int(head.embed)


def fitting_embeddings(network: Any, frames: Sequence[Pixels], dimensions: int) -> Floats:
    """Return embeddings (1, words, dimensions) that fit what is on images (height, width, 3).

    Made of what the head compares with words in the middle of each image, so that a comparison
    of engines finds objects whatever the network was trained on.
    """
    words = torch.nn.functional.normalize(torch.ones(1, 1, dimensions), dim=-1)
    seen: list[torch.Tensor] = []

    def keep_middle(comparison: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        norm = getattr(comparison, "norm", torch.nn.Identity())
        features = norm(inputs[0])
        seen.append(features[0, :, features.shape[2] // 2, features.shape[3] // 2])

    heads = network.network.model[-1].cv4
    hooks = [one.register_forward_pre_hook(keep_middle) for one in heads]
    try:
        with torch.inference_mode():
            for frame in frames:
                network(torch.from_numpy(frame)[None], words)
    finally:
        for hook in hooks:
            hook.remove()
    found: Floats = torch.nn.functional.normalize(torch.stack(seen), dim=-1).numpy()
    return _different_rows(found)[None]


def _different_rows(embeddings: Floats) -> Floats:
    """Return the rows that are not close to one before: which of two equals wins is arbitrary."""
    kept = embeddings[:1]
    for row in embeddings[1:]:
        if len(kept) < MAX_FITTING_WORDS and (kept @ row).max() < MAX_LIKENESS:
            kept = np.concatenate([kept, row[None]])
    return kept
