"""The lab of MNIST and of MNIST in Space: choose a digit or draw one."""

import html
import uuid

import torch

from icg.certainty import is_certainty_aware, join
from icg.question import quiet
from icg_book.kit.contenders import find
from icg_book.kit.lab import (
    FIRST,
    Counted,
    attribute,
    dropdown,
    is_live,
    method_controls,
    settle,
    shown,
    static,
    without_data,
)
from icg_book.kit.result_figures import picture
from icg_book.mnist.drawing_pad import drawing_pad
from icg_book.scenarios.drawn_digits import from_code
from icg_book.scenarios.mnist import CLASSES, SIZE, Digits
from icg_book.scenarios.mnist_in_space import HEIGHT, PLACEMENTS, WIDTH, place

DRAWING = PREDICTED = -1  # choices that are no number of a digit, or of a class


def mnist_lab(model, digits: Digits, data=None):
    """Choose a digit or draw one, and the class to explain; the network runs again for every choice.

    A drawing travels as text: the pad writes its code into a text field, which the kernel reads, and the field takes a
    code from elsewhere as well (:mod:`icg_book.scenarios.drawn_digits`).

    Args:
        model: certainty-aware, logits ``(N, 10)`` of ``(N, 2, 28, 28)``; or of ``(N, 2, 32, 64)``, as for MNIST in
            Space, and then the place of the digit is one more choice.
        digits: some to choose from, ``images`` ``(K, 1, 28, 28)``.
        data: images of the model's size, ``(M, 1, H, W)``, for the mean baseline and Expected Gradients; without them
            the lab does without these two, and says so.

    Returns:
        A widget (the pad is displayed above it), or (while the book is built) a static figure with a link.

    Raises:
        ValueError: a model without certainty, no digits, digits or data of another size.
    """
    in_space = _check(model, digits, data)
    if not is_live():
        placement = next(iter(PLACEMENTS)) if in_space else None
        figure, _, alt = _explain(model, digits.images[:1], data, placement=placement, **FIRST)
        what = "a digit (or draw one), its class" + (", its place" if in_space else "")
        return static(figure, alt, "mnist", f"{what}, method, baseline, steps, noise and output")

    import ipywidgets as widgets
    from IPython.display import display

    names = {k: f"digit {k}, a {label}" for k, label in enumerate(digits.labels.tolist())}
    names[DRAWING] = "your drawing"
    controls = {
        "digit": dropdown("digit", [(name, k) for k, name in names.items()]),
        "target": dropdown("class", [("the predicted one", PREDICTED), *((c, k) for k, c in enumerate(CLASSES))]),
        **({"placement": dropdown("place", list(PLACEMENTS))} if in_space else {}),
        **method_controls(with_data=data is not None),
    }
    field = f"icg-drawing-{uuid.uuid4().hex[:8]}"  # several notebooks may share one page
    code = widgets.Textarea(
        description="drawing",
        placeholder="the code of a drawing",
        rows=2,
        layout=widgets.Layout(width="26em"),
        style={"description_width": "7em"},
    )
    code.add_class(field)
    trouble, target = widgets.HTML(), widgets.Output()
    drawn = []  # the image of the drawing, or nothing

    def read(change=None):
        trouble.value = ""
        drawn.clear()
        if code.value.strip():
            try:
                drawn.append(from_code(code.value)[None])
            except ValueError as error:
                trouble.value = f'<p role="alert">This drawing can\'t be read: {html.escape(str(error))}.</p>'
        if controls["digit"].value == DRAWING:
            redraw()
        elif drawn:
            controls["digit"].value = DRAWING  # this redraws

    def redraw(change=None):
        if not settle(controls, change):
            return
        chosen = {name: control.value for name, control in controls.items()}
        number = chosen.pop("digit")
        with target:
            target.clear_output(wait=True)
            if number == DRAWING and not drawn:
                print("There is no drawing yet: draw a digit above, or paste the code of one.")
                return
            image = drawn[0] if number == DRAWING else digits.images[number : number + 1]
            figure, text, alt = _explain(model, image, data, progress=True, **chosen)
            target.clear_output(wait=True)
            print(f"{names[number]}: {text}")
            display(shown(figure, f"{names[number]}. {alt}"))

    for control in controls.values():
        control.observe(redraw, names="value")
    code.observe(read, names="value")
    redraw()
    display(drawing_pad(field))
    left = [controls[name] for name in controls if name not in FIRST]
    right = [controls[name] for name in FIRST]
    columns = widgets.HBox(
        [widgets.VBox([*left, code]), widgets.VBox(right)], layout=widgets.Layout(flex_flow="row wrap")
    )
    missing = [] if data is not None else [widgets.HTML(without_data("images"))]
    return widgets.VBox([columns, trouble, *missing, target])


def _check(model, digits, data) -> bool:
    """Whether the model is for MNIST in Space; ``ValueError`` where the arguments do not go together."""
    if not is_certainty_aware(model):
        raise ValueError("expected a certainty-aware model, got one without certainty")
    shape = tuple(getattr(model, "input_shape", (2, SIZE, SIZE)))
    if shape not in ((2, SIZE, SIZE), (2, HEIGHT, WIDTH)):
        raise ValueError(f"expected a model of MNIST or of MNIST in Space, got one for inputs {shape}")
    if not len(digits) or tuple(digits.images.shape[1:]) != (1, SIZE, SIZE):
        raise ValueError(f"expected digits with images (K, 1, {SIZE}, {SIZE}), got {tuple(digits.images.shape)}")
    if data is not None and tuple(data.shape[1:]) != (1, *shape[1:]):
        raise ValueError(f"expected data of shape (M, 1, {shape[1]}, {shape[2]}), got {tuple(data.shape)}")
    return shape[1:] == (HEIGHT, WIDTH)


def _explain(model, image, data, *, target=PREDICTED, placement=None, progress=False, **chosen):
    """One result: figure, its numbers in words, and its alt text.

    Args:
        image: ``(1, 1, 28, 28)``. chosen: as :func:`icg_book.kit.lab.attribute` takes it.
    """
    image = image if placement is None else place(image, PLACEMENTS[placement])
    counted = Counted(model)
    with quiet(model), torch.no_grad():
        p = model(join(image)).softmax(1)[0].double()
    predicted = int(p.argmax())
    target = predicted if target == PREDICTED else target
    maps, delta = attribute(
        counted, image, data, target=target, progress=progress, return_convergence_delta=True, **chosen
    )
    what = f"{chosen['output']} of class {CLASSES[target]}"
    total = maps.sum().item()
    if delta is None:
        adds_up = "Gradients need not add up to anything"
    else:
        adds_up = (
            f"Completeness asks for {total - delta.item():+.4f}, the change of this output on the way to the input"
        )
    text = (
        f"the network reads a {CLASSES[predicted]} (probability {p[predicted]:.4f}).\n"
        f"Attributions for the {what} sum to {total:+.4f}.\n{adds_up}.\n"
        f"Evaluations: {counted.with_gradient} forward and backward, {counted.forward_only} forward only."
    )
    title = find(chosen["method"], chosen["baseline"]).title
    likely = [k for k in p.argsort(descending=True).tolist() if p[k] >= 0.001]
    bars = ", ".join(f"{p[k]:.3f} for {CLASSES[k]}" for k in likely)
    alt = f"The input; its attributions for the {what} by {title}; the class probabilities from 0.001 on: {bars}."
    return picture(image[0], maps[0], f"{title}\n{what}", (p, target)), text, alt
