"""What trainings and experiments leave behind: weights with a card, results, and the manifest of both."""

import json
import platform
from datetime import date
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import save_file

import icg
from icg.artifacts import atomic_write, sha256


def write_json(path: Path, content: dict) -> None:
    """Write a dictionary as readable JSON, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")


def update_manifest(folder: Path) -> None:
    """Rewrite ``manifest.json`` of a data folder from the files it has."""
    files = sorted(p for sub in ("weights", "results") for p in (folder / sub).glob("*.*") if p.name[0] != ".")
    write_json(folder / "manifest.json", {p.relative_to(folder).as_posix(): sha256(p) for p in files})


def provenance(command: str, seed: int, device: str | torch.device = "cpu") -> dict:
    """What a card or a result records about how it was made."""
    device = torch.device(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} thread(s)"
    return {
        "command": command,
        "seed": seed,
        "device": name,
        "date": date.today().isoformat(),
        "versions": {
            "icg": icg.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": version("torchvision"),
            "numpy": version("numpy"),
        },
    }


def round_to_half(model: torch.nn.Module) -> None:
    """Round weights to what ``save_model(half=True)`` can keep, in place: measure after this."""
    with torch.no_grad():
        for value in model.state_dict().values():
            value.copy_(_half(value))


def _half(value: torch.Tensor) -> torch.Tensor:
    # Biases and what batch norm keeps are vectors: next to nothing in size, and not safe in so few digits.
    return value.half() if value.ndim > 1 and value.is_floating_point() else value


def save_model(
    model: torch.nn.Module, name: str, folder: Path, *, training: dict, metrics: dict, made: dict, half: bool = False
) -> Path:
    """Write ``weights/NAME.safetensors`` and its card into a data folder, and bring the manifest up to date.

    Args:
        training: the recipe. metrics: measured on these very weights. made: :func:`provenance`.
        half: keep weights in float16 (biases and batch norm in float32); they are loaded as float32. For large models.
    """
    path = Path(folder) / "weights" / f"{name}.safetensors"
    write_model(model, path, half=half, training=training, metrics=metrics, **made)
    update_manifest(Path(folder))
    return path


def write_model(model: torch.nn.Module, path: Path, *, half: bool = False, **said) -> None:
    """Write weights to ``path``, which ends in ``.safetensors``, and beside it their card, which says ``said``, too."""
    with atomic_write(path) as temporary:
        state = {key: _half(value) if half else value for key, value in model.state_dict().items()}
        save_file({key: value.contiguous().cpu() for key, value in state.items()}, temporary)
        temporary.chmod(0o644)  # safetensors writes files that only their owner can read
    card = {
        "name": path.stem,
        "architecture": type(model).__name__,
        **({"config": model.config} if hasattr(model, "config") else {}),
        "parameters": sum(p.numel() for p in model.parameters()),
        "input": ["N", *model.input_shape],
        "sha256": sha256(path),
        **said,
    }
    write_json(path.with_suffix(".json"), card)


def write_result(name: str, content: dict, folder: Path) -> Path:
    """Write ``results/NAME.json`` into a data folder and bring the manifest up to date."""
    path = Path(folder) / "results" / f"{name}.json"
    write_json(path, content)
    update_manifest(Path(folder))
    return path
