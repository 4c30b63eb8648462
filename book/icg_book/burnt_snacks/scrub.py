"""Explorable "scrub the path": drag along an integration path and watch the attribution being gathered."""

import numpy as np

from icg_book.kit.figures import as_array, image_grid
from icg_book.kit.page.explorable import Explorable, pack, quantise_signed, script_beside, step_difference

PARAMETERS = ("alpha", "certainty", "draw")
REQUIRED = ("image", "method", "parameter", "positions", "frames", "gradients", "gathered", "curve")
OPTIONAL = ("certainty", "objects", "caption", "curve_label")


def scrub_path(
    cases,
    *,
    title: str = "Scrub the path",
    alt: str = "Along an integration path: the interpolated input, the gradient, and the attribution gathered so far.",
    fallback=None,
) -> Explorable:
    """Show paths as a slider: input, gradient and attribution so far at every position, with the output's curve.

    Args:
        cases: one dict for each (image, method):

            - ``image``, ``method``: labels for the two menus; each pair once.
            - ``parameter``: what the slider moves: ``"alpha"``, ``"certainty"`` or ``"draw"``.
            - ``positions``: ``(K,)`` increasing, in [0, 1] (draws: from 1). One stop of the slider each, so a path that
              is sampled more densely where the output jumps can be looked at more slowly there.
            - ``frames``: ``(K, H, W)`` interpolated inputs in [0, 1].
            - ``certainty``: ``(K,)`` in [0, 1], the uniform certainty of each frame (the input fades into hatching);
              optional.
            - ``gradients``: ``(K, H, W)``, signed; drawn with one scale per position.
            - ``gathered``: ``(K, H, W)``, signed, the attribution up to each position; the last is the attribution.
              Drawn with one scale, its largest absolute value on the path, so that it can be seen to grow.
            - ``curve``: ``{"x": (M,), "y": (M,)}``, the model's output along the path, and ``curve_label``.
            - ``objects``: ``[{"label": …, "y": …, "x": …}]`` in pixels, optional; a ``"dark square"`` gets a green dot,
              others a ring.
            - ``caption``: a sentence, or ``[(position, sentence), …]``: the last one passed is shown; optional.
        title, alt: heading and description of the static picture.
        fallback: static picture (PNG bytes, path or figure); by default the first case at five positions.

    Raises:
        ValueError: a missing or unknown key, a wrong shape or range; the message names the case.
    """
    cases = list(cases)
    if not cases:
        raise ValueError("expected at least one case, got none")
    packed, seen = [], set()
    for number, case in enumerate(cases):
        packed.append(_pack_case(case, f"case {number}"))
        key = (case["image"], case["method"])
        if key in seen:
            raise ValueError(f"case {number}: expected each pair of image and method once, got {key} again")
        seen.add(key)
    return Explorable(
        script_beside(__file__), {"cases": packed}, title, alt, _static(cases[0]) if fallback is None else fallback
    )


def _pack_case(case: dict, where: str) -> dict:
    """Check one case and make it small: one byte per pixel, deflated."""
    if not isinstance(case, dict):
        raise ValueError(f"{where}: expected a dict, got {type(case).__name__}")
    missing = [k for k in REQUIRED if k not in case]
    unknown = [k for k in case if k not in REQUIRED + OPTIONAL]
    if missing or unknown:
        raise ValueError(
            f"{where}: expected keys {REQUIRED} (optional {OPTIONAL}), got missing {missing}, unknown {unknown}"
        )
    for key in ("image", "method"):
        if not isinstance(case[key], str) or not case[key]:
            raise ValueError(f"{where}: expected {key} to be a label, got {case[key]!r}")
    where = f"{where} ({case['image']}, {case['method']})"
    parameter = case["parameter"]
    if parameter not in PARAMETERS:
        raise ValueError(f"{where}: expected parameter to be one of {PARAMETERS}, got {parameter!r}")

    positions = as_array(case["positions"], f"{where}: positions", 1)
    if len(positions) < 2 or not (np.diff(positions) > 0).all():
        raise ValueError(f"{where}: expected at least 2 increasing positions, got {positions.tolist()[:8]}")
    if parameter == "draw":
        if positions[0] < 1:
            raise ValueError(f"{where}: expected draws to be counted from 1, got {positions[0]:g}")
    else:
        _within_unit(positions, f"{where}: positions")
    frames = as_array(case["frames"], f"{where}: frames", 3)
    if len(frames) != len(positions) or 0 in frames.shape:
        raise ValueError(f"{where}: expected frames of shape ({len(positions)}, H, W), got {frames.shape}")
    _within_unit(frames, f"{where}: frames")
    gradients = as_array(case["gradients"], f"{where}: gradients", 3)
    gathered = as_array(case["gathered"], f"{where}: gathered", 3)
    for what, array in (("gradients", gradients), ("gathered", gathered)):
        if array.shape != frames.shape:
            raise ValueError(f"{where}: expected {what} of shape {frames.shape} like frames, got {array.shape}")
    certainty = case.get("certainty")
    if certainty is not None:
        certainty = as_array(certainty, f"{where}: certainty", 1)
        if certainty.shape != positions.shape:
            raise ValueError(f"{where}: expected certainty of shape {positions.shape}, got {certainty.shape}")
        certainty = _short(_within_unit(certainty, f"{where}: certainty"))

    scales = np.abs(gradients).max(axis=(1, 2), keepdims=True)
    scale = np.abs(gathered).max()
    return {
        "image": case["image"],
        "method": case["method"],
        "parameter": parameter,
        "positions": _short(positions),
        "height": frames.shape[1],
        "width": frames.shape[2],
        "certainty": certainty,
        "scales": _short(scales.ravel()),
        "scale": float(f"{scale:.7g}"),
        "sums": _short(gathered.sum(axis=(1, 2))),  # exact: the quantised map would not add up
        "pixels": pack(
            step_difference(np.rint(frames.clip(0, 1) * 255).astype(np.uint8)),
            quantise_signed(gradients, scales),
            step_difference(quantise_signed(gathered, scale)),
        ),
        "curve": _curve(case["curve"], where),
        "curve_label": str(case.get("curve_label", "model output")),
        "objects": _objects(case.get("objects"), frames.shape[1:], where),
        "caption": _caption(case.get("caption"), where),
    }


def _within_unit(values: np.ndarray, what: str) -> np.ndarray:
    if values.min() < -1e-6 or values.max() > 1 + 1e-6:
        raise ValueError(f"expected {what} in [0, 1], got {values.min():.4g} to {values.max():.4g}")
    return values


def _short(values: np.ndarray) -> list[float]:
    return [float(f"{v:.7g}") for v in values.ravel()]


def _curve(curve, where: str) -> dict:
    if not isinstance(curve, dict) or set(curve) != {"x", "y"}:
        raise ValueError(f"{where}: expected curve as {{'x': …, 'y': …}}, got {curve!r:.80}")
    x, y = (as_array(curve[k], f"{where}: curve {k}", 1) for k in "xy")
    if len(x) != len(y) or len(x) < 2 or not (np.diff(x) > 0).all():
        raise ValueError(f"{where}: expected curve x (increasing) and y of one length >= 2, got {len(x)} and {len(y)}")
    return {"x": _short(x), "y": _short(y)}


def _objects(objects, shape, where: str) -> list[dict]:
    marks = []
    for item in objects or []:
        if not isinstance(item, dict) or set(item) != {"label", "y", "x"}:
            raise ValueError(f"{where}: expected objects as {{'label', 'y', 'x'}}, got {item!r:.80}")
        y, x = (float(as_array(item[k], f"{where}: object {k}", 0)) for k in "yx")
        if not (-0.5 <= y <= shape[0] - 0.5 and -0.5 <= x <= shape[1] - 0.5):
            raise ValueError(f"{where}: expected objects inside {tuple(shape)}, got y={y:g}, x={x:g}")
        marks.append({"label": str(item["label"]), "y": y, "x": x})
    return marks


def _caption(caption, where: str) -> list[list]:
    if caption is None:
        return []
    if isinstance(caption, str):
        return [[None, caption]]
    try:
        return [[float(at), str(sentence)] for at, sentence in sorted(caption)]
    except (TypeError, ValueError):
        raise ValueError(
            f"{where}: expected caption as a sentence or (position, sentence) pairs, got {caption!r:.80}"
        ) from None


def _static(case: dict):
    """Five positions of one case, drawn with matplotlib."""
    frames, gradients, gathered = (as_array(case[k], k, 3) for k in ("frames", "gradients", "gathered"))
    stops = sorted({round(i) for i in np.linspace(0, len(frames) - 1, 5)})
    positions = as_array(case["positions"], "positions")
    name = {"alpha": "α", "certainty": "certainty", "draw": "draw"}[case["parameter"]]
    if case.get("certainty") is not None:
        known = as_array(case["certainty"], "certainty")[:, None, None]
        frames = known * frames + (1 - known) * 0.6
    return image_grid(
        [[a[k] for k in stops] for a in (frames, gradients, gathered)],
        ["input", "gradient", "gathered so far"],
        [f"{name} = {positions[k]:.3g}" for k in stops],
        limits={2: np.abs(gathered).max() or 1.0},
    )
