"""Speed, memory and accuracy of the attribution engine, as ratios in one process.

    make bench                                   # everything
    python benchmarks/attribution.py speed       # one part: speed, methods, overhead, datasets, imports, memory, …

The floor is the same number of bare forward + backward passes to the input, with frozen parameters, channels-last, at
the best batch size found. Contestants take turns and the best of several rounds counts, so that a busy machine slows
all of them alike; ratios are printed, and written to ``benchmarks/results.json`` with the target beside each.
"""

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import torch
from torch import nn

import icg
from icg.certainty import join
from icg.models import BurntSnacksNet
from icg_book.kit.records import provenance, write_json

HERE = Path(__file__).parent


class Plain(nn.Module):
    """A certainty-aware network as an ordinary one: every channel is integrated, as in the other contestants."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x)


def networks(device):
    import torchvision

    torch.manual_seed(0)
    small = Plain(BurntSnacksNet()), torch.rand(4, 2, 50, 50), 64
    large = torchvision.models.resnet50(num_classes=10), torch.rand(1, 3, 128, 128), 32
    for name, (model, inputs, steps) in {"Burnt Snacks net": small, "ResNet-50, 128 px": large}.items():
        model = model.eval().to(device, memory_format=torch.channels_last).requires_grad_(False)
        yield name, model, inputs.to(device), steps


def synchronise(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def best_times(contestants: dict, rounds: int, device) -> dict[str, float]:
    """Best time of each contestant over interleaved rounds; the first round warms up and does not count."""
    best = dict.fromkeys(contestants, float("inf"))
    for turn in range(rounds + 1):
        for name, run in contestants.items():
            gc.collect()
            synchronise(device)
            start = time.perf_counter()
            run()
            synchronise(device)
            if turn:
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def floor(model, points: torch.Tensor, batch: int, autocast=None) -> None:
    for part in points.split(batch):
        part = part.contiguous(memory_format=torch.channels_last) if part.ndim == 4 else part
        part = part.detach().requires_grad_()
        with torch.autocast(part.device.type, autocast, enabled=autocast is not None):
            out = model(part)
        torch.autograd.grad(out[:, 0].float().sum(), part)


def speed(device, rounds) -> list[tuple]:
    from captum.attr import IntegratedGradients

    rows = []
    targets = {"Burnt Snacks net": (1.15, 0.80, 0.70), "ResNet-50, 128 px": (1.05, 0.90, 0.60)}
    batches = (4, 8, 16, 32, 64, 128) if device.type == "cpu" else (64, 256)
    for name, model, inputs, steps in networks(device):
        points = inputs.repeat(steps, 1, 1, 1)
        captum = IntegratedGradients(model)
        common = {"target": 0, "n_steps": steps}

        contestants = {("floor", b): lambda b=b: floor(model, points, b) for b in batches}
        contestants |= {("floor bf16", b): lambda b=b: floor(model, points, b, torch.bfloat16) for b in batches}
        contestants |= {
            ("captum", b): lambda b=b: captum.attribute(
                inputs, internal_batch_size=b, method="riemann_middle", **common
            )
            for b in (*batches, None)
        }
        contestants[("icg", 0)] = lambda: icg.integrated_gradients(model, inputs, output="logit", **common)
        contestants[("icg probability", 0)] = lambda: icg.integrated_gradients(model, inputs, **common)
        contestants[("icg bf16", 0)] = lambda: icg.integrated_gradients(
            model, inputs, output="logit", autocast=torch.bfloat16, **common
        )
        times = best_times(contestants, rounds, device)

        def best(kind, times=times):
            return min((t, b) for (k, b), t in ((key, t) for key, t in times.items()) if k == kind)

        base, base_batch = best("floor")
        rival, rival_batch = min(((t, b) for (k, b), t in times.items() if k == "captum"), key=lambda pair: pair[0])
        over, against, low = targets[name]
        rows += [
            (f"{name}: icg / floor (batch {base_batch})", times[("icg", 0)] / base, over),
            (f"{name}: icg, probability / floor", times[("icg probability", 0)] / base, over),
            (f"{name}: Captum at its best batch ({rival_batch}) / floor", rival / base, None),
            (f"{name}: Captum by default / floor", times[("captum", None)] / base, None),
            (f"{name}: icg / Captum at its best batch", times[("icg", 0)] / rival, against),
            (f"{name}: bf16 floor / floor", best("floor bf16")[0] / base, None),
            (f"{name}: icg bf16 / floor", times[("icg bf16", 0)] / base, low),
        ]

        ten = model if name.startswith("ResNet") else nn.Sequential(model, nn.Linear(2, 10).to(device))
        ten.requires_grad_(False)
        few = max(4, steps // 4)
        times = best_times(
            {
                "shared": lambda ten=ten: icg.integrated_gradients(ten, inputs, target="all", n_steps=few),
                "single": lambda ten=ten: [
                    icg.integrated_gradients(ten, inputs, target=k, n_steps=few) for k in range(10)
                ],
            },
            max(1, rounds - 1),
            device,
        )
        rows.append((f"{name}: ten classes at once / class by class", times["shared"] / times["single"], 0.70))
    return rows


def overhead(device, rounds) -> list[tuple]:
    """A whole call on a tiny network, where nothing but bookkeeping costs."""
    from captum.attr import IntegratedGradients

    torch.manual_seed(0)
    model = (
        nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3)).to(device).eval()
    )
    model.requires_grad_(False)
    inputs = torch.rand(16, 16, device=device)
    points = inputs.repeat(64, 1)
    captum = IntegratedGradients(model)

    def many(run):
        return lambda: [run() for _ in range(30)]

    times = best_times(
        {
            "floor": many(lambda: floor(model, points, len(points))),
            "icg": many(lambda: icg.integrated_gradients(model, inputs, target=0, n_steps=64, output="logit")),
            "captum": many(lambda: captum.attribute(inputs, target=0, n_steps=64, method="riemann_middle")),
        },
        rounds * 2,
        device,
    )
    return [
        ("tiny MLP, 16 inputs x 64 steps: icg / one raw batch", times["icg"] / times["floor"], 2.0),
        ("tiny MLP, 16 inputs x 64 steps: Captum / one raw batch", times["captum"] / times["floor"], None),
    ]


def methods(device, rounds) -> list[tuple]:
    """Every method at 64 evaluations, on a certainty-aware network: what drawing paths costs beside walking them."""
    torch.manual_seed(0)
    model = BurntSnacksNet().eval().to(device, memory_format=torch.channels_last).requires_grad_(False)
    inputs = join(torch.rand(4, 1, 50, 50, device=device))
    points, data = inputs.repeat(64, 1, 1, 1), torch.rand(500, 1, 50, 50, device=device)
    calls = {
        "gradient, 64 times": lambda **o: [icg.gradient(model, inputs, **o) for _ in range(64)],
        "SmoothGrad": partial(icg.smoothgrad, model, inputs, n_steps=64),
        "IG": partial(icg.integrated_gradients, model, inputs, n_steps=64),
        "IG, adaptive": partial(icg.integrated_gradients, model, inputs, n_steps=64, method="adaptive"),
        "EG": partial(icg.expected_gradients, model, inputs, data, n_steps=64),
        "SIG": partial(icg.shapley_integrated_gradients, model, inputs, n_samples=8, n_steps=8),
        "ICG": partial(icg.integrated_certainty_gradients, model, inputs, n_steps=64),
        "random-path": partial(icg.random_path_certainty_gradients, model, inputs, n_steps=64),
        "block-wise": partial(icg.block_path_certainty_gradients, model, inputs, n_steps=64),
    }
    contestants = {("floor", b): lambda b=b: floor(model, points, b) for b in (8, 16, 32, 64)}
    contestants |= {name: lambda call=call: call(target=0, output="logit") for name, call in calls.items()}
    times = best_times(contestants, rounds, device)
    base = min(time for name, time in times.items() if name[0] == "floor")
    return [(f"Burnt Snacks net, 64 evaluations: {name} / floor", times[name] / base, None) for name in calls]


def datasets(device, rounds) -> list[tuple]:
    """A data set in shards on the disk, beside the same batches of the bare engine, whose maps are thrown away."""
    torch.manual_seed(0)
    model = BurntSnacksNet().eval().to(device, memory_format=torch.channels_last).requires_grad_(False)
    images = torch.rand(128, 1, 50, 50)
    loader = torch.utils.data.DataLoader(images, batch_size=16)

    def attribute(batch):
        joined = icg.certainty.join(batch.to(device))
        return icg.integrated_certainty_gradients(model, joined, target=0, n_steps=16)

    def whole():
        with tempfile.TemporaryDirectory() as folder:
            icg.datasets.attribute_dataset(attribute, loader, folder, key={}, batches=2, progress=False)

    contestants = {"bare": lambda: [attribute(batch) for batch in images.split(16)], "whole": whole}
    times = best_times(contestants, 2 * rounds, device)
    what = "128 images in four shards on the disk / the same batches of the bare engine"
    return [(what, times["whole"] / times["bare"], 1 / 0.95)]


def imports(device, rounds) -> list[tuple]:
    """What ``import icg`` costs beside ``import torch``, each in processes of its own that take turns."""

    def process(code):
        return lambda: subprocess.run([sys.executable, "-c", code], check=True)

    contestants = {name: process(f"import {name}") for name in ("torch", "icg")}
    times = best_times(contestants, 4 * rounds, torch.device("cpu"))
    return [("import icg / import torch", times["icg"] / times["torch"], 1.1)]


MEMORY = """
import resource, sys, torch, icg
sys.path.insert(0, {here!r})
from attribution import networks
_, model, inputs, _ = [n for n in networks(torch.device({device!r})) if n[0].startswith({name!r})][0]
cuda = inputs.is_cuda
icg.integrated_gradients(model, inputs, target=0, n_steps=2)
def peak():
    if cuda:
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
if {library!r} == "icg":
    icg.integrated_gradients(model, inputs, target=0, n_steps={steps})
else:
    from captum.attr import IntegratedGradients
    IntegratedGradients(model).attribute(inputs, target=0, n_steps={steps})
print(peak())
"""


def memory(device, rounds) -> list[tuple]:
    """Peak memory at 50 and 500 steps, each in a process of its own (a peak never goes down)."""
    rows = []
    for name in ("Burnt Snacks net", "ResNet-50"):
        for library in ("icg", "Captum"):
            peaks = []
            for steps in (50, 500):
                code = MEMORY.format(here=str(HERE), device=str(device), name=name, library=library, steps=steps)
                run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
                peaks.append(float(run.stdout.split()[-1]) if run.returncode == 0 else float("inf"))
            target = 1.1 if library == "icg" else None
            rows.append(
                (f"{name}: {library}, peak at 500 / 50 steps ({peaks[0]:.0f} MiB)", peaks[1] / peaks[0], target)
            )
    return rows


def digits_network(activation) -> tuple[nn.Module, torch.Tensor]:
    """A small convolutional network trained on scikit-learn's digits, and the digits: seconds, no download."""
    from sklearn.datasets import load_digits

    torch.manual_seed(0)
    data = load_digits()
    images = torch.tensor(data.images / 16, dtype=torch.float32).unsqueeze(1)
    labels = torch.tensor(data.target)
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), activation(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), activation(),
        nn.Flatten(), nn.Linear(512, 64), activation(), nn.Linear(64, 10),
    )  # fmt: skip
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(400):
        batch = torch.randint(1297, (128,))
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(images[batch]), labels[batch]).backward()
        optimiser.step()
    return network.eval(), images


def relative_error(found: torch.Tensor, reference: torch.Tensor) -> float:
    """Mean over inputs of the L2 error over the L2 norm of the reference."""
    return ((found - reference).flatten(1).norm(dim=1) / reference.flatten(1).norm(dim=1)).mean().item()


def evaluations_for(error: float, errors: dict[int, float]) -> float:
    """Evaluations at which the error falls to ``error``, by straight lines between points in log-log."""
    points = sorted((n, e) for n, e in errors.items())
    logs = [(torch.tensor(float(n)).log().item(), torch.tensor(e).log().item()) for n, e in points]
    goal = torch.tensor(error).log().item()
    for (n0, e0), (n1, e1) in zip(logs, logs[1:], strict=False):
        if e1 <= goal <= e0:
            return float(torch.tensor(n0 + (n1 - n0) * (e0 - goal) / max(e0 - e1, 1e-12)).exp())
    return float("inf") if goal < logs[-1][1] else points[0][0]


def convergence(device, rounds) -> list[tuple]:
    """Evaluations for equal error, against references of many thousand points."""
    rows = []
    rules = ("riemann_left", "riemann_trapezoid", "riemann_middle", "gausslegendre", "adaptive")
    for kind, activation in (("ReLU", nn.ReLU), ("GELU", nn.GELU)):
        model, images = digits_network(activation)
        inputs, background = images[1297:1317], images[:500]
        for output in ("logit", "probability"):
            reference = icg.integrated_gradients(model, inputs, n_steps=5000, output=output)
            for rule in rules:
                errors = {
                    n: relative_error(
                        icg.integrated_gradients(model, inputs, n_steps=n, method=rule, output=output), reference
                    )
                    for n in (8, 16, 32, 48, 64, 96, 128, 256)
                }
                goal = 55 if (kind, output, rule) == ("ReLU", "logit", "riemann_middle") else None
                rows.append(
                    (f"{kind}, {output}: evaluations of {rule} to 1 % error", evaluations_for(0.01, errors), goal)
                )
        if kind == "GELU":
            continue

        def seeded(function, n, **options):
            return [function(n, generator=torch.Generator().manual_seed(s), **options) for s in range(4)]

        def expected(n, generator, method, model=model, inputs=inputs, background=background):
            return icg.expected_gradients(
                model, inputs, background, n_steps=n, method=method, generator=generator, output="logit"
            )

        # The exact value for 500 backgrounds: every background, 64 middle points each.
        reference = icg.integrated_gradients(model, inputs, icg.baselines.every(background), output="logit", n_steps=64)
        sizes = (32, 64, 128, 256, 512, 1024, 2048)
        errors = {
            method: {
                n: sum(relative_error(a, reference) for a in seeded(expected, n, method=method)) / 4 for n in sizes
            }
            for method in ("monte_carlo", "stratified")
        }
        for n, goal in ((128, 1 / 2), (512, 1 / 3)):
            needed = evaluations_for(errors["monte_carlo"][n], errors["stratified"])
            rows.append((f"EG: stratified evaluations for the error of plain sampling at {n} / {n}", needed / n, goal))

        def smooth(n, generator, model=model, inputs=inputs):
            return icg.smoothgrad(model, inputs, n_steps=n, generator=generator, output="logit")

        def plain(n, generator, model=model, inputs=inputs):
            noisy = (inputs + 0.15 * torch.randn(inputs.shape, generator=generator) for _ in range(n))
            target = model(inputs).argmax(1)
            return sum(icg.gradient(model, x, target=target, output="logit") for x in noisy) / n

        reference = smooth(20_000, torch.Generator().manual_seed(99))
        sizes = (8, 16, 32, 64, 128)
        paired = {n: sum(relative_error(a, reference) for a in seeded(smooth, n)) / 4 for n in sizes}
        error = sum(relative_error(a, reference) for a in seeded(plain, 64)) / 4
        rows.append(
            (
                "SmoothGrad: paired evaluations for the error of plain noise at 64 / 64",
                evaluations_for(error, paired) / 64,
                0.5,
            )
        )
    return rows


PARTS = {
    "speed": speed,
    "methods": methods,
    "overhead": overhead,
    "datasets": datasets,
    "imports": imports,
    "memory": memory,
    "convergence": convergence,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"any of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown parts {', '.join(sorted(unknown))}")
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    path = HERE / "results.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for part in options.parts or PARTS:
        rows = PARTS[part](device, options.rounds)
        print(f"\n{part} ({device}, {options.threads} thread(s))")
        for label, value, target in rows:
            verdict = "" if target is None else f"   target <= {target:.2f}  {'met' if value <= target else 'MISSED'}"
            print(f"  {label:75s} {value:8.2f}{verdict}")
        made = provenance(f"python benchmarks/attribution.py {part}", 0, device)
        rows = [{"what": w, "ratio": round(v, 4) if v != float("inf") else None, "target": t} for w, v, t in rows]
        results[f"{part}, {device.type}"] = {"rows": rows, **made}
        write_json(path, results)


if __name__ == "__main__":
    main()
