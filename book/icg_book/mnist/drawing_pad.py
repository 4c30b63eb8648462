"""A pad to draw a digit on, for labs: what is drawn goes as text into a field that the kernel reads."""

from icg_book.kit.page.explorable import Explorable, script_beside
from icg_book.scenarios.drawn_digits import LETTERS, RADIUS, UNIT
from icg_book.scenarios.mnist import SIZE


def drawing_pad(field: str) -> Explorable:
    """A pad that writes the code of its drawing (:func:`icg_book.scenarios.drawn_digits.to_code`) into a text field.

    The field is a ``<textarea>`` on the same page, as :class:`ipywidgets.Textarea` makes one; the pad fires the events
    that typing would. It shows what is pasted there, too.

    Args:
        field: CSS class of an element around the field.

    Raises:
        ValueError: a class that is no plain name.
    """
    if not isinstance(field, str) or not field.replace("-", "_").isidentifier():
        raise ValueError(f"expected a CSS class, a plain name, got {field!r}")
    return Explorable(
        script_beside(__file__),
        {"field": field, "letters": LETTERS, "perUnit": round(1 / UNIT), "size": SIZE, "pen": 2 * RADIUS},
        title="Draw a digit",
        alt="A pad to draw on, with the mouse, a pen or a finger. It works when its cell is run in a notebook.",
    )
