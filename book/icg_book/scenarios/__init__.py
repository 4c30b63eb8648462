"""The scenarios of the paper, one module each: its data, its ground truth, and how its networks are trained.

A scenario whose networks are trained has ``TRAININGS``, by the names of the weights
(:class:`icg_book.kit.trainings.Training`). One whose inputs are pictures has ``CLASSES``, their names, and ``samples``,
some training images.
"""

from importlib import import_module

# The module that trains each network. Modules are imported when one of theirs is asked for: some are slow to import.
TRAINED = {
    "burnt-snacks": "burnt_snacks",
    "burnt-snacks-paper-mix": "burnt_snacks",
    "burnt-snacks-blocks": "burnt_snacks",
    "burnt-snacks-equivariant": "burnt_snacks",
    "burnt-snacks-equivariant-blocks": "burnt_snacks",
    "burnt-snacks-small": "burnt_snacks",
    "glyphs": "glyphs",
    "local-minimum": "local_minimum",
    "glyphs-certainty": "certain_glyphs",
    "glyphs-gated": "certain_glyphs",
    "mnist": "mnist",
    "mnist-plain": "mnist",
    "mnist-blocks": "mnist",
    "mnist-owen": "mnist",
    "mnist-small": "mnist",
    "mnist-in-space": "mnist_in_space",
    "mnist-in-space-plain": "mnist_in_space",
    "imagenette-resnet50": "imagenette",
    "imagenette-resnet18": "imagenette",
    "imagenette-resnet18-plain": "imagenette",
    "imagenette-resnet18-blocks": "imagenette",
    "imagenette-resnet18-small-blocks": "imagenette",
    "imagenette-vit": "imagenette",
}


def scenario_of(network: str):
    """The module of a network's scenario; ``None`` for one that the book does not train."""
    return import_module(f"{__name__}.{TRAINED[network]}") if network in TRAINED else None
