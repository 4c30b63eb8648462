"""Folders of pictures, made up: two classes that a colour tells apart."""

import numpy as np
import pytest
from PIL import Image


def draw(path, number, colour, size=(40, 32), mode="RGB"):
    """A noisy picture, red or blue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 90, (size[1], size[0], 3), dtype=np.uint8)
    pixels[..., colour] += 150
    Image.fromarray(pixels).convert(mode).save(path)
    return path


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """A folder with 12 pictures for training and 6 for validation, and a cache of its own."""
    monkeypatch.setenv("ICG_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "pets"
    for split, n in (("train", 6), ("val", 3)):
        for label, name in enumerate(("blue", "red")):
            for k in range(n):
                draw(folder / split / name / f"{k}.png", 100 * label + 10 * len(split) + k, 2 * (1 - label))
    return folder
