"""What tests of several scenarios need."""

from urllib.error import URLError

import numpy as np
import pytest
from PIL import Image

from icg_book.kit import downloads
from icg_book.scenarios import imagenette, photographs
from icg_book.scenarios.photographs import FOLDERS

SIZES = ((160, 213), (213, 160), (160, 160), (120, 100), (320, 330))  # width, height
PER_CLASS = {"train": 3, "val": 2}


@pytest.fixture
def photo_files(tmp_path, monkeypatch):
    """No network, thirty photographs for training and twenty for validation; returns their folder."""

    def none(*arguments, **options):
        raise URLError("no network")

    monkeypatch.setattr(downloads, "urlopen", none)
    rng = np.random.default_rng(0)
    root = tmp_path / "photographs" / "imagenette2-160"
    for split_name, n in PER_CLASS.items():
        for number, name in enumerate(FOLDERS):
            (root / split_name / name).mkdir(parents=True)
            for k in range(n):
                width, height = SIZES[(number + k) % len(SIZES)]
                coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
                picture = Image.fromarray(coarse).resize((width, height))
                picture.save(root / split_name / name / f"{name}_{9 - k}.JPEG", quality=95)
    monkeypatch.setenv("ICG_DATA", str(root.parent))
    monkeypatch.setenv("ICG_CACHE", str(tmp_path / "cache"))
    for module in (photographs, imagenette):
        monkeypatch.setattr(module, "COUNTS", {k: 10 * n for k, n in PER_CLASS.items()})
    monkeypatch.chdir(tmp_path)
    return root
