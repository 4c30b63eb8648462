"""The attribution methods. Each is a few lines that say where its paths start and end; :mod:`icg.paths` does the rest.

All take a ``model``: any callable ``(B, ...) -> (B, classes)`` logits, or ``(B,)`` / ``(B, 1)`` for a plain function,
whose value is then attributed as it is. If it carries ``certainty_aware = True``, ``inputs`` are joined inputs
(:mod:`icg.certainty`) and baselines and noise touch the values alone. ``inputs`` are ``(N, ...)``, the model's own
input; ``n_steps`` counts gradient evaluations per input (and per draw, where a baseline has several). A model of
several inputs takes a tuple of them, and gives a tuple of attributions (:mod:`icg.inputs`); the certainty methods and
certainty-aware models have one. What else the methods share is described once, in :class:`icg.arguments.Shared`, and
shown by ``help()`` of each.

All return attributions of the shape of ``inputs`` (certainty methods: of its certainty channel), detached. The
model, its mode and its ``.grad`` are as before. Bad arguments raise ``ValueError`` before any work starts. Refused are
also models without a gradient to their input, whose rows depend on each other, or not finite where a path ends.
What can't be seen: rows that depend on each other only halfway on a path, as where a mean over the batch stands in for
what is half certain; and a forward that detaches a part of what it makes of its input. Of the second the gradients are
those of the rest, and ``return_convergence_delta`` tells.
"""

from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor

from .arguments import Shared, Unpack, check_number, check_one_of, check_positive, random_like, shares
from .baselines import Baseline, starts, values_of
from .certainty import Joined, without_certainty
from .damage import continuous_bernoulli_certainty, random_blocks
from .paths import Path, attribute, attribute_straight, point
from .quadrature import quadrature, sobol
from .question import Question
from .shapley import by_feature, players_of

LARGEST_TABLE = 2048  # samples whose distances are kept, 16 MiB
DRAWN = ("stratified", "monte_carlo")  # how random points are spread
WITHOUT_DELTA = tuple(name for name in Shared.__annotations__ if name != "return_convergence_delta")
PLAIN = tuple(name for name in WITHOUT_DELTA if name != "generator")


@shares(*PLAIN)
def gradient(model, inputs: Tensor, **shared: "Unpack[Shared]") -> Tensor:
    """The vanilla gradient dF/dx: a path of length zero at the input (paper, section 1)."""
    question = Question(model, inputs, **shared)
    return attribute(
        question, lambda objective: [Path(question.inputs, question.inputs, *point(question.inputs, 1.0), scale=1.0)], 1
    )


@shares(*WITHOUT_DELTA)
def smoothgrad(
    model, inputs: Tensor, *, noise_std: float = 0.15, n_steps: int = 50, **shared: "Unpack[Shared]"
) -> Tensor:
    """The mean gradient at ``n_steps`` noisy copies of the input (Smilkov et al., 2017).

    Noise comes in pairs of opposite sign, which halves the evaluations that a given error needs, or better.

    Args:
        noise_std: standard deviation of the noise, in units of the values.
    """
    n_steps = check_positive("n_steps", n_steps)
    noise_std = check_number("noise_std", noise_std)
    question = Question(model, inputs, **shared)

    def paths(objective):
        node, weight = point(question.inputs, 1 / n_steps)
        for step in range(n_steps):
            if step % 2 == 0:
                noise = noise_std * random_like(torch.randn, question.values, question.generator)
            noisy = question.with_values(question.values + noise if step % 2 == 0 else question.values - noise)
            yield Path(noisy, noisy, node, weight, scale=1.0)

    return attribute(question, paths, n_steps)


@shares()
def integrated_gradients(
    model,
    inputs: Tensor,
    baselines: float | Tensor | Baseline | None = None,
    *,
    n_steps: int = 64,
    method: str = "riemann_middle",
    multiply_by_inputs: bool = True,
    **shared: "Unpack[Shared]",
):
    """Integrated Gradients from a baseline, or averaged over a distribution of baselines (paper, equation 1).

    Args:
        baselines: where paths start: ``None`` for zero; a number; a tensor ``(1, ...)`` or ``(N, ...)`` of the model's
            input, or of its values alone; or a :class:`icg.baselines.Baseline`, e.g. ``icg.baselines.gaussian_noise()``
            or, for ``K`` baselines averaged, ``icg.baselines.every(tensor)``. For a tuple of inputs one of these for
            all of them, or a tuple.
        method: quadrature rule (:func:`icg.quadrature.quadrature`), or "adaptive".
        multiply_by_inputs: ``False`` leaves out the factor input - baseline: the mean gradient along the paths.

    >>> x = torch.tensor([[2.0, 1.2]])
    >>> f = lambda x: x[:, 0] * x[:, 1] ** 2  # the article's first example
    >>> integrated_gradients(f, x, torch.tensor([[1.0, 0.0]]), method="gausslegendre", n_steps=4)
    tensor([[0.4800, 2.4000]])
    """
    question = Question(model, inputs, **shared)
    scale = _factor(multiply_by_inputs, question)
    n_draws, start = starts(baselines, question)
    pairs = ((start(draw), question.inputs) for draw in range(n_draws))
    return attribute_straight(question, pairs, n_draws, n_steps, method, scale)


@shares(*WITHOUT_DELTA)
def shapley_integrated_gradients(
    model, inputs: Tensor, baselines=None, *, groups=None, n_samples=50, n_steps=8, **shared: "Unpack[Shared]"
) -> Tensor:
    """Shapley Integrated Gradients: IG from coalitions, features that have their own values already (Liu et al., 2023).

    From the paper's abstract: coalitions as baselines, in Shapley's proportions. The rest is our reading: their sizes
    run evenly over 0 .. n - 1, members are random, and a feature gets the mean over the paths on which it moves, each
    weighing n / (how many move), so that coalitions of others of every size count alike. (A plain mean over baselines
    pays about half.) Exact for functions of single features; a product of two pays 3/4 to each.

    Args:
        baselines: where those outside start, as for :func:`integrated_gradients`. groups: players, as for
            :func:`icg.shapley.baseline_game`. n_samples: coalitions; the first is empty. n_steps: on each path.
    """
    n_samples, n_steps = check_positive("n_samples", n_samples), check_positive("n_steps", n_steps)
    question = Question(model, inputs, **shared)
    inputs, players, (n_draws, start) = question.inputs, players_of(groups, question), starts(baselines, question)
    n, generator, device = int(players.max()) + 1, question.generator, inputs.device
    nodes, weights = (t[None].to(device) for t in quadrature("riemann_middle", n_steps))
    own = players.ndim == inputs.ndim  # groups of each input
    paid = torch.zeros(len(inputs), *players.shape[own:], dtype=torch.float64, device=device)

    def paths(objective):
        for draw in range(n_samples):
            random = torch.rand(len(inputs), n + 1, generator=generator, device=generator.device, dtype=torch.float64)
            size = (n * (draw + random[:, n:]) / n_samples).long().clamp(max=n - 1) * (draw > 0)
            moving = torch.cat([random[:, :n].argsort(1) >= size, size < 0], 1).to(device)  # nobody never moves
            moves = by_feature(moving, players, own)
            weight = (n / (n - size)).double().to(device)
            paid.add_(moves * weight.view(-1, *[1] * (paid.ndim - 1)))
            yield Path(torch.where(moves, start(draw % n_draws), inputs), inputs, nodes, weight * weights)

    return attribute(question, paths, n_samples * n_steps, finish=lambda sums: sums / paid.clamp(min=1)[:, None])


@shares()
def expected_gradients(
    model,
    inputs: Tensor,
    baselines: Tensor,
    *,
    n_steps: int = 512,
    method: str = "stratified",
    multiply_by_inputs: bool = True,
    **shared: "Unpack[Shared]",
):
    """Expected Gradients: IG averaged over a data distribution, one random point of each path (Erion et al., 2020).

    Args:
        baselines: data ``(K, ...)``, of the model's input or of its values alone; for a tuple of inputs a tuple, whose
            rows belong together.
        n_steps: number of (baseline, alpha) draws for each input.
        method: "monte_carlo" draws both at random, as in the paper. "stratified" covers the unit square of
            (baseline, alpha) evenly with a scrambled Sobol sequence, the baselines in an order in which the model sees
            neighbours alike; it needs less than half of the draws for the same error (best when ``n_steps`` is a power
            of 2), and one forward pass per baseline.
        multiply_by_inputs: as for :func:`integrated_gradients`.
    """
    n_steps = check_positive("n_steps", n_steps)
    check_one_of("method", method, DRAWN)
    question = Question(model, inputs, **shared)
    scale, inputs = _factor(multiply_by_inputs, question), question.inputs
    data, generator, n = values_of("baselines", baselines, question), question.generator, len(inputs)

    def paths(objective):
        if method == "stratified":
            uniform = torch.stack([sobol(n_steps, 2, generator) for _ in range(n)])
            order = _in_a_row(question, data, generator, at_most=4 * n_steps)
        else:
            uniform = torch.rand(n, n_steps, 2, generator=generator, device=generator.device, dtype=torch.float64).cpu()
            order = torch.arange(len(data), device="cpu")
        chosen = order[(uniform[..., 0] * len(order)).long().clamp(max=len(order) - 1)].to(data.device)
        alpha = uniform[..., 1].to(inputs.device)
        weight = torch.full((1, 1), 1 / n_steps, dtype=torch.float64, device=inputs.device)
        for step in range(n_steps):
            start = question.with_values(data[chosen[:, step]].to(inputs))
            yield Path(start, inputs, alpha[:, step : step + 1], weight, scale)

    return attribute(question, paths, n_steps)


@shares()
def integrated_certainty_gradients(
    model,
    inputs: Joined,
    *,
    n_steps: int = 100,
    method: str = "adaptive",
    noise_std: float = 0.0,
    n_samples: int = 1,
    **shared: "Unpack[Shared]",
):
    """Integrated Certainty Gradients (paper, section 4): integrate over certainty, with the values held still.

    Args:
        inputs: joined ``(N, C + 1, ...)``. The certainty channel is integrated from 0 to the value it has.
        method: the rule; "adaptive" because the output of a good model jumps somewhere along the way.
        noise_std, n_samples: average over this many copies of the input with Gaussian noise added to the values, as
            the paper does for photographs (A.4.1).

    Returns:
        ``(N, 1, ...)``: one attribution per position.
    """
    n_samples = check_positive("n_samples", n_samples)
    noise_std = check_number("noise_std", noise_std)
    question = Question(model, inputs, certainty_only=True, **shared)

    def pairs():
        for _ in range(n_samples):
            noise = noise_std * random_like(torch.randn, question.values, question.generator) if noise_std else 0.0
            end = question.with_values(question.values + noise)
            yield without_certainty(end), end

    return attribute_straight(question, pairs(), n_samples, n_steps, method)


@shares()
def expected_certainty_gradients(
    model, inputs: Joined, *, n_steps: int = 512, method: str = "stratified", **shared: "Unpack[Shared]"
):
    """Expected Gradients in the space of certainties: from i.i.d. U(0, 1) certainties to those of the input.

    Not in the paper; the authors' code carries it. One random point of each path, as in Expected Gradients.

    Args:
        method: "stratified" spreads the points evenly over alpha, "monte_carlo" draws them at random.

    Returns:
        ``(N, 1, ...)``.
    """
    n_steps = check_positive("n_steps", n_steps)
    check_one_of("method", method, DRAWN)
    question = Question(model, inputs, certainty_only=True, **shared)
    certainty, generator = question.certainty, question.generator

    def paths(objective):
        _, weight = point(inputs, 1 / n_steps)
        for step in range(n_steps):
            alpha = torch.rand(len(inputs), 1, generator=generator, device=generator.device, dtype=torch.float64)
            if method == "stratified":
                alpha = (step + alpha) / n_steps
            start = torch.cat([question.values, certainty * random_like(torch.rand, certainty, generator)], 1)
            yield Path(start, inputs, alpha.to(inputs.device), weight)

    return attribute(question, paths, n_steps)


@shares(*WITHOUT_DELTA)
def random_path_certainty_gradients(model, inputs: Joined, *, n_steps: int = 100, **shared: "Unpack[Shared]") -> Tensor:
    """The mean of dF/dc at random certainty maps: continuous Bernoulli with a mean that runs over (0, 1).

    Not in the paper; the authors' code carries it. The maps are those of training, so the model is asked only what it
    has learnt. The means are spread evenly (one in each n-th of (0, 1), in random place). Where the input's own
    certainty is below 1, maps and gradients are scaled by it.

    Returns:
        ``(N, 1, ...)``.
    """
    n_steps = check_positive("n_steps", n_steps)
    question = Question(model, inputs, certainty_only=True, **shared)
    generator, shape = question.generator, question.certainty.shape

    def maps():
        for step in range(n_steps):
            place = torch.rand(len(inputs), generator=generator, device=generator.device, dtype=inputs.dtype)
            yield (
                continuous_bernoulli_certainty((step + place) / n_steps, shape, generator=generator),
                torch.ones(1, device="cpu"),
            )

    return _at_maps(question, maps(), n_steps)


@shares(*WITHOUT_DELTA)
def block_path_certainty_gradients(
    model, inputs: Joined, *, n_steps: int = 64, blocks: int = 12, parts: int | None = None, **shared: "Unpack[Shared]"
) -> Tensor:
    """Integrate over certainty along random paths on which blocks become certain in random order. Not in the paper.

    Players of a Shapley value join one after the other; on the path of integrated certainty gradients all do at once.
    Between the two: each block of a random grid rises from certainty 0 to 1 in a part of the path, at a random place.
    It samples the multilinear extension of the game over blocks (Owen, 1972; Okhrati and Lipani, 2021), by certainties.

    Args:
        blocks: at most so many along each axis, and at least a third of it; each number by even chance.
        parts: a block rises within 1 / ``parts`` of its path. There is one step in each part, which meets every block
            once on its way. With 1 it is the path of integrated certainty gradients; more are more like random orders,
            and need more steps. ``None``: :func:`parts_for` these steps.

    Returns:
        ``(N, 1, ...)``; on average they sum to F(input) - F(nothing known).
    """
    n_steps, blocks = check_positive("n_steps", n_steps), check_positive("blocks", blocks)
    parts = parts_for(n_steps) if parts is None else check_positive("parts", parts)
    question = Question(model, inputs, certainty_only=True, **shared)
    n, axes, options = len(inputs), inputs.shape[2:], {"dtype": inputs.dtype, "generator": question.generator}
    rand = partial(torch.rand, device=question.generator.device, **options)

    def maps():
        for first in range(0, n_steps, parts):
            size = min(parts, n_steps - first)  # of the last one, with what is left
            place = rand(n, 1) if size < parts else (first / parts + rand(n, 1)) / (n_steps // parts)
            per_axis = ((blocks + 2) // 3 + rand(n) * (blocks + 1 - (blocks + 2) // 3)).long().clamp(max=blocks)
            block = random_blocks(per_axis, axes, most=blocks, **options).flatten(1)
            wait = (size - 1) * rand(n, (blocks + 1) ** len(axes)).gather(1, block)
            for part in range(size):
                risen = (part + place - wait).view(n, 1, *axes)
                yield risen.clamp(0, 1), size * ((risen > 0) & (risen <= 1))

    return _at_maps(question, maps(), n_steps, without_certainty(inputs))


def _factor(multiply_by_inputs: bool, question: Question) -> float | None:
    if not isinstance(multiply_by_inputs, bool):
        raise ValueError(f"expected multiply_by_inputs to be True or False, got {multiply_by_inputs!r}")
    if not multiply_by_inputs and question.return_convergence_delta:
        raise ValueError("expected no return_convergence_delta with multiply_by_inputs=False: nothing has to sum up")
    return None if multiply_by_inputs else 1.0


def parts_for(n_steps: int) -> int:
    """In how many parts blocks rise best with so many steps: half the cube root, and at least 2.

    What a path is off falls with the square of the parts, what luck adds grows with parts / steps; one half by
    measurement, on digits apart from all that is reported.

    >>> [parts_for(n) for n in (16, 64, 256, 1000)]
    [2, 2, 3, 5]
    """
    return max(2, round(check_positive("n_steps", n_steps) ** (1 / 3) / 2))


def _at_maps(question: Question, maps: Iterable[tuple[Tensor, Tensor]], n_steps: int, start=None) -> Tensor:
    """The mean of gradient times weight at ``n_steps`` maps, each scaled by the input's own certainty."""
    node, weight = point(question.inputs, 1 / n_steps)

    def paths(objective):
        for pair in maps:
            certainty, scale = (question.certainty * each.to(question.inputs) for each in pair)
            here = torch.cat([question.values, certainty], 1)
            yield Path(here, here, node, weight, scale=scale)

    return attribute(question, paths, n_steps, start)


def _in_a_row(question: Question, data: Tensor, generator: torch.Generator, at_most: int) -> Tensor:
    """Numbers of (at most so many, random) samples, in an order in which the model sees neighbours alike.

    Each is followed by the nearest one left, by distance of the model's outputs (a greedy tour). Along it the integrand
    is almost smooth, which is what an evenly spread sequence needs.
    """
    chosen = torch.randperm(len(data), generator=generator, device=generator.device).cpu()[:at_most].to(data.device)
    certain = [] if question.certainty is None else [torch.ones_like(data[:1, :1])]
    parts = []
    for part in chosen.split(question.limit.size):
        points = torch.cat([data[part], *(c.expand(len(part), -1, *c.shape[2:]) for c in certain)], 1)
        nobody = torch.zeros(len(part), dtype=torch.long, device=question.inputs.device)  # of the first input, if any
        parts.append(question.outputs(points.to(question.inputs), nobody))
    outputs = torch.cat(parts).float().reshape(len(chosen), -1).nan_to_num()
    table = torch.cdist(outputs, outputs) if len(outputs) <= LARGEST_TABLE else None  # else row by row: linear memory
    tour, been = torch.zeros(len(outputs), dtype=torch.long, device="cpu"), torch.zeros_like(outputs[:, 0])
    for k in range(1, len(tour)):
        here = int(tour[k - 1])
        been[here] = torch.inf
        distance = torch.cdist(outputs[here : here + 1], outputs)[0] if table is None else table[here]
        tour[k] = (distance + been).argmin()
    return chosen[tour.to(chosen.device)].cpu()
