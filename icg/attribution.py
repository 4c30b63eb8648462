"""The attribution methods. Each is a few lines that say where its paths start and end; :mod:`icg.paths` does the rest.

Arguments that all methods share (names and meaning are Captum's where Captum has them):

- ``model``: any callable ``(B, ...) -> (B, classes)`` logits, or ``(B,)`` / ``(B, 1)`` for a plain function, whose
  value is then attributed as it is. If it carries ``certainty_aware = True``, ``inputs`` are joined inputs
  (:mod:`icg.certainty`) and baselines and noise touch the values alone.
- ``inputs``: ``(N, ...)``, the model's own input.
- ``target``: ``None`` for the class predicted at ``inputs``; one class number, or one per input; ``"all"`` for every
  class, sharing the forward passes (a dimension for the classes is then inserted: ``(N, classes, ...)``).
- ``output``: what is attributed, "probability", "log_probability" or "logit". The paper shows that it matters.
- ``n_steps``: gradient evaluations per input (and per draw, where a baseline has several).
- ``internal_batch_size``: points per micro-batch; ``None`` picks one for the device and halves it when memory runs
  out. It changes speed and memory, never the result beyond rounding.
- ``return_convergence_delta``: also return sum(attributions) - (F(end) - F(start)) per input, ``(N,)`` float64: 0 if
  the integral is exact.
- ``generator``: source of all randomness; ``None`` means a fresh one with seed 0. Global random state is never used.
- ``autocast``: e.g. ``torch.bfloat16`` for mixed precision; sums stay in float64.
- ``dtype``: of the result; ``None`` means that of ``inputs``. float64 keeps the gradients of probabilities so sure
  that float32 has no number for them.
- ``progress``: show a bar.

All return attributions of the shape of ``inputs`` (certainty methods: of its certainty channel), detached. The
model, its mode and its ``.grad`` are as before. Bad arguments raise ``ValueError`` before any work starts.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from .baselines import Baseline, _draw, constant, zero
from .certainty import check_unit, is_certainty_aware, split
from .damage import continuous_bernoulli_certainty
from .paths import (
    METHODS,
    OUTPUTS,
    BatchLimit,
    Objective,
    Path,
    check_outputs,
    integrate,
    nodes_and_weights,
    path_values,
    precision,
    quadrature,
    quiet,
)


def gradient(
    model,
    inputs: Tensor,
    *,
    target=None,
    output: str = "probability",
    internal_batch_size: int | None = None,
    progress: bool = False,
    autocast: torch.dtype | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """The vanilla gradient dF/dx: a path of length zero at the input (paper, section 1)."""
    job = _Job(model, inputs, target, output, internal_batch_size, progress, autocast, dtype)
    return job.run(lambda objective: [Path(inputs, inputs, *_point(inputs, 1.0), scale=1.0)], 1)


def smoothgrad(
    model,
    inputs: Tensor,
    *,
    noise_std: float = 0.15,
    target=None,
    n_steps: int = 50,
    output: str = "probability",
    internal_batch_size: int | None = None,
    generator: torch.Generator | None = None,
    progress: bool = False,
    autocast: torch.dtype | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """The mean gradient at ``n_steps`` noisy copies of the input (Smilkov et al., 2017).

    Noise comes in pairs of opposite sign, which halves the evaluations that a given error needs, or better.

    Args:
        noise_std: standard deviation of the noise, in units of the values.
    """
    _check_positive("n_steps", n_steps)
    if not noise_std >= 0:
        raise ValueError(f"expected noise_std >= 0, got {noise_std}")
    job = _Job(model, inputs, target, output, internal_batch_size, progress, autocast, dtype)
    generator = _generator(generator)

    def paths(objective):
        node, weight = _point(inputs, 1 / n_steps)
        for step in range(n_steps):
            if step % 2 == 0:
                noise = noise_std * _draw(torch.randn, job.values, generator)
            noisy = job.with_values(job.values + noise if step % 2 == 0 else job.values - noise)
            yield Path(noisy, noisy, node, weight, scale=1.0)

    return job.run(paths, n_steps)


def integrated_gradients(
    model,
    inputs: Tensor,
    baselines: float | Tensor | Baseline | None = None,
    *,
    target=None,
    n_steps: int = 64,
    method: str = "riemann_middle",
    output: str = "probability",
    internal_batch_size: int | None = None,
    return_convergence_delta: bool = False,
    generator: torch.Generator | None = None,
    progress: bool = False,
    autocast: torch.dtype | None = None,
    dtype: torch.dtype | None = None,
):
    """Integrated Gradients from a baseline, or averaged over a distribution of baselines (paper, equation 1).

    Args:
        baselines: where paths start: ``None`` for zero; a number; a tensor ``(1, ...)`` or ``(N, ...)`` of the model's
            input, or of its values alone; or a :class:`icg.baselines.Baseline`, e.g. ``icg.baselines.gaussian_noise()``
            or, for ``K`` baselines averaged, ``icg.baselines.every(tensor)``.
        method: quadrature rule (:func:`icg.paths.quadrature`), or "adaptive".

    >>> x = torch.tensor([[2.0, 1.2]])
    >>> f = lambda x: x[:, 0] * x[:, 1] ** 2  # the article's first example
    >>> integrated_gradients(f, x, torch.tensor([[1.0, 0.0]]), method="gausslegendre", n_steps=4)
    tensor([[0.4800, 2.4000]])
    """
    job = _Job(model, inputs, target, output, internal_batch_size, progress, autocast, dtype)
    n_draws, start = _starts(baselines, job, _generator(generator))
    pairs = ((start(draw), inputs) for draw in range(n_draws))
    return job.run_straight(pairs, n_draws, n_steps, method, return_convergence_delta)


def expected_gradients(
    model,
    inputs: Tensor,
    baselines: Tensor,
    *,
    target=None,
    n_steps: int = 512,
    method: str = "stratified",
    output: str = "probability",
    internal_batch_size: int | None = None,
    return_convergence_delta: bool = False,
    generator: torch.Generator | None = None,
    progress: bool = False,
    autocast: torch.dtype | None = None,
    dtype: torch.dtype | None = None,
):
    """Expected Gradients: IG averaged over a data distribution, one random point of each path (Erion et al., 2020).

    Args:
        baselines: data ``(K, ...)``, of the model's input or of its values alone.
        n_steps: number of (baseline, alpha) draws for each input.
        method: "monte_carlo" draws both at random, as in the paper. "stratified" covers the unit square of
            (baseline, alpha) evenly with a scrambled Sobol sequence, the baselines in an order in which the model sees
            neighbours alike; it needs less than half of the draws for the same error (best when ``n_steps`` is a power
            of 2), and one forward pass per baseline.
    """
    _check_positive("n_steps", n_steps)
    if method not in ("stratified", "monte_carlo"):
        raise ValueError(f'expected method "stratified" or "monte_carlo", got {method!r}')
    job = _Job(model, inputs, target, output, internal_batch_size, progress, autocast, dtype)
    data = _values_of("baselines", baselines, job)
    generator = _generator(generator)
    n = len(inputs)

    def paths(objective):
        if method == "stratified":
            uniform = torch.stack([_sobol(n_steps, generator) for _ in range(n)])
            order = _in_a_row(job, data, generator, at_most=4 * n_steps)
        else:
            uniform = torch.rand(n, n_steps, 2, generator=generator, device=generator.device, dtype=torch.float64).cpu()
            order = torch.arange(len(data))
        chosen = order[(uniform[..., 0] * len(order)).long().clamp(max=len(order) - 1)].to(data.device)
        alpha = uniform[..., 1].to(inputs.device)
        weight = torch.full((1, 1), 1 / n_steps, dtype=torch.float64, device=inputs.device)
        for step in range(n_steps):
            start = job.with_values(data[chosen[:, step]].to(inputs))
            yield Path(start, inputs, alpha[:, step : step + 1], weight)

    return job.run(paths, n_steps, return_convergence_delta)


def integrated_certainty_gradients(
    model,
    inputs: Tensor,
    *,
    target=None,
    n_steps: int = 100,
    method: str = "adaptive",
    noise_std: float = 0.0,
    n_samples: int = 1,
    output: str = "probability",
    internal_batch_size: int | None = None,
    return_convergence_delta: bool = False,
    generator: torch.Generator | None = None,
    progress: bool = False,
    autocast: torch.dtype | None = None,
    dtype: torch.dtype | None = None,
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
    _check_positive("n_samples", n_samples)
    if not noise_std >= 0:
        raise ValueError(f"expected noise_std >= 0, got {noise_std}")
    job = _Job(model, inputs, target, output, internal_batch_size, progress, autocast, dtype, certainty_only=True)
    generator = _generator(generator)

    def pairs():
        for _ in range(n_samples):
            noise = noise_std * _draw(torch.randn, job.values, generator) if noise_std else 0.0
            end = job.with_values(job.values + noise)
            yield torch.cat([end[:, :-1], torch.zeros_like(end[:, -1:])], 1), end

    return job.run_straight(pairs(), n_samples, n_steps, method, return_convergence_delta)


def expected_certainty_gradients(
    model,
    inputs: Tensor,
    *,
    target=None,
    n_steps: int = 512,
    method: str = "stratified",
    output: str = "probability",
    internal_batch_size: int | None = None,
    return_convergence_delta: bool = False,
    generator: torch.Generator | None = None,
    progress: bool = False,
    autocast: torch.dtype | None = None,
    dtype: torch.dtype | None = None,
):
    """Expected Gradients in the space of certainties: from i.i.d. U(0, 1) certainties to those of the input.

    Not in the paper; the authors' code carries it. One random point of each path, as in Expected Gradients.

    Args:
        method: "stratified" spreads the points evenly over alpha, "monte_carlo" draws them at random.

    Returns:
        ``(N, 1, ...)``.
    """
    _check_positive("n_steps", n_steps)
    if method not in ("stratified", "monte_carlo"):
        raise ValueError(f'expected method "stratified" or "monte_carlo", got {method!r}')
    job = _Job(model, inputs, target, output, internal_batch_size, progress, autocast, dtype, certainty_only=True)
    generator = _generator(generator)

    def paths(objective):
        _, weight = _point(inputs, 1 / n_steps)
        certainty = job.certainty
        for step in range(n_steps):
            alpha = torch.rand(len(inputs), 1, generator=generator, device=generator.device, dtype=torch.float64)
            if method == "stratified":
                alpha = (step + alpha) / n_steps
            start = torch.cat([job.values, certainty * _draw(torch.rand, certainty, generator)], 1)
            yield Path(start, inputs, alpha.to(inputs.device), weight)

    return job.run(paths, n_steps, return_convergence_delta)


def random_path_certainty_gradients(
    model,
    inputs: Tensor,
    *,
    target=None,
    n_steps: int = 100,
    output: str = "probability",
    internal_batch_size: int | None = None,
    generator: torch.Generator | None = None,
    progress: bool = False,
    autocast: torch.dtype | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """The mean of dF/dc at random certainty maps: continuous Bernoulli with a mean that runs over (0, 1).

    Not in the paper; the authors' code carries it. The maps are those of training, so the model is asked only what it
    has learnt. The means are spread evenly (one in each n-th of (0, 1), in random place). Where the input's own
    certainty is below 1, maps are scaled by it.

    Returns:
        ``(N, 1, ...)``.
    """
    _check_positive("n_steps", n_steps)
    job = _Job(model, inputs, target, output, internal_batch_size, progress, autocast, dtype, certainty_only=True)
    generator = _generator(generator)

    def paths(objective):
        node, weight = _point(inputs, 1 / n_steps)
        shape = job.certainty.shape
        for step in range(n_steps):
            place = torch.rand(len(inputs), generator=generator, device=generator.device, dtype=inputs.dtype)
            maps = continuous_bernoulli_certainty((step + place) / n_steps, shape, generator=generator)
            point = torch.cat([job.values, job.certainty * maps.to(inputs)], 1)
            yield Path(point, point, node, weight, scale=1.0)

    return job.run(paths, n_steps)


# ---------------------------------------------------------------------------------------------------------------
# What the methods share


class _Job:
    """One call: its common arguments, checked before any work starts, and how to run its paths."""

    def __init__(
        self, model, inputs, target, output, internal_batch_size, progress, autocast, dtype, certainty_only=False
    ):
        if not callable(model):
            raise ValueError(f"expected a callable model, got {type(model).__name__}")
        _check_tensor("inputs", inputs)
        if output not in OUTPUTS:
            raise ValueError(f"expected output to be one of {', '.join(OUTPUTS)}, got {output!r}")
        self.model, self.inputs, self.target, self.output = model, inputs.detach(), target, output
        self.progress, self.autocast, self.dtype = progress, autocast, dtype or inputs.dtype
        self.certainty_only = certainty_only  # whether the certainty channel alone is returned
        self.limit = BatchLimit(internal_batch_size, inputs)
        self.values, self.certainty = self.inputs, None
        if certainty_only or is_certainty_aware(model):
            self.values, self.certainty = split(self.inputs)
            check_unit("certainty (last along dim 1)", self.certainty)

    def with_values(self, values: Tensor) -> Tensor:
        """The model's input with other values and the same certainty."""
        return values if self.certainty is None else torch.cat([values, self.certainty], 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """The model's output on all inputs, in micro-batches, checked."""
        parts = []

        def evaluate(points):
            with precision(points, self.autocast):
                outputs = self.model(points)
            check_outputs(outputs, len(points))
            parts.append(outputs)

        for points in inputs.split(self.limit.size):
            self.limit.run(evaluate, points)
        outputs = torch.cat(parts)
        if not bool(outputs.isfinite().all()):
            raise ValueError("the model's output is not finite")
        return outputs

    def run(
        self, paths: Callable[[Objective], Iterable[Path]], evaluations: int, return_convergence_delta: bool = False
    ):
        """Integrate along ``paths(objective)``; ``evaluations`` is the number of gradients per input."""
        with quiet(self.model):
            outputs = self.forward(self.inputs)
            target, n_targets = _resolve_target(self.target, outputs)
            objective = Objective(self.model, target, self.output, self.autocast)
            change = torch.zeros(len(self.inputs), n_targets, dtype=torch.float64, device=self.inputs.device)

            def watched():
                """The same paths; on the way, F(end) - F(start) is summed up for the convergence delta."""
                ends = torch.tensor([[0.0, 1.0]], dtype=torch.float64, device=self.inputs.device)
                for path in paths(objective):
                    if return_convergence_delta:
                        values = path_values(objective, path.start, path.end, ends, self.limit)
                        change.add_(values.diff(dim=1).view_as(change) * path.weights.sum(1, keepdim=True))
                    yield path

            result = integrate(
                objective,
                watched(),
                self.inputs,
                self.limit,
                n_targets=n_targets,
                progress=self.progress,
                total=evaluations * len(self.inputs),
            )
        if not bool(result.isfinite().all()):
            raise ValueError("the model's gradients are not finite somewhere on the path")
        delta = result.flatten(2).sum(2) - change
        if self.certainty_only:
            result = result[:, :, -1:]
        if not isinstance(target, str):  # one class each
            result, delta = result[:, 0], delta[:, 0]
        result = result.to(self.dtype)
        return (result, delta) if return_convergence_delta else result

    def run_straight(self, pairs, n_pairs: int, n_steps: int, method: str, return_convergence_delta: bool):
        """Integrate from start to end of each pair by one quadrature rule; the mean over the pairs."""
        if method not in METHODS:
            raise ValueError(f"expected method to be one of {', '.join(METHODS)}, got {method!r}")
        quadrature("riemann_middle" if method == "adaptive" else method, n_steps)  # checks n_steps

        def paths(objective):
            for start, end in pairs:
                nodes, weights = nodes_and_weights(method, n_steps, objective, start, end, self.limit)
                yield Path(start, end, nodes, weights / n_pairs)

        return self.run(paths, n_pairs * n_steps, return_convergence_delta)


def _resolve_target(target, outputs: Tensor) -> tuple[Tensor | str | None, int]:
    """What :class:`icg.paths.Objective` takes as target, and how many numbers it has per input."""
    n = len(outputs)
    if outputs.ndim == 1 or outputs.shape[1] == 1:
        if target is not None:
            raise ValueError(
                f"the model returns one value per input, {tuple(outputs.shape)}: expected no target, got {target!r}"
            )
        return None, 1
    classes = outputs.shape[1]
    if target is None:
        return outputs.argmax(1), 1
    if isinstance(target, str):
        if target != "all":
            raise ValueError(f'expected target to be None, "all", a class number or one per input, got {target!r}')
        return target, classes
    try:
        number = torch.as_tensor(target, device=outputs.device)
        assert not number.is_floating_point() and number.dtype != torch.bool
        number = number.long().expand(n) if number.numel() == 1 and number.ndim < 2 else number.long()
        assert number.shape == (n,)
    except (AssertionError, TypeError, ValueError, RuntimeError):
        raise ValueError(
            f'expected target to be None, "all", a class number or one per input ({n}), got {target!r}'
        ) from None
    if bool(((number < 0) | (number >= classes)).any()):
        raise ValueError(f"expected target in 0..{classes - 1} (the model has {classes} outputs), got {target!r}")
    return number, 1


def _starts(baselines, job: _Job, generator: torch.Generator) -> tuple[int, Callable[[int], Tensor]]:
    """Number of draws and ``draw -> start`` for anything that ``integrated_gradients`` takes as baselines."""
    if baselines is None:
        baselines = zero()
    elif isinstance(baselines, (int, float)):
        baselines = constant(float(baselines))
    elif isinstance(baselines, Tensor):
        if baselines.ndim == job.inputs.ndim and baselines.shape[0] not in (1, len(job.inputs)):
            raise ValueError(
                f"expected one baseline or one per input ({len(job.inputs)}), got {len(baselines)}; "
                "to average over several, pass icg.baselines.every(tensor)"
            )
        full = baselines.ndim == job.inputs.ndim and baselines.shape[1:] == job.inputs.shape[1:]
        if full:  # taken as it is, certainty included
            _check_tensor("baselines", baselines)
            start = baselines.to(job.inputs).expand_as(job.inputs)
            return 1, lambda draw: start
        baselines = constant(_values_of("baselines", baselines, job))
    elif not isinstance(baselines, Baseline):
        raise ValueError(
            "expected baselines to be None, a number, a tensor or an icg.baselines.Baseline, "
            f"got {type(baselines).__name__}"
        )

    def start(draw):
        try:
            values = baselines.sample(job.values, draw, generator)
        except RuntimeError as error:
            raise ValueError(f"the baseline does not fit values of shape {tuple(job.values.shape)}: {error}") from None
        if values.shape != job.values.shape:
            raise ValueError(f"expected baseline values of {tuple(job.values.shape)}, got {tuple(values.shape)}")
        return job.with_values(values)

    return baselines.n_samples, start


def _values_of(name: str, samples: Tensor, job: _Job) -> Tensor:
    """The value channels of ``samples``, given with or without a certainty channel."""
    _check_tensor(name, samples)
    shape = tuple(job.values.shape[1:])
    if samples.ndim == job.inputs.ndim:
        if tuple(samples.shape[1:]) == shape:
            return samples
        if tuple(samples.shape[1:]) == tuple(job.inputs.shape[1:]):
            return samples[:, :-1]
    raise ValueError(
        f"expected {name} of shape {('K', *shape)} for inputs {tuple(job.inputs.shape)}, got {tuple(samples.shape)}"
    )


def _in_a_row(job: _Job, data: Tensor, generator: torch.Generator, at_most: int) -> Tensor:
    """Numbers of (at most so many, random) samples, in an order in which the model sees neighbours alike.

    Each is followed by the nearest one left, by distance of the model's outputs (a greedy tour). Along it the integrand
    is almost smooth, which is what an evenly spread sequence needs.
    """
    chosen = torch.randperm(len(data), generator=generator, device=generator.device).cpu()[:at_most].to(data.device)
    certain = [] if job.certainty is None else [torch.ones_like(data[:1, :1])]
    parts = [
        job.forward(
            torch.cat([data[part], *(c.expand(len(part), -1, *c.shape[2:]) for c in certain)], 1).to(job.inputs)
        )
        for part in chosen.split(job.limit.size)
    ]
    outputs = torch.cat(parts).float().reshape(len(chosen), -1)
    distance = torch.cdist(outputs, outputs).cpu()
    tour = [0]
    for _ in range(len(chosen) - 1):
        distance[:, tour[-1]] = torch.inf
        tour.append(int(distance[tour[-1]].argmin()))
    return chosen[torch.tensor(tour, device=chosen.device)].cpu()


def _sobol(n: int, generator: torch.Generator) -> Tensor:
    """``n`` points of a two-dimensional Sobol sequence, scrambled by a seed from ``generator``: ``(n, 2)`` float64."""
    seed = int(torch.randint(2**31 - 1, (), generator=generator, device=generator.device))
    return torch.quasirandom.SobolEngine(2, scramble=True, seed=seed).draw(n, dtype=torch.float64)


def _point(inputs: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Nodes and weights of a path that is evaluated at its start alone."""
    node = torch.zeros(1, 1, dtype=torch.float64, device=inputs.device)
    return node, node + weight


def _generator(generator: torch.Generator | None) -> torch.Generator:
    return torch.Generator().manual_seed(0) if generator is None else generator


def _check_positive(name: str, value) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"expected {name} to be a whole number >= 1, got {value!r}")


def _check_tensor(name: str, tensor) -> None:
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point() or tensor.ndim < 2 or len(tensor) == 0:
        got = f"{tuple(tensor.shape)} of {tensor.dtype}" if isinstance(tensor, Tensor) else type(tensor).__name__
        raise ValueError(f"expected {name} to be a non-empty floating tensor (N, ...), got {got}")
    if not bool(tensor.isfinite().all()):
        raise ValueError(f"expected finite {name}, got NaN or infinity")
