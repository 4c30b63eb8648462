"""The book's commands: ``python -m icg train | reproduce | explain | info | repository``."""

from pathlib import Path

# What can be trained: the scenario's module, its network in icg.models, and how many of its stages (None: all).
TRAINED = {
    "burnt-snacks": ("burnt_snacks", "BurntSnacksNet", None),
    "burnt-snacks-paper-mix": ("burnt_snacks", "BurntSnacksNet", 1),
    "glyphs": ("glyphs", "GlyphsNet", None),
    "local-minimum": ("local_minimum", "LocalMinimumNet", None),
    "glyphs-certainty": ("certain_glyphs", "CertainGlyphsNet", None),
    "glyphs-gated": ("certain_glyphs", "GatedGlyphsNet", None),
    "mnist": ("mnist", "MnistNet", None),
    "mnist-plain": ("mnist", "MnistPlainNet", None),
    "mnist-small": ("mnist", "MnistSmallNet", None),
    "mnist-in-space": ("mnist_in_space", "MnistInSpaceNet", None),
    "mnist-in-space-plain": ("mnist_in_space", "MnistInSpacePlainNet", None),
    "imagenette-resnet50": ("imagenette", "CertaintyResNet", None),
    "imagenette-resnet18": ("imagenette", "CertaintyResNet", None),
    "imagenette-resnet18-plain": ("imagenette", "CertaintyResNet", None),
}
ALIASES = {"imagenette": "imagenette-resnet50"}


def _burnt_snacks(options) -> dict:
    return _given(n=options.images, agn_steps=options.agn_steps, bf16=options.bf16, methods=_list(options.methods))


def _list(names: str | None) -> tuple[str, ...] | None:
    return tuple(name.strip() for name in names.split(",")) if names else None


def _numbers(names: str | None) -> tuple[int, ...] | None:
    try:
        return tuple(int(name) for name in _list(names)) if names else None
    except ValueError:
        raise ValueError(f"expected numbers with commas between them, got {names!r}") from None


def _given(**options) -> dict:
    return {name: value for name, value in options.items() if value is not None}


def _imagenette(options) -> dict:
    return _given(
        model=ALIASES.get(options.model, options.model),
        n=options.images,
        methods=_list(options.methods),
        bf16=False if options.fp32 else None,
        device=_device(options.device) if options.device else None,
    )


# What can be reproduced: the module, and what its run() is told of the options.
REPRODUCED = {
    "burnt-snacks": ("burnt_snacks.experiment", _burnt_snacks),
    "local-minimum": ("local_minimum.experiment", lambda o: _given(n=o.inputs, n_seeds=o.seeds, steps=o.steps)),
    "certainty-ablation": ("certainty.ablation", lambda o: _given(arms=_list(o.arms), seeds=o.seeds, steps=o.steps)),
    "mnist": ("mnist.experiment", lambda o: _given(n=o.images, parts=_list(o.parts), methods=_list(o.methods))),
    "imagenette": ("imagenette.experiment", _imagenette),
    "mnist-curves": ("mnist.curves", lambda o: _given(seeds=o.seeds, only=_numbers(o.only), steps=o.steps)),
}


def add_commands(commands) -> None:
    """Add the commands to argparse's subparsers; an entry point of ``icg.commands``."""
    from icg.question import OUTPUTS
    from icg_book.explain import METHODS as EXPLAINED

    train = commands.add_parser("train", help="train a model of the book, or go on with it, and write weights and card")
    train.add_argument("name", choices=[*TRAINED, *ALIASES])
    train.add_argument("--steps", type=int, help="optimiser steps of each stage (default: the recipe's)")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--checkpoint", type=Path, help="default: runs/NAME-SEED.pt")
    train.add_argument("--device", default="cpu", help="e.g. cuda; several: torchrun --nproc-per-node N -m icg train …")
    train.set_defaults(run=_train)

    reproduce = commands.add_parser("reproduce", help="measure what a chapter shows, and write data/results/NAME.json")
    reproduce.add_argument("name", choices=list(REPRODUCED))
    reproduce.add_argument(
        "--images", type=int, help="burnt-snacks: images of each class (200); mnist: at most so many; imagenette: 500"
    )
    reproduce.add_argument("--agn-steps", type=int, default=100, help="steps per AGN baseline (default: %(default)s)")
    reproduce.add_argument("--bf16", action="store_true", help="mixed precision where it does no harm: twice as fast")
    reproduce.add_argument("--methods", help="only these, e.g. AGN,EG (several processes can share the work)")
    reproduce.add_argument("--parts", help="mnist: only these, e.g. space (default: those whose weights are there)")
    reproduce.add_argument("--model", help="imagenette: weights to measure (default: imagenette-resnet18)")
    reproduce.add_argument("--device", help="imagenette: where to compute, e.g. cuda (default: cpu)")
    reproduce.add_argument("--fp32", action="store_true", help="imagenette: no mixed precision")
    reproduce.add_argument("--arms", help="certainty-ablation: only these, e.g. uniform,full mix")
    reproduce.add_argument("--inputs", type=int, help="local-minimum: random inputs (default: 1000)")
    reproduce.add_argument("--seeds", type=int, help="trainings, from seed 0 on (default: 5; mnist-curves: 3)")
    reproduce.add_argument("--only", help="mnist-curves: train only these of the seeds, e.g. 1,2")
    reproduce.add_argument("--steps", type=int, help="optimiser steps of each training stage (default: the recipe's)")
    reproduce.set_defaults(run=_reproduce)
    for sub in (train, reproduce):
        sub.add_argument("--data", type=Path, help="folder to write to (default: the checkout's data/)")
        sub.add_argument("--threads", type=int, help="CPU threads; give each of several processes one")

    explain = commands.add_parser("explain", help="say what a network sees in a picture of yours, and draw where")
    explain.add_argument("photo", type=Path, help="a picture file; its middle is looked at")
    explain.add_argument("--out", type=Path, required=True, help="picture to write, e.g. map.png")
    explain.add_argument("--model", default="imagenette-resnet18", help="default: %(default)s; info lists the others")
    explain.add_argument("--method", choices=list(EXPLAINED), default="icg", help="default: %(default)s")
    explain.add_argument("--baseline", default="zero", help="of ig: zero, middle, mean, blurred, … (default: zero)")
    explain.add_argument("--target", help="class to explain (default: the predicted one)")
    explain.add_argument("--output", choices=OUTPUTS, default="probability", help="what is explained of it")
    explain.add_argument("--steps", type=int, help="evaluations of the network (default: the method's)")
    explain.add_argument("--noise", type=float, help="standard deviation; with icg: the mean of five noisy inputs")
    explain.set_defaults(run=_explain)

    info = commands.add_parser("info", help="list models and results, and where they are")
    info.set_defaults(run=_info)

    repository = commands.add_parser("repository", help="rewrite the repository's address everywhere")
    repository.add_argument("url", help="e.g. https://github.com/OWNER/NAME")
    repository.set_defaults(run=_repository)


def _threads(options) -> None:
    import torch

    if options.threads is not None:
        if options.threads < 1:
            raise ValueError(f"expected --threads >= 1, got {options.threads}")
        torch.set_num_threads(options.threads)


def _data_folder(options) -> Path:
    from icg.artifacts import data_folder

    folder = options.data or data_folder()
    if folder is None:
        raise ValueError("expected --data FOLDER: the package is installed without a checkout's data/")
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"expected --data to be a folder, got the file {folder}")
    return folder


def _train(options, command: str) -> int:
    from icg.training import processes_of_torchrun

    _threads(options)
    _data_folder(options)
    with processes_of_torchrun(_device(options.device)) as (device, rank):
        return _train_here(options, command, device, rank)


def _train_here(options, command: str, device, rank: int) -> int:
    from dataclasses import asdict, replace
    from importlib import import_module

    from icg import models
    from icg.training import train
    from icg_book.kit.records import provenance, round_to_half, save_model

    name = ALIASES.get(options.name, options.name)
    module, network, n_stages = TRAINED[name]
    scenario = import_module(f"icg_book.scenarios.{module}")
    first = options.checkpoint or Path("runs") / f"{name}-{options.seed}.pt"
    large = hasattr(scenario, "prepare")  # photographs: they come from the disk, and the weights are large
    if large:
        plan = scenario.prepare(
            name, first.with_suffix(".curve.json"), steps=options.steps, seed=options.seed, device=device
        )
        make_first, stages, evaluate = plan.make, plan.stages, plan.evaluate
    else:
        stages = scenario.STAGES[name] if isinstance(scenario.STAGES, dict) else scenario.STAGES[:n_stages]
        steps = {} if options.steps is None else {"steps": options.steps}
        stages = [(replace(recipe, seed=options.seed, **steps), batch) for recipe, batch in stages]
        make_first, evaluate = getattr(models, network), scenario.evaluate
    model, recipes = None, []
    for number, (recipe, batch, *watch) in enumerate(stages, start=1):
        checkpoint = first if number == 1 else first.with_name(f"{first.stem}-stage{number}{first.suffix}")
        make = make_first if number == 1 else (lambda trained=model: trained)
        watching = dict(zip(("watch", "watch_every"), watch, strict=False))
        model = train(make, batch, recipe, checkpoint=checkpoint, device=device, **watching)
        if model is None:
            if rank == 0:
                print(f"stopped; the same command goes on from {checkpoint}")
            return 130
        recipes.append(asdict(recipe))
    if rank > 0:
        return 0
    if large:
        round_to_half(model)  # what is measured is what is written
    metrics = evaluate(model if large else model.cpu())
    made = provenance(command, options.seed, device)
    path = save_model(
        model, name, _data_folder(options), training={"stages": recipes}, metrics=metrics, made=made, half=large
    )
    print(f"accuracy {metrics['accuracy']['all']:.4f} on {metrics['accuracy']['images']} fresh images; wrote {path}")
    return 0


def _device(name: str):
    import torch

    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"can't use --device {name}: {str(error).splitlines()[0]}") from None
    return torch.device(name)


def _reproduce(options, command: str) -> int:
    from importlib import import_module

    module, settings = REPRODUCED[options.name]
    experiment = import_module(f"icg_book.{module}")
    _threads(options)
    path = experiment.run(
        data_folder=_data_folder(options),
        work_folder=Path("runs") / "reproduce",
        command=command,
        **settings(options),
    )
    print(f"wrote {path}")
    return 0


def _explain(options, command: str) -> int:
    from icg_book.explain import explain

    model = ALIASES.get(options.model, options.model)
    explain(
        options.photo,
        options.out,
        model=model,
        scenario=TRAINED[model][0] if model in TRAINED else None,
        **{name: getattr(options, name) for name in ("method", "baseline", "target", "output", "steps", "noise")},
    )
    return 0


def _info(options, command: str) -> int:
    from icg.artifacts import data_folder, data_url, load_card, shipped

    print(f"data: {data_folder() or data_url()}")
    for name in shipped():
        if name.endswith(".safetensors"):
            card = load_card(Path(name).stem)
            accuracy = card["metrics"]["accuracy"]["all"]
            print(f"model   {card['name']}: {card['architecture']}, {card['parameters']:,} parameters, {accuracy:.2%}")
        elif name.startswith("results/"):
            print(f"result  {Path(name).stem}")
    return 0


def _repository(options, command: str) -> int:
    from icg_book.repository import rewrite

    for path in rewrite(options.url, Path(__file__).resolve().parents[2]):
        print(path)
    return 0
