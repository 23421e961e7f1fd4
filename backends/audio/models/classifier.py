"""Classifies sounds: by the classes of a transformers network, or by names that CLAP is told."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from backends._inference.device import choose_torch_device
from backends._transformers import hub
from shared.backend.extras import require
from shared.media.audio import Samples
from shared.settings import Settings

# Windows in one pass of the network.
BATCH_SIZE = 16
# Networks with convolutions take no sound that is shorter.
MIN_SECONDS = 0.1


def model_reference(model: str) -> hub.ModelReference:
    """Return where a model is found."""
    return hub.ModelReference(model, "AUDIO_MODEL", Path(model))


class SoundClassifier:
    """A network with its feature extractor. `named`: it is CLAP, and told the classes."""

    def __init__(self, model: str, settings: Settings) -> None:
        require("torch", "audio")
        transformers = require("transformers", "audio")
        folder = hub.find_folder(model_reference(model), settings)
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
        self.named = config.model_type == "clap"
        self.exclusive = config.problem_type != "multi_label_classification"
        reader = (
            transformers.ClapModel if self.named else transformers.AutoModelForAudioClassification
        )
        self._extractor = _load_extractor(folder)
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder) if self.named else None
        network = reader.from_pretrained(folder, trust_remote_code=False, use_safetensors=True)
        self._device = choose_torch_device(settings)
        self._network = network.eval().to(self._device)
        self._classes = [] if self.named else [config.id2label[n] for n in range(config.num_labels)]
        self._text_features = lru_cache(maxsize=256)(self._compute_text_features)

    @property
    def classes(self) -> Sequence[str]:
        """The network's own classes; none of CLAP."""
        return self._classes

    @property
    def rate(self) -> int:
        """Samples a second that it takes."""
        return int(self._extractor.sampling_rate)

    def classify(
        self, sounds: Sequence[Samples], sentences: Mapping[str, str]
    ) -> list[dict[str, float]]:
        """Return the logit of each class for each sound; of CLAP for each of the sentences.

        `sentences` are what CLAP compares with, by the names of the classes.
        """
        found: list[dict[str, float]] = []
        for start in range(0, len(sounds), BATCH_SIZE):
            batch = [self._long_enough(sound) for sound in sounds[start : start + BATCH_SIZE]]
            found += self._classify_batch(batch, sentences)
        return found

    def _classify_batch(
        self, batch: Sequence[Samples], sentences: Mapping[str, str]
    ) -> list[dict[str, float]]:
        import torch

        given = self._extractor(
            batch, sampling_rate=self.rate, return_tensors="pt", **self._padding()
        ).to(self._device)
        with torch.inference_mode():
            if self.named:
                features = _pooled(self._network.get_audio_features(**given))
                features = features / features.norm(dim=-1, keepdim=True)
                scale = self._network.logit_scale_a.exp()
                logits = scale * features @ self._text_features(tuple(sentences.values())).T
            else:
                logits = self._network(**given).logits
        names = list(sentences) if self.named else self._classes
        return [dict(zip(names, row, strict=True)) for row in logits.float().cpu().tolist()]

    def _padding(self) -> dict[str, Any]:
        """Return how sounds of several lengths are joined, if the extractor has no way itself."""
        return (
            {} if self.named or not hasattr(self._extractor, "padding_value") else {"padding": True}
        )

    def _compute_text_features(self, sentences: tuple[str, ...]) -> Any:
        import torch

        given = self._tokenizer(list(sentences), padding=True, return_tensors="pt")  # type: ignore[misc]
        with torch.inference_mode():
            features = _pooled(self._network.get_text_features(**given.to(self._device)))
        return features / features.norm(dim=-1, keepdim=True)

    def _long_enough(self, sound: Samples) -> Samples:
        missing = round(MIN_SECONDS * self.rate) - len(sound)
        return sound if missing <= 0 else np.pad(sound, (0, missing))


def _pooled(features: Any) -> Any:
    """Return the vectors themselves: since transformers 5 they are a part of an output."""
    return getattr(features, "pooler_output", features)


def sampling_rate(model: str, settings: Settings) -> int:
    """Return the samples a second that a model takes; it must have been fetched."""
    return int(_load_extractor(hub.find_folder(model_reference(model), settings)).sampling_rate)


@lru_cache(maxsize=8)
def _load_extractor(folder: Path) -> Any:
    transformers = require("transformers", "audio")
    return transformers.AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=False)
