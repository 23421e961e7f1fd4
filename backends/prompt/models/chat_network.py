"""A network of transformers that continues chats, with its tokenizer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backends.prompt.models.chat_text import ChatText, write_chat
from backends.prompt.models.constrained_rows import ConstrainedRows
from backends.prompt.models.messages import Message
from shared.backend.extras import require
from shared.errors import ModelError, truncate

# Tokens of a batch, answers included: all layers remember each until the batch is done.
BATCH_TOKENS = {"cpu": 16_384, "cuda": 131_072}


class ChatNetwork:
    """Continues chats in batches.

    `reader` turns chats into the network's inputs: a processor if it sees pictures, else a
    tokenizer.
    """

    def __init__(self, network: Any, reader: Any) -> None:
        self._network = network
        self._reader = reader
        self.tokenizer = getattr(reader, "tokenizer", reader)
        self.tokenizer.padding_side = "left"  # a row goes on where its prompt ends
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        # The model's own rules of sampling would change the probabilities.
        network.generation_config = type(network.generation_config)()

    @classmethod
    def load(cls, name: str, folder: Path, device: str) -> "ChatNetwork":
        """Load a model from a folder; `name` is for messages. Code in the folder is not run.

        ModelError if it is no chat model of text, or of text and pictures.
        """
        require("transformers", "prompt-local")
        try:
            network, reader = _load(folder, device)
        except (OSError, ValueError, KeyError) as error:
            reason = truncate((str(error).splitlines() or [""])[0], 200)
            raise ModelError(f"{name} is no chat model that transformers loads: {reason}") from None
        if not getattr(getattr(reader, "tokenizer", reader), "is_fast", False):
            raise ModelError(f"{name} has no fast tokenizer, which answers by a schema need")
        return cls(network.eval().to(device), reader)

    @property
    def sees_pictures(self) -> bool:
        """Whether it takes pictures beside text."""
        return self.tokenizer is not self._reader

    @property
    def context_tokens(self) -> int | None:
        """How many tokens fit into it, those of the answer included, if it says so."""
        config = self._network.config.get_text_config()
        limit = getattr(config, "max_position_embeddings", None)
        return int(limit) if limit else None

    @property
    def vocabulary_size(self) -> int:
        """How many tokens it knows, or its tokenizer if that has more."""
        known: int = self._network.get_output_embeddings().weight.shape[0]
        return max(known, len(self.tokenizer))

    @property
    def batch_tokens(self) -> int:
        """How many tokens a batch may have, answers included."""
        return BATCH_TOKENS["cuda" if self._network.device.type == "cuda" else "cpu"]

    def write_chat(self, messages: Sequence[Message]) -> ChatText:
        """Return chat messages as the text that it continues."""
        return write_chat(messages, self._reader)

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text has."""
        return len(self.tokenizer(text, add_special_tokens=False).input_ids)

    def generate(self, chats: Sequence[ChatText], rows: ConstrainedRows, max_tokens: int) -> None:
        """Let it write the rows, each of which continues a chat. Pictures are in all or in none."""
        import torch
        from transformers import GenerationConfig

        config = GenerationConfig(
            max_new_tokens=max_tokens,
            do_sample=False,
            pad_token_id=self.tokenizer.pad_token_id,
            eos_token_id=self.tokenizer.eos_token_id,
        )
        with torch.inference_mode():
            self._network.generate(
                **self._encode(chats),
                generation_config=config,
                logits_processor=[rows.mask_logits],
                stopping_criteria=[rows.take_tokens],
            )

    def _encode(self, chats: Sequence[ChatText]) -> Any:
        """Return the network's inputs for a batch."""
        # A chat template writes the special tokens itself.
        templated = bool(getattr(self._reader, "chat_template", None))
        options = {"padding": True, "return_tensors": "pt", "add_special_tokens": not templated}
        texts = [chat.text for chat in chats]
        if chats[0].pictures:
            pictures = [list(chat.pictures) for chat in chats]
            inputs = self._reader(text=texts, images=pictures, **options)
        else:
            inputs = self.tokenizer(texts, return_token_type_ids=False, **options)
        return inputs.to(self._network.device)


def _load(folder: Path, device: str) -> tuple[Any, Any]:
    """Return the network in a folder, and its processor or tokenizer."""
    import torch
    import transformers

    options: dict[str, Any] = {"trust_remote_code": False}
    config = transformers.AutoConfig.from_pretrained(folder, **options)
    if type(config) in transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        kind = transformers.AutoModelForImageTextToText
        reader = transformers.AutoProcessor.from_pretrained(folder, **options)
    else:
        kind = transformers.AutoModelForCausalLM
        reader = transformers.AutoTokenizer.from_pretrained(folder, **options)
    dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
    # Other weights are pickles, which can contain code.
    return kind.from_pretrained(folder, dtype=dtype, use_safetensors=True, **options), reader
