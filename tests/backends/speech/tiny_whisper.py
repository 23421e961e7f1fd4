"""Tiny speech models with random weights: Whisper for CTranslate2 and transformers, wav2vec 2."""

import json
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "zh", "de", "es", "fr")
# Whisper's last characters are times: 0.00 to 30.00 seconds in steps of 0.02.
TIMES = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]
SPECIAL = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    *(f"<|{language}|>" for language in LANGUAGES),
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
]
# What stands before the words: the start, the language, the task.
PROMPT_TOKENS = 3


def write_tokenizer(folder: Path) -> Any:
    """Write a tokenizer of made-up words with Whisper's special tokens and times."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import WhisperTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [f"Ġword{number}" for number in range(2000)]  # Ġ is a space
    vocabulary = {name: place for place, name in enumerate((*alphabet, *words))}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in SPECIAL])
    tokenizer.add_tokens([AddedToken(name, special=False) for name in TIMES])
    tokenizer.save(str(folder / "tokenizer.json"))
    whole = WhisperTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=SPECIAL[0],
        bos_token=SPECIAL[0],
        unk_token=SPECIAL[0],
        additional_special_tokens=SPECIAL,
    )
    whole.save_pretrained(folder)
    return whole


def write_whisper(
    folder: Path, width: int = 16, layers: int = 2, heads: int = 2, tokens: int | None = None
) -> Path:
    """Write a random Whisper for transformers, which ends each window after so many tokens.

    Without a number it goes on to its limit, as random weights do.
    """
    import torch
    from transformers import (
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    tokenizer = write_tokenizer(folder)
    number = tokenizer.convert_tokens_to_ids
    torch.manual_seed(1)
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        num_mel_bins=80,
        d_model=width,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        max_target_positions=448,
        decoder_start_token_id=number("<|startoftranscript|>"),
        eos_token_id=number("<|endoftext|>"),
        bos_token_id=number("<|endoftext|>"),
        pad_token_id=number("<|endoftext|>"),
        suppress_tokens=[],
        begin_suppress_tokens=[number("<|endoftext|>")],
    )
    network = WhisperForConditionalGeneration(config).eval()
    with torch.no_grad():  # unlike random small weights, these answer differently to each sound
        for parameter in network.model.decoder.parameters():
            parameter.mul_(4.0)
        if tokens is not None:
            # One dimension of the positions and of the words is kept for the end.
            network.model.decoder.embed_tokens.weight[:, 0] = 0.0
            network.model.decoder.embed_tokens.weight[number("<|endoftext|>"), 0] = 1.0
            network.model.decoder.embed_tokens.weight[number(TIMES[0]) :] = 0.0
            network.model.decoder.embed_positions.weight[:, 0] = 0.0
            network.model.decoder.embed_positions.weight[PROMPT_TOKENS + tokens :, 0] = 1000.0
    made = network.generation_config
    made._from_model_config = False  # or it would be made anew
    made.is_multilingual = True
    made.lang_to_id = {f"<|{code}|>": number(f"<|{code}|>") for code in LANGUAGES}
    made.task_to_id = {name: number(f"<|{name}|>") for name in ("transcribe", "translate")}
    made.no_timestamps_token_id = number("<|notimestamps|>")
    made.max_initial_timestamp_index = 50
    made.max_length = 40
    made.alignment_heads = [[0, 0], [1, 1]]
    made.suppress_tokens = None
    network.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    return folder


def convert_whisper(source: Path, folder: Path) -> Path:
    """Convert a Whisper of transformers for CTranslate2."""
    from ctranslate2.converters import TransformersConverter

    converter = TransformersConverter(
        str(source), copy_files=["tokenizer.json", "preprocessor_config.json"]
    )
    converter.convert(str(folder))
    assert json.loads((folder / "config.json").read_text())["lang_ids"]
    return folder


def write_wav2vec(folder: Path) -> Path:
    """Write a random wav2vec 2 with a CTC head over letters."""
    import torch
    from transformers import (
        Wav2Vec2Config,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForCTC,
    )

    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefgh"]
    words = folder / "vocab.json"
    words.write_text(json.dumps({letter: place for place, letter in enumerate(letters)}))
    Wav2Vec2CTCTokenizer(str(words)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        vocab_size=len(letters),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        pad_token_id=0,
    )
    Wav2Vec2ForCTC(config).eval().save_pretrained(folder)
    return folder
