"""Silero VAD, by ONNX Runtime: how likely each 32 ms of a recording are speech.

The network and its weights are those of silero-vad (MIT): github.com/snakers4/silero-vad.
"""

import importlib.util
import os
import threading
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends._inference.device import available_cores
from shared.backend.extras import require
from shared.errors import ModelError
from shared.media.audio import Samples

# Samples a second that the network takes, and those of a frame: 32 ms.
RATE = 16_000
FRAME_SAMPLES = 512
FRAME_SECONDS = FRAME_SAMPLES / RATE
# Samples of the frame before that it gets with each frame.
CONTEXT_SAMPLES = 64
STATE_SHAPE = (1, 1, 128)
# Frames in a call: 16 seconds.
MAX_FRAMES = 512
# The packages that bring the network whose input is a sequence of frames, and where in them it is.
WEIGHTS = (
    ("faster_whisper", "assets/silero_vad_v6.onnx"),
    ("silero_vad", "data/silero_vad_16k_sequence.onnx"),
)


def find_weights() -> Path:
    """Return the network's file, which is part of a package; the package is not imported."""
    for package, name in WEIGHTS:
        found = importlib.util.find_spec(package)
        for folder in (found.submodule_search_locations or ()) if found else ():
            if (Path(folder) / name).is_file():
                return Path(folder) / name
    packages = " or ".join(package.replace("_", "-") for package, _ in WEIGHTS)
    raise ModelError(f"Voice activity needs the network of Silero VAD: install {packages}")


def shared_detector() -> "VoiceDetector":
    """Return this process's detector, which any thread may use."""
    return _load_detector(os.getpid())


@cache
def _load_detector(process: int) -> "VoiceDetector":
    return VoiceDetector(find_weights())


class VoiceDetector:
    """The loaded network. It keeps no state of a recording, so that threads can share it.

    However many do, half of the cores are left to the models that hear what it finds.
    """

    def __init__(self, file: Path) -> None:
        onnxruntime = require("onnxruntime", "speech")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._free_core = threading.BoundedSemaphore(max(1, available_cores() // 2))
        self._session = onnxruntime.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"]
        )

    def probabilities(self, blocks: Iterable[Samples]) -> NDArray[np.float32]:
        """Return the probability of speech in each 32 ms of a recording, given in blocks.

        A block has shape (samples,), at 16 kHz; the last frame is filled up with silence.
        """
        state = [np.zeros(STATE_SHAPE, np.float32) for _ in range(2)]
        context: Samples = np.zeros(CONTEXT_SAMPLES, np.float32)
        rest: Samples = np.zeros(0, np.float32)
        found: list[NDArray[np.float32]] = []
        for block in blocks:
            samples: Samples = np.concatenate([rest, block])
            whole = len(samples) // FRAME_SAMPLES * FRAME_SAMPLES
            rest = samples[whole:]
            context = self._run(samples[:whole], context, state, found)
        if len(rest):
            last = np.pad(rest, (0, FRAME_SAMPLES - len(rest)))
            self._run(last, context, state, found)
        return np.concatenate(found) if found else np.zeros(0, np.float32)

    def _run(
        self,
        samples: Samples,
        context: Samples,
        state: list[Any],
        found: list[NDArray[np.float32]],
    ) -> Samples:
        """Append the probabilities of whole frames, change the state; return the next context."""
        frames = samples.reshape(-1, FRAME_SAMPLES)
        for start in range(0, len(frames), MAX_FRAMES):
            part = frames[start : start + MAX_FRAMES]
            before = np.concatenate([context[None], part[:-1, -CONTEXT_SAMPLES:]])
            context = part[-1, -CONTEXT_SAMPLES:]
            given = {"input": np.concatenate([before, part], axis=1)}
            with self._free_core:
                values, *state[:] = self._session.run(None, {**given, "h": state[0], "c": state[1]})
            found.append(np.asarray(values, np.float32).reshape(-1))
        return context
