"""The methods that labs, experiments and chapters compare: one table, by the short names of experiments' tables.

A method is told its *settings*: ``steps`` on a path; ``draws`` (paths, points of paths, or noisy copies) of an input;
``noise``, a standard deviation; and ``rule``, the quadrature rule or the way of drawing (``method`` in :mod:`icg`). The
table has those that a reader can set, with their defaults; an experiment has a dictionary of its own for each method.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from icg import baselines
from icg.attribution import (
    block_path_certainty_gradients,
    expected_gradients,
    gradient,
    integrated_certainty_gradients,
    integrated_gradients,
    random_path_certainty_gradients,
    shapley_integrated_gradients,
    smoothgrad,
)
from icg.shapley import bshap, certainty_shap


@dataclass(frozen=True)
class Method:
    """A way to attribute.

    Attributes:
        name: in labs and captions; methods that differ in nothing but the ``baseline`` share it.
        call: ``(model, inputs, [start], **arguments)``, as in :mod:`icg.attribution`.
        arguments: what settings are called there.
        settings: what a reader can set, and the defaults.
        key: on the command line; ``None`` for a method that readers are not offered.
        baseline: where its paths start, for Integrated Gradients.
        start: ``(settings, data)`` to what ``call`` is given after the inputs; ``None`` for nothing.
        data: whether it needs other images. certainty: whether it needs a certainty-aware model.
        complete: whether its maps have a distance from completeness.
    """

    name: str
    call: Callable
    arguments: dict[str, str] = field(default_factory=dict)
    settings: dict[str, float] = field(default_factory=dict)
    key: str | None = None
    baseline: str | None = None
    start: Callable | None = None
    data: bool = False
    certainty: bool = False
    complete: bool = True

    @property
    def title(self) -> str:
        """The name, and the baseline."""
        return self.name + (f", {self.baseline} baseline" if self.baseline else "")

    @property
    def counted(self) -> str | None:
        """The setting that a number of steps means: draws, for a method without paths; ``None`` if it takes neither."""
        return next((name for name in ("steps", "draws") if name in self.settings), None)


def _random(model, inputs: Tensor, *, generator, dtype, **unused) -> Tensor:
    return torch.randn(inputs[:, :1].shape, generator=generator, dtype=dtype).to(inputs.device)


def _deterministic(call: Callable, *unused: str) -> Callable:
    """``call`` for one who passes a generator, and ``unused`` arguments, to all methods alike."""

    def method(model, inputs, *start, **options):
        return call(model, inputs, *start, **{k: v for k, v in options.items() if k not in ("generator", *unused)})

    return method


_PATHS = {"steps": "n_steps", "rule": "method"}
_COPIES = {"draws": "n_samples", "noise": "noise_std"}
_POINTS = {"draws": "n_steps", "noise": "noise_std", "rule": "method"}
_ICG = partial(
    Method, "Integrated Certainty Gradients", integrated_certainty_gradients, _PATHS | _COPIES, certainty=True
)
_IG = partial(Method, "Integrated Gradients", integrated_gradients, _PATHS, settings={"steps": 64}, key="ig")

METHODS = {
    "ICG": _ICG({"steps": 100, "draws": 5, "noise": 0.0}, key="icg"),
    "zero IG": _IG(baseline="zero", start=lambda settings, data: baselines.zero()),
    "middle IG": _IG(baseline="middle", start=lambda settings, data: baselines.middle()),
    "mean IG": _IG(baseline="mean", start=lambda settings, data: baselines.mean(data), data=True),
    "maximum distance IG": _IG(baseline="maximum distance", start=lambda settings, data: baselines.maximum_distance()),
    "blurred IG": _IG(baseline="blurred", start=lambda settings, data: baselines.blurred()),
    "AGN": _IG(
        settings={"steps": 64, "draws": 20, "noise": 0.1},
        baseline="Gaussian noise",
        start=lambda settings, data: baselines.gaussian_noise(settings["noise"], n_samples=settings["draws"]),
    ),
    "EG": Method(
        "Expected Gradients",
        expected_gradients,
        _POINTS,
        {"draws": 512},
        key="eg",
        start=lambda settings, data: data,
        data=True,
    ),
    "block-wise": Method(
        "Block-wise certainty gradients",
        block_path_certainty_gradients,
        {"draws": "n_steps", "parts": "parts"},
        {"draws": 64},
        key="blocks",
        certainty=True,
        complete=False,
    ),
    "SmoothGrad": Method(
        "SmoothGrad", smoothgrad, _POINTS, {"draws": 50, "noise": 0.15}, key="smoothgrad", complete=False
    ),
    "gradient": Method("Gradient", _deterministic(gradient), key="gradient", complete=False),
    # Compared in experiments alone.
    "ICG, noise averaged": _ICG({"steps": 100, "draws": 5, "noise": 0.1}),
    "random-path": Method(
        "Random-path certainty gradients", random_path_certainty_gradients, _POINTS, certainty=True, complete=False
    ),
    "SIG": Method(
        "Shapley Integrated Gradients",
        shapley_integrated_gradients,
        {"steps": "n_steps", "draws": "n_samples"},
        complete=False,
    ),
    "BShap": Method("BShap", _deterministic(bshap, "dtype"), complete=False),
    "certainty-SHAP": Method("Certainty-SHAP", _deterministic(certainty_shap, "dtype"), certainty=True, complete=False),
    "random": Method("Random numbers", _random, complete=False),  # the control: a map of noise
}
OFFERED = [method for method in METHODS.values() if method.key]  # to readers
NAMES = tuple(dict.fromkeys(method.name for method in OFFERED))
KEYS = tuple(dict.fromkeys(method.key for method in OFFERED))
BASELINES = tuple(method.baseline for method in OFFERED if method.baseline)


def find(name: str, baseline: str) -> Method:
    """The method that readers know by its name or key; ``baseline`` matters to Integrated Gradients alone.

    Raises:
        ValueError: an unknown name, or an unknown baseline of Integrated Gradients.

    >>> find("ig", "Gaussian noise").settings
    {'steps': 64, 'draws': 20, 'noise': 0.1}
    """
    found = [method for method in OFFERED if name in (method.name, method.key)]
    if not found:
        raise ValueError(f"expected method to be one of {', '.join(NAMES)}, got {name!r}")
    for method in found:
        if method.baseline in (None, baseline):
            return method
    raise ValueError(f"expected baseline to be one of {', '.join(BASELINES)}, got {baseline!r}")


def told(method: Method, n: int, noise: float) -> dict[str, float]:
    """All settings of a method that is told a number of steps (:attr:`Method.counted`) and the noise, if it has any.

    >>> told(find("icg", "zero"), 20, 0.0), told(find("icg", "zero"), 20, 0.1)
    ({'steps': 20, 'draws': 1, 'noise': 0.0}, {'steps': 20, 'draws': 5, 'noise': 0.1})
    """
    settings = dict(method.settings)
    if method.counted:
        settings[method.counted] = n
    if "noise" in settings:
        settings["noise"] = noise
        if method.certainty and not noise:
            settings["draws"] = 1  # copies without noise would all be the same
    return settings


def evaluations(method: str | Method, settings: dict) -> int:
    """Forward and backward passes for one map; adaptive steps cost three quarters as many forward passes on top.

    >>> evaluations("ICG, noise averaged", {"steps": 12, "draws": 5, "noise": 0.1})
    60
    """
    method = METHODS[method] if isinstance(method, str) else method
    return 0 if method.call is _random else settings.get("steps", 1) * settings.get("draws", 1)


def attribute(
    method: str | Method,
    model,
    inputs: Tensor,
    settings: dict,
    *,
    data: Callable[[], Tensor] | None = None,
    start=None,
    check: bool = False,
    generator: torch.Generator | None = None,
    **options,
) -> tuple[Tensor, Tensor | None]:
    """One of :data:`METHODS` for joined ``inputs`` ``(N, C + 1, ...)``, with these settings.

    Args:
        data: gives images ``(K, C, ...)``; called only for a method that needs them.
        start: a baseline instead of the method's own.
        check: also measure the distance from completeness, two forward passes for each path.
        options: those that all methods take, ``target``, ``output``, ``autocast``, ``progress``.

    Returns:
        Attributions in float64 (Shapley values: in the model's dtype), of the shape of ``inputs`` or ``(N, 1, ...)``;
        and the distance from completeness ``(N,)``, or None where it is not measured or there is none.
    """
    method = METHODS[method] if isinstance(method, str) else method
    if start is None and method.start is not None:
        start = method.start(settings, data() if method.data else None)
    given = () if start is None else (start,)
    arguments = {method.arguments[name]: value for name, value in settings.items() if name in method.arguments}
    if check and method.complete:
        arguments["return_convergence_delta"] = True
    options = {"generator": generator, "dtype": torch.float64, **options}
    found = method.call(model, inputs, *given, **arguments, **options)
    return found if isinstance(found, tuple) else (found, None)


def one_map(attributions: Tensor) -> Tensor:
    """``(N, 1, ...)`` of what :func:`attribute` returns for joined inputs: colours added up, the certainty left out."""
    return attributions if attributions.shape[1] == 1 else attributions[:, :-1].sum(1, keepdim=True)


def attribution_map(
    methods: dict[str, dict],
    method: str,
    model,
    inputs: Tensor,
    *,
    target: Tensor,
    data,
    generator: torch.Generator | None = None,
    autocast: torch.dtype | None = None,
    check: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """One of an experiment's ``methods`` for joined ``inputs`` ``(N, C + 1, H, W)`` and classes ``target`` ``(N,)``.

    What is attributed is the probability.

    Args:
        methods: settings of each method.
        data: has ``samples`` ``(K, C, H, W)`` for EG, and ``mean``, ``(1, C, H, W)``; only looked at by these two.
        check: also measure the distance from completeness, two forward passes for each path.

    Returns:
        A map ``(N, 1, H, W)`` float64: of the values, colours added up (what gradients say of the certainty channel is
        left out), for ICG of the certainty; and the distance from completeness ``(N,)`` of single paths and their
        averages, else None.

    Raises:
        ValueError: an unknown method.
    """
    if method not in methods:
        raise ValueError(f"expected method to be one of {', '.join(methods)}, got {method!r}")
    maps, gap = attribute(
        method,
        model,
        inputs,
        methods[method],
        data=lambda: data.mean if method == "mean IG" else data.samples,
        check=check and method != "EG",  # its distance is chance
        generator=generator,
        target=target,
        autocast=autocast,
    )
    return one_map(maps), gap
