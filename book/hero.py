"""Draw the picture at the top of the README: `python book/hero.py` writes book/images/hero.png."""

from pathlib import Path

import torch

import icg
from icg.certainty import join
from icg.figures import image_grid
from icg.scenarios import burnt_snacks

model = icg.artifacts.load_model("burnt-snacks")
draw = burnt_snacks.generate(3000, generator=torch.Generator().manual_seed(11))
data = burnt_snacks.generate(500, generator=torch.Generator().manual_seed(5)).images


def count(objects):
    return torch.tensor([len(o.unique()) - 1 for o in objects])


def lightest(objects):
    return torch.where(objects > 0, draw.images, 0).flatten(1).amax(1)


# The chapter's first image: one dark square, and one light enough to pass through all dark greys.
wanted = (
    (count(draw.dark) == 1)
    & (count(draw.light) == 1)
    & (lightest(draw.light) > 0.8)
)
wanted &= lightest(draw.dark) < 0.42
image = draw[wanted.nonzero()[0]]
inputs = join(image.images)
maps = {
    "IG, black baseline": icg.integrated_gradients(model, inputs),
    "Expected Gradients": icg.expected_gradients(model, inputs, data, n_steps=512),
    "Integrated Certainty Gradients": icg.integrated_certainty_gradients(
        model, inputs
    ),
}
dark = (image.dark[0, 0] > 0).nonzero().float().mean(0).tolist()
figure = image_grid(
    [[image.images[0, 0], *(m[0, 0] for m in maps.values())]],
    [""],
    ["is there a dark square?", *maps],
    dots={(0, k): [dark] for k in range(4)},
    image_rows=(),
    image_columns=(0,),
    panel=2.3,
)
path = Path(__file__).parent / "images" / "hero.png"
path.parent.mkdir(exist_ok=True)
figure.savefig(path, dpi=110)
print(f"wrote {path}")
