"""icg: fair attribution with Integrated Certainty Gradients, and the methods it is compared with.

>>> import torch, icg
>>> attributions = icg.integrated_gradients(lambda x: x.sum(1), torch.ones(1, 3))
>>> attributions
tensor([[1., 1., 1.]])
"""

from . import artifacts, baselines, certainty, damage, datasets, deletion, fairness, layers, measures, shapley, training
from .attribution import (
    block_path_certainty_gradients,
    expected_certainty_gradients,
    expected_gradients,
    gradient,
    integrated_certainty_gradients,
    integrated_gradients,
    random_path_certainty_gradients,
    shapley_integrated_gradients,
    smoothgrad,
)
from .aware import make_certainty_aware
from .noise import noise_tunnel
from .shapley import bshap, certainty_shap, shap_values, shapley_sampling, shapley_values

__version__ = "0.1.0"
__all__ = [
    "artifacts", "baselines", "certainty", "damage", "datasets", "deletion", "fairness", "layers", "measures",
    "shapley", "training", "block_path_certainty_gradients", "bshap", "certainty_shap", "expected_certainty_gradients",
    "expected_gradients", "gradient", "integrated_certainty_gradients", "integrated_gradients", "make_certainty_aware",
    "noise_tunnel", "random_path_certainty_gradients", "shap_values", "shapley_integrated_gradients",
    "shapley_sampling", "shapley_values", "smoothgrad",
]  # fmt: skip
