"""Table 2 of the paper for one input and for a thousand: which method comes closest to what Shapley says?

The paper compares six columns by eye, against scaled scores. But scores are not what a method of section 3 is meant to
return: the score of a component does not depend on the others, its effect on the class does. Here every method is held
to the exact SHAP values of the ideal classifier, and to three other references, over many inputs.

All attributions are of class 1, as in the paper. Compared are, for each input, the six numbers a of a method with the
six numbers r of a reference:

- *correlation*: Pearson's, over the six components; inputs whose a or r is the same everywhere have none.
- *sign agreement*: the share of components where a and r have the same sign (zero agrees with zero only).
- *largest difference*: the largest of |a - r|, in units of probability. Scores are in other units: for the reference
  "score", a and r are first divided by their largest absolute value, as in the paper's table.

Each is averaged over the inputs, with a 95 % bootstrap interval. Attributions of the logit have no exact reference (the
ideal logit is infinite); for them there are correlation and sign agreement only.
"""

from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from icg import baselines
from icg.artifacts import load_card, load_model
from icg.attribution import integrated_gradients
from icg.certainty import join
from icg_book.kit import contenders
from icg_book.kit.intervals import mean_interval
from icg_book.kit.jobs import Curve, Job, Kept
from icg_book.kit.records import provenance, write_result
from icg_book.kit.trainings import train_stages
from icg_book.scenarios import local_minimum

NAME = "local-minimum"
CHUNK = 50  # inputs between two saves
WATCH = 2000  # fresh inputs for each point of a learning curve

PAPER_BSHAP = f"BShap ({local_minimum.PAPER_BASELINE})"
BSHAP = "BShap (boundary)"
METHODS = ("zero IG", "mean IG", "EG", "AGN", BSHAP, PAPER_BSHAP, "ICG", "certainty-SHAP")
REFERENCES = {"exact SHAP": None, "score": None, "BShap": BSHAP, "certainty-SHAP": "certainty-SHAP"}
OUTPUTS = ("probability", "logit")

MEANS = 20  # draws of the mean baseline, each the mean of MEAN_OF inputs
MEAN_OF = 1000
EG_DRAWS = 500
AGN_BASELINES, AGN_STEPS = 50, 20


def attribute(
    method: str, model, values: Tensor, *, output: str, boundary: float, seed: int = 0, thorough: bool = False
):
    """Attributions of class 1 by one of :data:`METHODS`: ``(N, 1, 6)`` to ``(N, 6)`` float64.

    Args:
        boundary: of every component, the baseline of "BShap (boundary)".
        thorough: for a single input: chance is averaged out (200 mean baselines, 2**14 draws of EG, 1000 of AGN).
    """
    if method not in METHODS:
        raise ValueError(f"expected method to be one of {', '.join(METHODS)}, got {method!r}")
    generator = torch.Generator().manual_seed(seed)
    settings, start = {"steps": 100, "rule": "adaptive"}, None
    if method == "mean IG":
        start = baselines.every(mean_baselines(200 if thorough else MEANS, generator))
    elif method == "EG":
        settings = {"draws": 2**14 if thorough else EG_DRAWS, "rule": "monte_carlo"}
    elif method == "AGN":
        settings = {"steps": AGN_STEPS, "draws": 1000 if thorough else AGN_BASELINES, "noise": 0.1}
    elif method in (BSHAP, PAPER_BSHAP):
        start = boundary if method == BSHAP else local_minimum.PAPER_BASELINE
    maps, _ = contenders.attribute(
        "BShap" if method in (BSHAP, PAPER_BSHAP) else method,
        model,
        join(values),
        settings,
        data=lambda: local_minimum.generate(10_000, generator=generator).values,
        start=start,
        generator=generator,
        target=1,
        output=output,
    )
    return maps[:, 0].double()


def mean_baselines(n: int, generator) -> Tensor:
    """``n`` mean baselines ``(n, 1, 6)``, each of other data: all close to 0.5, where the score jumps."""
    return torch.stack([local_minimum.generate(MEAN_OF, generator=generator).values.mean(0) for _ in range(n)])


def find_boundary(model) -> float:
    """The value that, in every component, puts the model on its decision boundary, within 0.4 and 0.6."""

    def margin(value):
        with torch.no_grad():
            logits = model(join(torch.full((1, 1, local_minimum.SIZE), value)))[0]
        return (logits[1] - logits[0]).item()

    low, high = 0.4, 0.6
    if not margin(low) < 0 < margin(high):
        raise ValueError("expected the model's class to change from 0 to 1 as all components go from 0.4 to 0.6")
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if margin(middle) < 0 else (low, middle)
    return (low + high) / 2


def compare(a: Tensor, r: Tensor, *, scale: bool = False) -> dict[str, Tensor]:
    """The three measures of this module's head, for attributions and references ``(N, 6)``: ``(N,)`` each."""
    if a.shape != r.shape or a.ndim != 2:
        raise ValueError(
            f"expected attributions and references of one shape (N, 6), got {tuple(a.shape)} and {tuple(r.shape)}"
        )
    if scale:
        a, r = (t / t.abs().amax(1, keepdim=True).clamp(min=1e-300) for t in (a, r))
    da, dr = (t - t.mean(1, keepdim=True) for t in (a, r))
    size = da.norm(dim=1) * dr.norm(dim=1)
    flat = (da.norm(dim=1) <= 1e-9 * a.norm(dim=1)) | (dr.norm(dim=1) <= 1e-9 * r.norm(dim=1))
    return {
        "correlation": torch.where(flat, torch.nan, (da * dr).sum(1) / size),
        "sign agreement": (a.sign() == r.sign()).double().mean(1),
        "largest difference": (a - r).abs().amax(1),
    }


def trained(seed: int, folder: Path, *, steps: int | None = None, progress: bool = True) -> tuple[object, dict | None]:
    """The network of one seed and its learning curve: trained, gone on with, or just taken if it is finished.

    The checkpoints are those of ``python -m icg train local-minimum --seed SEED``. A network that was finished by that
    command has no curve (``None``).
    """
    plan = local_minimum.TRAININGS[NAME].plan(steps=steps, seed=seed)
    recipes = [stage.recipe for stage in plan.stages]
    curve = Curve(folder / f"{NAME}-{seed}-curve.json", {"stages": [asdict(recipe) for recipe in recipes]})
    stages, before = [], 0
    for stage, recipe in zip(plan.stages, recipes, strict=True):
        if before + recipe.steps not in curve.points:
            watch = curve.watch(lambda model: local_minimum.accuracy(model, n=WATCH), before=before)
            stage = stage._replace(watch=watch, watch_every=max(1, min(250, recipe.steps // 2)))
        stages.append(stage)
        before += recipe.steps
    model = train_stages(plan.make, stages, folder / f"{NAME}-{seed}.pt", checkpoint_every=100, progress=progress)
    points = dict(sorted(curve.points.items()))
    complete = len(points) > len(stages)
    return model, {"steps": list(points), "accuracy": list(points.values())} if complete else None


def run(
    *,
    data_folder: Path,
    work_folder: Path = Path("runs") / "reproduce",
    checkpoints: Path = Path("runs"),
    n: int = 1000,
    n_seeds: int = 5,
    steps: int | None = None,
    seed: int = 50_230,
    command: str = "",
    progress: bool = True,
) -> Path:
    """Run the experiment, or go on with it, and write ``results/local-minimum.json``.

    Trains the network from ``n_seeds`` seeds (see :func:`trained`; ``steps`` for shorter stages), then attributes
    ``n`` random inputs by every method with the shipped network. Every 50 inputs are saved in ``work_folder``, tied to
    the weights and settings.
    """
    for name, number, least in (("n", n, 2), ("n_seeds", n_seeds, 0)):
        if number < least:
            raise ValueError(f"expected {name} >= {least}, got {number}")
    network, weights = load_model(NAME), load_card(NAME)["sha256"]
    boundary = find_boundary(network)

    seeds = {}
    for k in range(n_seeds):
        stages = [asdict(recipe) for recipe, _ in local_minimum.TRAININGS[NAME].stages]
        kept = Kept(work_folder / f"{NAME}-seed-{k}.json", {"stages": stages, "steps": steps})
        seeds[str(k)] = kept.read()
        if seeds[str(k)] is None:
            seeds[str(k)] = _measured(*trained(k, checkpoints, steps=steps, progress=progress))
            kept.write(seeds[str(k)])

    values = local_minimum.generate(n, generator=torch.Generator().manual_seed(seed)).values
    settings = {"mean IG": f"{MEANS} means of {MEAN_OF}", "EG": EG_DRAWS, "AGN": f"{AGN_BASELINES} x {AGN_STEPS}"}

    def job(method: str, output: str) -> Job:
        def compute(first: int, last: int) -> dict[str, Tensor]:
            options = {"output": output, "boundary": boundary, "seed": seed + first}
            return {"maps": attribute(method, network, values[first:last], **options)}

        key = {"weights": weights, "seed": seed, **settings}
        return Job(f"{NAME}, {method}, {output}", n, key, compute, chunk=CHUNK)

    maps = {}
    with tqdm(total=len(METHODS) * len(OUTPUTS) * n, disable=not progress, unit="map") as bar:
        for method in METHODS:
            for output in OUTPUTS:
                bar.set_postfix_str(f"{method}, {output}")
                maps[method, output] = job(method, output).work(work_folder, bar)["maps"]

    paper_table = {column: list(numbers) for column, numbers in local_minimum.PAPER_TABLE.items()}
    exact = {"exact SHAP": local_minimum.ideal_shap(values)[:, 0]}
    exact["score"] = local_minimum.component_score(values.double())[:, 0]
    content = {
        "seeds": seeds,
        "table": table(network, boundary),
        "mean IG of single draws": single_means(network),
        "boundary": boundary,
        "comparison": _comparison({m: maps[m, "probability"] for m in METHODS}, exact),
        "comparison of logits": _comparison({m: maps[m, "logit"] for m in METHODS}, exact, signs_only=True),
        "settings": {"n": n, "steps": 100, **settings},
        "weights": weights,
        "paper": {"table": paper_table, "accuracy": local_minimum.PAPER_ACCURACY},
        **provenance(command, seed),
    }
    return write_result(NAME, content, data_folder)


def _measured(model: nn.Module, curve: dict | None) -> dict:
    """What the result says of one seed's network."""
    metrics = local_minimum.evaluate(model)
    closeness = {method: _closeness(method, model) for method in (BSHAP, "ICG", "certainty-SHAP")}
    return {**metrics, "accuracy": metrics["accuracy"]["all"], "curve": curve, "to exact SHAP": closeness}


def table(model, boundary: float) -> dict[str, list[float]]:
    """Table 2 for the paper's input: raw attributions of class 1, six for each column (not yet scaled to 1)."""
    values = local_minimum.PAPER_INPUT
    columns = {"scaled score": local_minimum.component_score(values.double()).flatten().tolist()}
    for method in (PAPER_BSHAP, BSHAP, "zero IG", "mean IG", "EG", "AGN", "ICG", "certainty-SHAP"):
        maps = attribute(method, model, values, output="probability", boundary=boundary, thorough=True)
        columns[method] = maps[0].tolist()
    columns["exact SHAP"] = local_minimum.ideal_shap(values).flatten().tolist()
    return columns


def single_means(model, n: int = 200) -> dict[str, list[float]]:
    """Between which bounds 95 % of the mean baselines put each component of the paper's input."""
    means = mean_baselines(n, torch.Generator().manual_seed(0))
    inputs = join(local_minimum.PAPER_INPUT.expand(n, -1, -1))
    maps = integrated_gradients(model, inputs, means, target=1, method="adaptive", n_steps=100)[:, 0]
    return {name: maps.quantile(q, 0).tolist() for name, q in (("low", 0.025), ("high", 0.975))}


def _comparison(maps: dict[str, Tensor], exact: dict[str, Tensor], *, signs_only: bool = False) -> dict:
    """Every method against every reference: {reference: {method: {measure: interval}}}."""
    result = {}
    for reference, source in REFERENCES.items():
        r = exact[reference] if source is None else maps[source]
        result[reference] = {}
        for method in METHODS:
            if method == source:
                continue
            measures = compare(maps[method], r, scale=reference == "score")
            if signs_only:
                del measures["largest difference"]
            result[reference][method] = {name: _interval(numbers) for name, numbers in measures.items()}
    return result


def _closeness(method: str, model, n: int = 200) -> dict | None:
    """One method on one network against exact SHAP; ``None`` if the method needs a boundary and there is none."""
    values = local_minimum.generate(n, generator=torch.Generator().manual_seed(0)).values
    try:
        boundary = find_boundary(model) if method == BSHAP else 0.5
    except ValueError:  # hardly trained yet
        return None
    maps = attribute(method, model, values, output="probability", boundary=boundary)
    return {k: _interval(v) for k, v in compare(maps, local_minimum.ideal_shap(values)[:, 0]).items()}


def _interval(numbers: Tensor) -> dict | None:
    return None if bool(numbers.isnan().all()) else mean_interval(numbers)._asdict()
