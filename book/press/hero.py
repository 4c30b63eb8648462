"""Draw the picture at the top of the README: `python book/press/hero.py` writes book/images/hero.png."""

from pathlib import Path

import torch

import icg
from icg.certainty import join
from icg_book.kit.figures import image_grid
from icg_book.scenarios import burnt_snacks

model = icg.artifacts.load_model("burnt-snacks")
data = burnt_snacks.generate(500, generator=torch.Generator().manual_seed(5)).images
# The chapter's first image.
image = burnt_snacks.examples()["one dark, one light"]
inputs = join(image.images)
maps = {
    "IG, black baseline": icg.integrated_gradients(model, inputs),
    "Expected Gradients": icg.expected_gradients(model, inputs, data, n_steps=512),
    "Integrated Certainty Gradients": icg.integrated_certainty_gradients(model, inputs),
}
dark = burnt_snacks.centres(image.dark[0])
figure = image_grid(
    [[image.images[0, 0], *(m[0, 0] for m in maps.values())]],
    [""],
    ["is there a dark square?", *maps],
    dots={(0, k): dark for k in range(4)},
    image_rows=(),
    image_columns=(0,),
    panel=2.3,
)
path = Path(__file__).parents[1] / "images" / "hero.png"
path.parent.mkdir(exist_ok=True)
figure.savefig(path, dpi=110)
print(f"wrote {path}")
