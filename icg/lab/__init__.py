"""Labs: ipywidgets that run the real network again for every choice. They need a live kernel.

Only what ipywidgets 7.7 and 8 have in common is used. While the book is built there is no kernel for the reader, so a
lab then shows one result and says where to run it live; a dead control is never shown.
"""

from .burnt_snacks import burnt_snacks_lab
from .common import BASELINES, METHODS, attribute, colab_link, is_live

__all__ = ["BASELINES", "METHODS", "attribute", "burnt_snacks_lab", "colab_link", "is_live", "mnist_lab", "photo_lab"]


def __getattr__(name):
    if name == "mnist_lab":  # imported on first use: it needs torchvision, which takes seconds
        from .mnist import mnist_lab

        return mnist_lab
    if name == "photo_lab":
        from .photographs import photo_lab

        return photo_lab
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
