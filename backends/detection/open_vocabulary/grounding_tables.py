"""What Grounding DINO's mixer gets besides pixels: tables of the sizes of maps, and of a text."""

import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from cachetools import LRUCache
from numpy.typing import NDArray

from backends.detection.open_vocabulary.grounding_attention import level_table

# Texts whose encoding is kept, and sizes of images whose tables are (20 MB each).
KEPT_TEXTS = 64
KEPT_SIZES = 4
# Boxes whose centre or size is beyond these are none, and have the logit of 1.
EDGE = 0.01
FAR = 1e4
# The size of proposals on the finest map, as a fraction of the image.
PROPOSAL_SIZE = 0.05

Sizes = tuple[tuple[int, int], ...]
Arrays = list[NDArray[Any]]


class ImageTables(NamedTuple):
    """Of the pixels of all feature maps, the finest first.

    `positions` (1, pixels, dimensions) are added to queries, `places` (pixels, 2) are x and y as
    fractions, `proposals` (pixels, 5) are logits of boxes and whether they count, and `levels` is
    `level_table`.
    """

    positions: torch.Tensor
    places: torch.Tensor
    proposals: torch.Tensor
    levels: torch.Tensor


class TextTables(NamedTuple):
    """Of a text's tokens: features and positions (1, tokens, dimensions), and an additive mask."""

    features: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor


class GroundingTables:
    """Makes both kinds from the parts of a network that it takes, and keeps them.

    It holds nothing else of the network.
    """

    def __init__(self, network: Any) -> None:
        model, config = network.model, network.config
        self._dimensions = int(config.d_model)
        # The side of the squares into which the backbone cuts a picture.
        self.patch = int(getattr(config.backbone_config, "patch_size", 1))
        self._heads, self._points = config.encoder_attention_heads, config.encoder_n_points
        self._position_embedding = model.backbone.position_embedding
        self._level_embeddings = model.level_embed
        self._text_encoder, self._text_projection = model.text_backbone, model.text_projection
        self._special_tokens = model.special_tokens
        library: Any = importlib.import_module(type(model).__module__)
        self._split_words = library.generate_masks_with_special_tokens_and_transfer_map
        self._embed_text_positions = model.encoder.layers[0].get_text_position_embeddings
        self._texts: LRUCache[tuple[int, ...], Arrays] = LRUCache(KEPT_TEXTS)
        self._images: LRUCache[Sizes, Arrays] = LRUCache(KEPT_SIZES)

    def of_image(self, sizes: Sizes) -> Arrays:
        """Return `ImageTables` for maps of some sizes (height, width), as arrays."""
        if sizes not in self._images:
            with torch.inference_mode():
                self._images[sizes] = [one.numpy() for one in self._make_image_tables(sizes)]
        return self._images[sizes]

    def of_text(self, tokens: tuple[int, ...]) -> Arrays:
        """Return `TextTables` as arrays."""
        if tokens not in self._texts:
            with torch.inference_mode():
                made = self._make_text_tables(torch.tensor([tokens]))
            self._texts[tokens] = [one.numpy() for one in made]
        return self._texts[tokens]

    def _make_image_tables(self, sizes: Sizes) -> ImageTables:
        positions, centers, lengths = [], [], []
        for level, (height, width) in enumerate(sizes):
            whole = torch.ones(1, height, width, dtype=torch.bool)
            image = torch.empty(1, self._dimensions, height, width)
            found = self._position_embedding(image, whole).flatten(2).transpose(1, 2)
            positions.append(found + self._level_embeddings[level])
            rows = (torch.arange(height) + 0.5) / height
            columns = (torch.arange(width) + 0.5) / width
            down, across = torch.meshgrid(rows, columns, indexing="ij")
            centers.append(torch.stack((across, down), -1).reshape(-1, 2))
            lengths.append(torch.full_like(centers[-1], PROPOSAL_SIZE * 2**level))
        places = torch.cat(centers)
        boxes = torch.cat((places, torch.cat(lengths)), 1)
        counts = ((boxes > EDGE) & (boxes < 1 - EDGE)).all(-1, keepdim=True)
        logits = torch.where(counts, torch.log(boxes / (1 - boxes)), FAR)
        proposals = torch.cat((logits, counts.float()), 1)
        levels = level_table(sizes, self._heads, self._points)
        return ImageTables(torch.cat(positions, 1), places, proposals, levels)

    def _make_text_tables(self, tokens: torch.Tensor) -> TextTables:
        sees, numbers = self._split_words(tokens, self._special_tokens)
        encoded = self._text_encoder(tokens, sees[:, None], torch.zeros_like(tokens), numbers)
        features = self._text_projection(encoded[0])
        positions = self._embed_text_positions(features, None, numbers)
        mask = (1 - sees[:, None].to(features.dtype)) * torch.finfo(features.dtype).min
        return TextTables(features, positions, mask)


def sizes_of(maps: Sequence[NDArray[Any]]) -> Sizes:
    """Return height and width of feature maps (1, dimensions, height, width)."""
    return tuple((one.shape[2], one.shape[3]) for one in maps)
