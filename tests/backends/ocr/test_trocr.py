"""TrOCR on RapidOCR's lines, with a tiny model that learns here to read six words."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw

from backends.ocr.backend import OcrBackend
from backends.ocr.engines import trocr
from backends.ocr.engines.rapidocr import RapidOcrEngine
from backends.ocr.layout.quad import Pixels, crop_quad
from shared.errors import ModelError
from shared.media.image import Image
from shared.pipeline import runtime
from shared.settings import changed_environment
from tests.backends.ocr.drawing import data_url, font

pytestmark = pytest.mark.slow

WORDS = ["apple", "river", "seven", "paper", "night", "cloud"]
CONFIG = """<View><Image name="i" value="$page"/>
  <Labels name="l" toName="i"><Label value="Text"/><Label value="Handwriting"/></Labels>
  <Rectangle name="r" toName="i"/>
  <TextArea name="t" toName="i" perRegion="true" ocr_engine="trocr"/></View>"""


def sheet() -> Pillow.Image:
    image = Pillow.new("RGB", (400, 90 * len(WORDS) + 40), "white")
    pen = ImageDraw.Draw(image)
    for row, word in enumerate(WORDS):
        pen.text((60, 40 + row * 90), word, font=font(40), fill="black")
    return image


def lines() -> list[Pixels]:
    """Return the lines as the engine crops them, in BGR pixels, from top to bottom."""
    pixels = np.ascontiguousarray(np.asarray(sheet())[:, :, ::-1])
    found = sorted(RapidOcrEngine("auto").read_lines(pixels), key=lambda line: line.corners[0][1])
    assert [line.text for line in found] == WORDS
    return [
        crop_quad(pixels, np.asarray(line.corners, np.float32), keep_height=True) for line in found
    ]


def tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>"]
    inner.train_from_iterator(WORDS, trainers.BpeTrainer(vocab_size=64, special_tokens=special))
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", pad_token="<pad>", eos_token="</s>"
    )


def network(tokens: int) -> Any:
    from transformers import TrOCRConfig, VisionEncoderDecoderConfig, ViTConfig
    from transformers import VisionEncoderDecoderModel as Model

    wide = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 32}
    eye = ViTConfig(image_size=32, patch_size=8, intermediate_size=64, **wide)
    mouth = TrOCRConfig(
        vocab_size=tokens,
        d_model=32,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=64,
        dropout=0.0,
        cross_attention_hidden_size=32,
        max_position_embeddings=32,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(eye, mouth)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 0, 1, 2
    model = Model(config)
    made = model.generation_config
    made.decoder_start_token_id, made.pad_token_id, made.eos_token_id = 0, 1, 2
    made.max_length = 12
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import ViTImageProcessor

    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # many small steps: threads would wait for each other
    words, pictures = tokenizer(), ViTImageProcessor(size={"height": 32, "width": 32})
    model = network(len(words))
    cuts = [Pillow.fromarray(np.ascontiguousarray(cut[:, :, ::-1])) for cut in lines()]
    seen = pictures(images=cuts, return_tensors="pt").pixel_values
    wanted = words(WORDS, padding=True, return_tensors="pt").input_ids
    wanted[wanted == 1] = -100
    learn = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(500):
        loss = model(pixel_values=seen, labels=wanted[:, 1:]).loss
        learn.zero_grad()
        loss.backward()
        learn.step()
        if loss.item() < 0.01:
            break
    torch.set_num_threads(threads)
    place: Path = tmp_path_factory.mktemp("models") / "tiny-trocr"
    for part in (model, words, pictures):
        part.save_pretrained(place)
    return place


@pytest.fixture
def backend(folder: Path) -> Iterator[OcrBackend]:
    with changed_environment({"OCR_TROCR_MODEL": folder.name, "MODEL_DIR": str(folder.parent)}):
        runtime.reset_runtime()
        yield OcrBackend(label_config=CONFIG)
        runtime.reset_runtime()


def test_lines_have_the_text_of_trocr_and_the_label_for_handwriting(backend: OcrBackend) -> None:
    task = {"id": 1, "data": {"page": data_url(sheet())}}
    first, second = (backend.predict([task])[0] for _ in range(2))
    assert isinstance(first, dict)
    assert [r["value"]["text"][0] for r in first["result"] if r["type"] == "textarea"] == WORDS
    assert {r["value"]["labels"][0] for r in first["result"] if r["type"] == "labels"} == {
        "Handwriting"
    }
    assert all(0.5 < r["score"] <= 1 for r in first["result"])
    assert first == second


def test_text_of_a_line_does_not_depend_on_its_neighbours(
    backend: OcrBackend, folder: Path
) -> None:
    engine = trocr.TrocrEngine(folder.name, backend.server_settings)
    cuts = lines()
    alone = [engine.recognize_lines([cut])[0] for cut in cuts]
    together = engine.recognize_lines(cuts)
    assert [text for text, _ in together] == [text for text, _ in alone] == WORDS
    assert [score for _, score in together] == pytest.approx([s for _, s in alone], abs=1e-4)


def test_blank_page_is_empty(backend: OcrBackend, folder: Path) -> None:
    engine = trocr.TrocrEngine(folder.name, backend.server_settings)
    assert engine.read(Image(np.full((300, 300, 3), 250, np.uint8))).lines == ()


def test_other_weights_are_another_version(backend: OcrBackend) -> None:
    [claim] = backend.claim(backend.config)
    names = {path.name for path in backend.weights(claim.spec)}
    assert {"model.safetensors", "PP-OCRv6_det_small.onnx"} <= names


def test_error_of_a_missing_folder_names_the_setting() -> None:
    with changed_environment({"OCR_TROCR_MODEL": "./nowhere"}):
        runtime.reset_runtime()
        backend = OcrBackend(label_config=CONFIG)
        [claim] = backend.claim(backend.config)
        with pytest.raises(ModelError, match=r"OCR_TROCR_MODEL=\./nowhere: there is no such"):
            list(backend.weights(claim.spec))
    runtime.reset_runtime()


def test_error_without_transformers_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "transformers" else found(name)
    )
    with pytest.raises(ModelError, match=r'needs transformers: .*uv pip install .*\[trocr\]"'):
        trocr.find_weights("any", OcrBackend().server_settings)
