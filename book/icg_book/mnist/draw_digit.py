"""Explorable "draw a digit": a network reads it while it is drawn, and says what it goes by."""

from torch import nn

from icg.artifacts import load_model
from icg.attribution import integrated_certainty_gradients, integrated_gradients
from icg.certainty import is_certainty_aware, join
from icg_book.kit.figures import image_grid
from icg_book.kit.page.explorable import Explorable, script_beside
from icg_book.kit.page.networks import pack_network
from icg_book.scenarios import drawn_digits
from icg_book.scenarios.mnist import CLASSES, SIZE

FIRST = 5  # the digit that is there at the start


def draw_digit(
    model=None,
    *,
    title: str = "Draw a digit",
    alt: str = "Drawn digits, 2, 4, 5, 7 and 9, and two maps of each for its class. By Integrated Certainty Gradients "
    "the strokes that tell the digit count for it (orange), and so does some of the empty paper: the gap in the 5, the "
    "open top of the 4. With Integrated Gradients from the zero baseline nothing but ink counts.",
    fallback=None,
) -> Explorable:
    """Draw a digit with the mouse, a finger or the keyboard; prediction and attribution follow, computed in the page.

    Args:
        model: a certainty-aware network for joined inputs ``(N, 2, 28, 28)`` of layers that
            :mod:`icg_book.kit.page.networks` can pack, in eval mode; by default the weights "mnist-small".
            :func:`icg_book.kit.page.networks.as_in_page` gives the network that the page computes with.
        title, alt: heading and description of the static picture.
        fallback: static picture (PNG bytes, path or figure); by default some of the book's drawings with both maps.

    The maps are of the probability of a class, by Integrated Certainty Gradients or by Integrated Gradients from the
    zero baseline, along paths that are cut until both halves agree. The page draws with
    :func:`icg_book.scenarios.drawn_digits.rasterise`, starts from the drawings of that module, and gives a drawing as
    text for :func:`icg_book.scenarios.drawn_digits.from_code`.

    Raises:
        ValueError: another kind of network.
    """
    if model is None:
        model = load_model("mnist-small")
    if isinstance(model, nn.Module) and not is_certainty_aware(model):
        raise ValueError("expected a certainty-aware network (certainty_aware = True): the page takes certainty away")
    network = pack_network(model, SIZE, len(CLASSES))
    drawings = [
        {"label": label, "code": drawn_digits.to_code(strokes)}
        for label, strokes in zip(drawn_digits.load().labels.tolist(), drawn_digits.strokes(), strict=True)
    ]
    data = {
        "network": network,
        "drawings": drawings,
        "first": FIRST,
        "classes": CLASSES,
        "size": SIZE,
        "radius": drawn_digits.RADIUS,
        "edge": drawn_digits.EDGE,
        "box": drawn_digits.BOX,
        "largest": drawn_digits.LARGEST,
        "centre": drawn_digits.CENTRE,
        "perUnit": round(1 / drawn_digits.UNIT),
        "letters": drawn_digits.LETTERS,
    }
    return Explorable(script_beside(__file__), data, title, alt, _static(model) if fallback is None else fallback)


def _static(model):
    """Five of the book's drawings, and what the model goes by, in two ways."""
    digits = drawn_digits.load()[[2, 4, 5, 7, 9]]
    images = digits.images.to(next(model.parameters()))
    inputs, target = join(images), digits.labels.to(images.device)
    certainty = integrated_certainty_gradients(model, inputs, target=target)
    zero = integrated_gradients(model, inputs, target=target, method="adaptive")[:, :1]
    rows = [[image[0].cpu().float() for image in of] for of in (images, certainty, zero)]
    return image_grid(rows, ["drawn", "ICG", "zero IG"], panel=1.2)
