"""The lab of Burnt Snacks."""

import torch

from icg.certainty import join
from icg_book.kit.lab import FIRST, attribute, dropdown, is_live, method_controls, settle, static
from icg_book.kit.result_figures import picture


def burnt_snacks_lab(model, images, data):
    """Choose image, method, baseline, steps, noise and output; the network runs again and the map is redrawn.

    Args:
        model: certainty-aware, ``(N, 2, H, W)`` to logits.
        images: ``(K, 1, H, W)`` to choose from. data: ``(M, 1, H, W)`` for the mean baseline and Expected Gradients.

    Returns:
        A widget, or (while the book is built) a static figure with a link.
    """
    if not is_live():
        maps = attribute(model, images[:1], data, **FIRST)
        return static(
            picture(images[0], maps[0], f"{FIRST['method']}, {FIRST['output']}"),
            f"An input image and its attribution by {FIRST['method']}, {FIRST['n_steps']} steps.",
            "burnt_snacks",
            "image, method, baseline, steps, noise and output",
        )

    import ipywidgets as widgets
    from IPython.display import display

    controls = {"image": dropdown("image", [(f"image {k}", k) for k in range(len(images))]), **method_controls()}
    target = widgets.Output()

    def redraw(change=None):
        if not settle(controls, change):
            return
        chosen = {name: control.value for name, control in controls.items()}
        number = chosen.pop("image")
        image = images[number : number + 1]
        with target:
            target.clear_output(wait=True)
            maps = attribute(model, image, data, **chosen, progress=True)
            with torch.no_grad():
                p = model(join(image)).softmax(1)[0, 1].item()
            target.clear_output(wait=True)
            print(f"p(dark square) = {p:.4f}; attributions sum to {maps.sum().item():+.4f}")
            display(picture(image[0], maps[0], f"{chosen['method']}, {chosen['output']}"))

    for control in controls.values():
        control.observe(redraw, names="value")
    redraw()
    return widgets.VBox([*controls.values(), target])
