"""Which device a network runs on, and what is said where there is none of that name."""

import pytest

from backends._inference.device import choose_device, choose_torch_device
from shared.errors import ModelError
from shared.settings import Settings

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("device", "gpus", "chosen"),
    [
        ("auto", 0, "cpu"),
        ("auto", 1, "cuda"),
        ("cpu", 1, "cpu"),
        ("cuda", 1, "cuda"),
        ("cuda:1", 2, "cuda:1"),
        ("gpu:1", 2, "cuda:1"),
    ],
)
def test_device(device: str, gpus: int, chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert choose_torch_device(Settings(device=device)) == chosen


@pytest.mark.parametrize(
    ("device", "gpus", "found"),
    [
        ("cuda", 0, "no GPU here"),
        ("cuda:1", 1, "one GPU, cuda:0, here"),
        ("cuda:5", 2, "2 GPUs, from cuda:0, here"),
    ],
)
def test_a_gpu_that_is_not_there_is_named(
    device: str, gpus: int, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    with pytest.raises(ModelError, match=f"^DEVICE={device}: PyTorch finds {found}; unset DEVICE"):
        choose_torch_device(Settings(device=device))


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_engines_of_the_cpu_run_there(engine: str) -> None:
    assert choose_device(Settings(device="cuda", engine=engine)) == "cpu"
