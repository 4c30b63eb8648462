"""The book's commands: ``python -m icg train | reproduce | explain | attribute | info | repository``."""

import os
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import torch

from icg import artifacts
from icg.arguments import OUTPUTS
from icg.training import processes_of_torchrun
from icg_book.attribute import BATCH, attribute_folder
from icg_book.explain import explain
from icg_book.kit.contenders import KEYS
from icg_book.kit.records import provenance, round_to_half, save_model
from icg_book.kit.trainings import Interrupted, train_stages
from icg_book.own_network.training import train_on_folder
from icg_book.repository import rewrite
from icg_book.scenarios import TRAINED, scenario_of

ALIASES = {"imagenette": "imagenette-resnet50"}


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(name) for name in _names(text))
    except ValueError:
        raise ValueError(f"expected numbers with commas between them, got {text!r}") from None


def _device(name: str) -> torch.device:
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"can't use --device {name}: {str(error).splitlines()[0]}") from None
    return torch.device(name)


# What can be reproduced: the module, and which options its run() is told, by the names that they have there. Modules
# are imported when they are run: some are slow to import.
REPRODUCED = {
    "burnt-snacks": (
        "burnt_snacks.experiment",
        {"n": "images", "agn_steps": "agn_steps", "bf16": "bf16", "methods": "methods"},
    ),
    "local-minimum": ("local_minimum.experiment", {"n": "inputs", "n_seeds": "seeds", "steps": "steps"}),
    "certainty-ablation": ("certainty.ablation", {"arms": "arms", "seeds": "seeds", "steps": "steps"}),
    "mnist": ("mnist.experiment", {"n": "images", "parts": "parts", "methods": "methods"}),
    "imagenette": (
        "imagenette.experiment",
        {"model": "model", "n": "images", "methods": "methods", "bf16": "fp32", "device": "device"},
    ),
    "mnist-curves": ("mnist.curves", {"seeds": "seeds", "only": "only", "steps": "steps"}),
    "fairness": (
        "fairness.experiment",
        {
            "n": "images",
            "parts": "parts",
            "model": "model",
            "methods": "methods",
            "device": "device",
            "write": "no_write",
        },
    ),
}
OF_IMAGES = ("images", "arch", "start", "size", "batch_size", "lr", "no_mirror", "skip_broken", "out")  # of train
# Options whose text means something else.
READ = {
    **dict.fromkeys(("methods", "parts", "arms"), _names),
    "only": _numbers,
    "model": lambda name: ALIASES.get(name, name),
    "device": _device,
    **dict.fromkeys(("fp32", "no_write"), lambda given: not given),
}


def add_commands(commands) -> None:
    """Add the commands to argparse's subparsers; an entry point of ``icg.commands``."""
    train = commands.add_parser(
        "train", help="train a model of the book, or one on pictures of yours, or go on with it; write weights and card"
    )
    train.add_argument("name", nargs="?", choices=[*TRAINED, *ALIASES], help="a model of the book")
    own = train.add_argument_group("a network on pictures of yours")
    own.add_argument("--images", type=Path, metavar="FOLDER", help="has train/CLASS/… and val/CLASS/…")
    own.add_argument(
        "--arch", metavar="NAME", help="a classifier of torchvision, e.g. resnet18, vit_small, or timm/NAME"
    )
    own.add_argument("--start", type=Path, metavar="FILE", help="weights of the plain network to begin with")
    own.add_argument("--size", type=int, help="side of the images in pixels (default: 96)")
    own.add_argument("--batch-size", type=int, help="default: 64")
    own.add_argument("--lr", type=float, help="default: 1e-3; with --start 3e-4")
    own.add_argument("--no-mirror", action="store_true", default=None, help="for digits, text and the like")
    own.add_argument("--skip-broken", action="store_true", default=None, help="do without files that can't be read")
    own.add_argument("--out", type=Path, metavar="FILE", help="default: networks/FOLDER-ARCH.safetensors")
    train.add_argument("--steps", type=int, help="optimiser steps of each stage (default: the recipe's)")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--checkpoint", type=Path, help="default: runs/NAME-SEED.pt; with --images: beside --out")
    train.add_argument("--device", default="cpu", help="e.g. cuda; several: torchrun --nproc-per-node N -m icg train …")
    train.set_defaults(run=_train)

    reproduce = commands.add_parser("reproduce", help="measure what a chapter shows, and write data/results/NAME.json")
    reproduce.add_argument("name", choices=list(REPRODUCED))
    reproduce.add_argument(
        "--images",
        type=int,
        help="burnt-snacks: images of each class (200); mnist, fairness: at most so many; imagenette: 500",
    )
    reproduce.add_argument("--agn-steps", type=int, default=100, help="steps per AGN baseline (default: %(default)s)")
    reproduce.add_argument(
        "--bf16", action="store_true", default=None, help="mixed precision where it does no harm: twice as fast"
    )
    reproduce.add_argument("--methods", help="only these, e.g. AGN,EG (several processes can share the work)")
    reproduce.add_argument(
        "--parts", help="mnist, fairness: only these, e.g. space (default: those whose weights are there)"
    )
    reproduce.add_argument(
        "--model", help="weights to measure (imagenette: imagenette-resnet18, if not given; fairness: all)"
    )
    reproduce.add_argument("--device", help="imagenette, fairness: where to compute, e.g. cuda (default: cpu)")
    reproduce.add_argument(
        "--no-write", action="store_true", default=None, help="fairness: share the work, and write no result"
    )
    reproduce.add_argument("--fp32", action="store_true", default=None, help="imagenette: no mixed precision")
    reproduce.add_argument("--arms", help="certainty-ablation: only these, e.g. uniform,full mix")
    reproduce.add_argument("--inputs", type=int, help="local-minimum: random inputs (default: 1000)")
    reproduce.add_argument("--seeds", type=int, help="trainings, from seed 0 on (default: 5; mnist-curves: 3)")
    reproduce.add_argument("--only", help="mnist-curves: train only these of the seeds, e.g. 1,2")
    reproduce.add_argument("--steps", type=int, help="optimiser steps of each training stage (default: the recipe's)")
    reproduce.set_defaults(run=_reproduce)
    for sub in (train, reproduce):
        sub.add_argument("--data", type=Path, help="folder to write to (default: the checkout's data/)")
        sub.add_argument("--threads", type=int, help="CPU threads; give each of several processes one")

    picture = commands.add_parser("explain", help="say what a network sees in a picture of yours, and draw where")
    picture.add_argument("photo", type=Path, help="a picture file; its middle is looked at")
    picture.add_argument("--out", type=Path, required=True, help="picture to write, e.g. map.png")
    picture.set_defaults(run=_explain)

    many = commands.add_parser(
        "attribute", help="maps of all pictures in a folder; start it several times, or by torchrun, to share the work"
    )
    many.add_argument("folder", type=Path, help="of picture files, at any depth; the middle of each is looked at")
    many.add_argument(
        "--out", type=Path, required=True, help="folder for maps and index.json; goes on with what is there"
    )
    many.set_defaults(run=_attribute)
    for sub in (picture, many):
        sub.add_argument(
            "--model",
            default="imagenette-resnet18",
            help="default: %(default)s; info lists the others. Or a .safetensors file that `train --images` wrote",
        )
        sub.add_argument("--method", choices=KEYS, default="icg", help="default: %(default)s")
        sub.add_argument("--baseline", default="zero", help="of ig: zero, middle, mean, blurred, … (default: zero)")
        sub.add_argument("--target", help="class to explain (default: the predicted one)")
        sub.add_argument("--output", choices=OUTPUTS, default="probability", help="what is explained of it")
        sub.add_argument("--steps", type=int, help="evaluations of the network (default: the method's)")
        sub.add_argument("--noise", type=float, help="standard deviation; with icg: the mean of five noisy inputs")
    many.add_argument("--overlay", action="store_true", help="draw each map over its picture, too, into OUT/overlays")
    many.add_argument("--blurred", action="store_true", help="with --overlay: draw the maps blurred")
    many.add_argument("--skip-broken", action="store_true", help="do without files that can't be read")
    many.add_argument("--batch-size", type=int, default=BATCH, help="pictures at once (default: %(default)s)")
    many.add_argument("--workers", type=int, default=0, help="processes that decode pictures (default: %(default)s)")
    many.add_argument("--device", default="cpu", help="e.g. cuda; with torchrun each process takes its own")
    many.add_argument("--threads", type=int, help="CPU threads; give each of several processes one")

    info = commands.add_parser("info", help="list models and results, and where they are")
    info.set_defaults(run=_info)

    repository = commands.add_parser("repository", help="rewrite the repository's address everywhere")
    repository.add_argument("url", help="e.g. https://github.com/OWNER/NAME")
    repository.set_defaults(run=_repository)


def _threads(options) -> None:
    if options.threads is not None:
        if options.threads < 1:
            raise ValueError(f"expected --threads >= 1, got {options.threads}")
        torch.set_num_threads(options.threads)


def _data_folder(options) -> Path:
    folder = options.data or artifacts.data_folder()
    if folder is None:
        raise ValueError("expected --data FOLDER: the package is installed without a checkout's data/")
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"expected --data to be a folder, got the file {folder}")
    return folder


def _train(options, command: str) -> int:
    _threads(options)
    given = [f"--{name.replace('_', '-')}" for name in OF_IMAGES if getattr(options, name) is not None]
    if options.images is not None:
        if options.name or options.data:
            raise ValueError(f"expected --images FOLDER alone, got {options.name or '--data'} too")
        return _train_on_images(options, command)
    if options.name is None:
        raise ValueError("expected the name of a model of the book, or --images FOLDER --arch NAME")
    if given:
        raise ValueError(f"{given[0]} is for pictures of yours: expected --images FOLDER")
    _data_folder(options)
    with processes_of_torchrun(_device(options.device)) as (device, rank):
        return _train_here(options, command, device, rank)


def _train_on_images(options, command: str) -> int:
    if options.arch is None:
        raise ValueError("expected --arch NAME, e.g. resnet18")
    out = options.out or Path("networks") / f"{options.images.resolve().name}-{options.arch.replace('/', '-')}"
    if out.suffix != ".safetensors" and not out.is_dir():
        out = out.with_name(f"{out.name}.safetensors")
    chosen = {name: getattr(options, name) for name in ("steps", "size", "batch_size", "lr", "start", "checkpoint")}
    try:
        metrics = train_on_folder(
            options.images,
            out,
            arch=options.arch,
            **{name: value for name, value in chosen.items() if value is not None or name == "steps"},
            seed=options.seed,
            mirrored=not options.no_mirror,
            skip_broken=bool(options.skip_broken),
            device=_device(options.device),
            join=lambda: processes_of_torchrun(options.device),
            command=command,
        )
    except Interrupted as stop:
        print(f"stopped; the same command goes on from {stop.checkpoint}")
        return 130
    if metrics is not None:
        found, absence = metrics["accuracy"], metrics["absence"]["max"]
        print(f"accuracy {found['all']:.4f} on {found['images']} validation pictures; at certainty 0 a probability")
        print(
            f"differs by up to {absence:.4f}, and is {metrics['neutrality']['all']:.4f} off its frequency; wrote {out}"
        )
    return 0


def _train_here(options, command: str, device, rank: int) -> int:
    name = ALIASES.get(options.name, options.name)
    training = scenario_of(name).TRAININGS[name]
    checkpoint = options.checkpoint or Path("runs") / f"{name}-{options.seed}.pt"
    curve = checkpoint.with_suffix(".curve.json")
    plan = training.plan(steps=options.steps, seed=options.seed, device=device, curve=curve)
    try:
        model = train_stages(plan.make, plan.stages, checkpoint, device=device)
    except Interrupted as stop:
        if rank == 0:
            print(f"stopped; the same command goes on from {stop.checkpoint}")
        return 130
    if rank > 0:
        return 0
    if training.half:
        round_to_half(model)  # what is measured is what is written
    metrics = plan.evaluate(model)
    path = save_model(
        model,
        name,
        _data_folder(options),
        training={"stages": [asdict(stage.recipe) for stage in plan.stages]},
        metrics=metrics,
        made=provenance(command, options.seed, device),
        half=training.half,
    )
    print(f"accuracy {metrics['accuracy']['all']:.4f} on {metrics['accuracy']['images']} fresh images; wrote {path}")
    return 0


def _reproduce(options, command: str) -> int:
    module, arguments = REPRODUCED[options.name]
    experiment = import_module(f"icg_book.{module}")
    _threads(options)
    folder, given = _data_folder(options), {}
    for argument, name in arguments.items():
        value = getattr(options, name)
        if value not in (None, ""):
            given[argument] = READ[name](value) if name in READ else value
    path = experiment.run(data_folder=folder, work_folder=Path("runs") / "reproduce", command=command, **given)
    print(f"wrote {path}" if given.get("write", True) else f"kept in {path}: no result is written")
    return 0


def _explain(options, command: str) -> int:
    explain(options.photo, options.out, **_chosen(options))
    return 0


def _chosen(options) -> dict:
    """What is asked of one picture, or of many."""
    names = ("method", "baseline", "target", "output", "steps", "noise")
    return {"model": ALIASES.get(options.model, options.model), **{name: getattr(options, name) for name in names}}


def _attribute(options, command: str) -> int:
    _threads(options)
    device = _device(options.device)
    if device.type == "cuda" and "LOCAL_RANK" in os.environ:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    names = ("overlay", "blurred", "skip_broken", "batch_size", "workers")
    more = {name: getattr(options, name) for name in names}
    index = attribute_folder(options.folder, options.out, device=device, **_chosen(options), **more)
    if os.environ.get("RANK", "0") == "0":
        print(f"{index['inputs']} maps are in {options.out}")
    return 0


def _info(options, command: str) -> int:
    print(f"data: {artifacts.data_folder() or artifacts.data_url()}")
    for name in artifacts.shipped():
        if name.endswith(".safetensors"):
            card = artifacts.load_card(Path(name).stem)
            accuracy = card["metrics"]["accuracy"]["all"]
            print(f"model   {card['name']}: {card['architecture']}, {card['parameters']:,} parameters, {accuracy:.2%}")
        elif name.startswith("results/"):
            print(f"result  {Path(name).stem}")
    return 0


def _repository(options, command: str) -> int:
    for path in rewrite(options.url, Path(__file__).resolve().parents[2]):
        print(path)
    return 0
