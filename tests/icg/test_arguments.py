"""Shared arguments: declared once, shown by every method, and refused by the method's name when misspelt."""

import inspect
import pydoc
import subprocess
import sys

import pytest
import torch
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

import icg
from icg import arguments
from icg.arguments import DEFAULTS, options_of, shares
from icg.deletion import deletion_curves, insertion_curves
from icg.question import Question

ALL = {
    "target": None,
    "output": "probability",
    "internal_batch_size": None,
    "return_convergence_delta": False,
    "generator": None,
    "progress": False,
    "autocast": None,
    "dtype": None,
    "additional_forward_args": None,
    "certainty_aware": None,
}
MODEL = {"additional_forward_args", "certainty_aware"}
METHODS = {
    icg.gradient: ALL.keys() - {"generator", "return_convergence_delta"},
    icg.smoothgrad: ALL.keys() - {"return_convergence_delta"},
    icg.integrated_gradients: ALL.keys(),
    icg.expected_gradients: ALL.keys(),
    icg.integrated_certainty_gradients: ALL.keys(),
    icg.expected_certainty_gradients: ALL.keys(),
    icg.block_path_certainty_gradients: ALL.keys() - {"return_convergence_delta"},
    icg.random_path_certainty_gradients: ALL.keys() - {"return_convergence_delta"},
    icg.shapley.baseline_game: {"target", "output", "internal_batch_size", "generator"} | MODEL,
    icg.shapley.distribution_game: {"target", "output", "internal_batch_size", "generator"} | MODEL,
    icg.shapley.certainty_game: {"target", "output", "internal_batch_size"} | MODEL,
    deletion_curves: {"target", "output", "internal_batch_size", "progress", "autocast"} | MODEL,
    insertion_curves: {"target", "output", "internal_batch_size", "progress", "autocast"} | MODEL,
}
each = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)


def test_the_declaration_has_ten_arguments_with_their_defaults():
    assert DEFAULTS == ALL


@each
def test_the_signature_shows_each_with_its_default(method):
    parameters = inspect.signature(method).parameters
    assert {name for name in parameters if name in ALL} == set(METHODS[method])
    for name in METHODS[method]:
        assert parameters[name].default == ALL[name] and parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[name].annotation is not inspect.Parameter.empty
    assert not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())


@each
def test_help_shows_each_with_its_default_and_its_meaning(method):
    text = pydoc.plain(pydoc.render_doc(method))
    head, _, body = text.partition("Shared arguments:")
    for name in METHODS[method]:
        assert f"{name}:" in head and f"= {ALL[name]!r}" in head
        (meaning,) = [line for line in body.split("\n") if line.strip().startswith(f"{name}: ")]
        assert len(meaning.strip()) > len(name) + 10
    for name in ALL.keys() - METHODS[method]:
        assert f" {name}: " not in body


def test_tab_completes_them():
    shell = InteractiveShell.instance()
    shell.push({"icg": icg})
    with provisionalcompleter():
        found = {completion.text for completion in shell.Completer.completions("icg.integrated_gradients(m, x, ", 31)}
    assert {f"{name}=" for name in ALL} <= found


@each
def test_a_misspelt_one_is_refused_by_the_methods_name_with_the_nearest(method):
    with pytest.raises(
        TypeError, match=rf"^{method.__name__}\(\) got an unexpected argument 'targte'; did you mean 'target'"
    ):
        method(len, torch.zeros(1, 1, 1), targte=0)


def test_one_like_none_of_them_is_told_what_there_is():
    with pytest.raises(TypeError, match=r"gradient\(\) .* 'xyzzy'; it takes model, inputs, target, output"):
        icg.gradient(len, torch.zeros(1, 1), xyzzy=0)


def test_one_that_the_method_does_not_take_is_refused():
    with pytest.raises(TypeError, match=r"gradient\(\) got an unexpected argument 'generator'"):
        icg.gradient(len, torch.zeros(1, 1), generator=torch.Generator())


def test_bad_options_of_a_shapley_method_are_refused_by_its_own_name():
    with pytest.raises(TypeError, match=r"^bshap\(\) got an unexpected argument 'group'; did you mean 'groups'"):
        icg.bshap(lambda x: x.sum(1), torch.zeros(1, 2), group=None)
    with pytest.raises(TypeError, match=r"^certainty_shap\(\) .* 'n_samples'"):
        icg.certainty_shap(len, torch.zeros(1, 2, 2), n_samples=3)


def test_what_is_given_reaches_the_question():
    given = {"target": 1, "output": "logit", "internal_batch_size": 3, "dtype": torch.float64}
    question = Question(lambda x: x, torch.zeros(2, 2), **given)
    for name in ALL.keys() - {"generator"}:
        assert getattr(question, name) == given.get(name, ALL[name])


def test_two_decorators_keep_the_functions_own_arguments_first():
    @shares("target")
    def source(model, *, groups=1, **shared):
        return groups, shared

    @options_of(source)
    def method(model, *, progress=False, **options):
        "Do it."
        return source(model, **options)

    assert str(inspect.signature(method)).startswith("(model, *, progress=False, groups=1, target: int |")
    assert method(0, groups=5, target=2) == (5, {"target": 2}) and method.__doc__.startswith("Do it.")


def test_it_works_where_python_drops_docstrings():
    code = "import icg, torch; print(icg.gradient(lambda x: x.sum(1), torch.ones(1, 2)).tolist())"
    run = subprocess.run([sys.executable, "-OO", "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "[[1.0, 1.0]]", run.stderr


# ---- random numbers


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_random_numbers_are_those_of_the_generator_in_shape_and_dtype(dtype):
    like = torch.zeros(2, 3, dtype=dtype)
    found = arguments.random_like(torch.rand, like, torch.Generator().manual_seed(4))
    assert found.equal(torch.rand(2, 3, generator=torch.Generator().manual_seed(4), dtype=dtype))


def test_without_a_generator_the_seed_is_zero_and_the_global_one_stays():
    before = torch.get_rng_state()
    assert torch.rand(3, generator=arguments.generator_or_new(None)).equal(
        torch.rand(3, generator=torch.Generator().manual_seed(0))
    )
    assert torch.get_rng_state().equal(before)
