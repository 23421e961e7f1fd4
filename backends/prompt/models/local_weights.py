"""The files of a model that runs in this process."""

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from backends._transformers import hub
from shared.backend import ModelSpec
from shared.backend.converted_model_cache import fresh_folder
from shared.backend.extras import require
from shared.backend.model_folder import find_model
from shared.errors import ModelError, short_path
from shared.settings import Settings

# Models that run in this process are named so, before a hub's name, a folder or a GGUF file.
LOCAL_PREFIX = "hf:"
GGUF_SUFFIX = ".gguf"
# What transformers raises for a GGUF file that it cannot read, wherever that is cut off.
UNREADABLE = (OSError, ValueError, LookupError, NotImplementedError, struct.error)
# Chat models have their template in a file of its own; transformers runs it in a sandbox.
FILE_PATTERNS = (*hub.FILE_PATTERNS, "*.jinja")


def is_local(spec: ModelSpec) -> bool:
    """Return whether a model runs in this process."""
    return spec.model.startswith(LOCAL_PREFIX)


def local_name(spec: ModelSpec) -> str:
    """Return a model's name without what says that it runs here."""
    return spec.model.removeprefix(LOCAL_PREFIX)


def list_local_files(spec: ModelSpec, settings: Settings) -> Iterable[Path]:
    """Return the model's files, downloaded if need be; ModelError if there is no such model."""
    if local_name(spec).endswith(GGUF_SUFFIX):
        return [_find_gguf(spec, settings)]
    return hub.list_files(_find_folder(spec, settings), FILE_PATTERNS)


def find_local_folder(spec: ModelSpec, settings: Settings, digest: str) -> Path:
    """Return a folder that transformers loads; a GGUF file is converted once.

    `digest` is the hash of the model's files.
    """
    if not local_name(spec).endswith(GGUF_SUFFIX):
        return _find_folder(spec, settings)
    name = Path(local_name(spec)).stem
    folder = settings.cache_dir / "gguf" / f"{name}-{digest[:16]}"
    if not folder.is_dir():
        with fresh_folder(folder) as made:
            convert_gguf(_find_gguf(spec, settings), made)
    return folder


def load_tokenizer(spec: ModelSpec, settings: Settings) -> Any | None:
    """Return the model's tokenizer or processor; None if its files are not here yet.

    The network is not loaded, and nothing is downloaded.
    """
    require("transformers", "prompt-local")
    from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING as SEEING
    from transformers import AutoConfig, AutoProcessor, AutoTokenizer

    if local_name(spec).endswith(GGUF_SUFFIX):
        file = _find_gguf(spec, settings)
        return AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    folder = _find_present_folder(spec, settings)
    if folder is None:
        return None
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    kind = AutoProcessor if type(config) in SEEING else AutoTokenizer
    return kind.from_pretrained(folder, trust_remote_code=False)


def _find_present_folder(spec: ModelSpec, settings: Settings) -> Path | None:
    from huggingface_hub import snapshot_download

    name = local_name(spec)
    for folder in (find_model(name, settings), Path(name).expanduser()):
        if folder.is_dir():
            return folder
    cache = settings.cache_dir / "huggingface"
    try:
        return Path(snapshot_download(name, cache_dir=cache, local_files_only=True))
    except (OSError, ValueError):  # not there, or no name of the hub
        return None


def convert_gguf(file: Path, folder: Path) -> None:
    """Write what a GGUF file holds as transformers does: weights (f16) and tokenizer.

    ModelError if transformers does not know the architecture.
    """
    require("gguf", "prompt-local")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    options: dict[str, Any] = {"gguf_file": file.name, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(file.parent, **options)
        network = AutoModelForCausalLM.from_pretrained(file.parent, dtype=torch.float16, **options)
    except UNREADABLE as error:
        raise ModelError(
            f"{short_path(str(file))} cannot be read ({type(error).__name__}): expected a GGUF"
            " file of a language model whose architecture transformers knows"
        ) from None
    # Quantized weights have at most 11 significant bits: f32 would only double the file.
    _without_quantization(network).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _without_quantization(network: Any) -> Any:
    """Return a network with the same weights that knows of no file they came from."""
    import torch
    from transformers import AutoModelForCausalLM

    config = network.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with torch.device("meta"):
        plain = AutoModelForCausalLM.from_config(config)
    plain.load_state_dict(network.state_dict(), assign=True)
    plain.tie_weights()
    return plain


def _find_gguf(spec: ModelSpec, settings: Settings) -> Path:
    name = local_name(spec)
    for path in (find_model(name, settings), Path(name).expanduser()):
        if path.is_file():
            return path
    raise ModelError(
        f"PROMPT_MODEL={LOCAL_PREFIX}{short_path(name)}: there is no such file, neither here nor in"
        " MODEL_DIR"
    )


def _find_folder(spec: ModelSpec, settings: Settings) -> Path:
    name = local_name(spec)
    if name in {"", hub.STARTER}:
        raise ModelError(
            f"PROMPT_MODEL={spec.model}: expected {LOCAL_PREFIX} and a model's name on the hub, its"
            " folder, or a GGUF file; there is no starter"
        )
    reference = hub.ModelReference(name, "PROMPT_MODEL", Path(), FILE_PATTERNS)
    return hub.find_folder(reference, settings)
