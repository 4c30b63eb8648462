"""Captum's classes, computed by :mod:`icg`, with Captum's constructors and ``attribute``: what takes those takes these.

As there, the target's raw output is attributed, a certainty channel is one channel more, and random numbers are global
ones. The model is asked in eval mode, and what would make a wrong number in silence is refused. Needs captum.
"""

import inspect
from functools import wraps

import captum.attr as theirs
import torch
from captum.log import log_usage

from .. import attribution, layers, shapley


class Refused(ValueError, AssertionError):
    """What :mod:`icg` refuses, for code that expects Captum's ``AssertionError``."""


def as_of(captums):
    """Give ``function(self, inputs, asked, **rest)`` the signature and defaults of a Captum class's ``attribute``."""
    signature = inspect.signature(captums.attribute)

    def decorate(function):
        @log_usage(part_of_slo=True)  # NoiseTunnel looks behind this
        @wraps(captums.attribute)
        def attribute(*positional, **keywords):
            bound = signature.bind(*positional, **keywords)
            bound.apply_defaults()
            given = bound.arguments
            for name in {"baselines", "feature_mask"} & given.keys():  # Captum's own code makes tuples of one
                if (
                    isinstance(given[name], tuple)
                    and len(given[name]) == 1
                    and isinstance(given["inputs"], torch.Tensor)
                ):
                    given[name] = given[name][0]
            asked = {name: given.pop(name) for name in ("target", "additional_forward_args")}
            try:
                if given.pop("grad_kwargs", None):
                    raise ValueError("expected no grad_kwargs: the methods of icg ask autograd themselves")
                return function(asked=asked | {"output": "logit", "certainty_aware": False}, **given)
            except ValueError as error:
                raise Refused(str(error)) from error

        return attribute

    return decorate


def _tuple(things) -> tuple:
    return things if isinstance(things, tuple) else () if things is None else (things,)


def _each(function, *of_each):
    """``function`` of the members of tuples, or of the tensors themselves."""
    single = not isinstance(of_each[0], tuple)
    return function(*of_each) if single else tuple(function(*each) for each in zip(*of_each, strict=True))


def _delta(method, found, starts, ends, asked):
    return method.compute_convergence_delta(found, starts, ends, asked["target"], asked["additional_forward_args"])


class Saliency(theirs.Saliency):
    @as_of(theirs.Saliency)
    def attribute(self, inputs, abs, asked):
        found = attribution.gradient(self.forward_func, inputs, **asked)
        return _each(torch.abs, found) if abs else found


class InputXGradient(theirs.InputXGradient):
    @as_of(theirs.InputXGradient)
    def attribute(self, inputs, asked):
        found = attribution.gradient(self.forward_func, inputs, **asked)
        return _each(lambda gradient, x: gradient * x.detach(), found, inputs)


class IntegratedGradients(theirs.IntegratedGradients):
    @as_of(theirs.IntegratedGradients)
    def attribute(self, inputs, baselines, return_convergence_delta, asked, **rule):
        rule |= asked | {"multiply_by_inputs": self.multiplies_by_inputs}
        found = attribution.integrated_gradients(self.forward_func, inputs, baselines, **rule)
        return (found, _delta(self, found, baselines, inputs, asked)) if return_convergence_delta else found


class GradientShap(theirs.GradientShap):
    @as_of(theirs.GradientShap)
    def attribute(self, inputs, baselines, n_samples, stdevs, return_convergence_delta, asked):
        if callable(baselines):
            baselines = baselines(*_tuple(inputs) if inspect.signature(baselines).parameters else ())
        asked |= {"samples": baselines, "return_convergence_delta": return_convergence_delta}
        asked["generator"] = torch.Generator().manual_seed(torch.randint(2**62, ()).item())
        tunnel = theirs.NoiseTunnel(_OneSample(self.forward_func, self.multiplies_by_inputs))
        return tunnel.attribute(inputs, nt_samples=n_samples, stdevs=stdevs, **asked)


class _OneSample(theirs.IntegratedGradients):  # one random point for each row; the tunnel has a row for each sample
    @log_usage(part_of_slo=True)
    def attribute(self, inputs, samples, **asked):
        asked |= {"n_steps": 1, "method": "monte_carlo", "multiply_by_inputs": self.multiplies_by_inputs}
        return attribution.expected_gradients(self.forward_func, inputs, samples, **asked)


class LayerIntegratedGradients(theirs.LayerIntegratedGradients):
    @as_of(theirs.LayerIntegratedGradients)
    def attribute(self, inputs, baselines, attribute_to_layer_input, return_convergence_delta, asked, **rule):
        ends, besides = _tuple(inputs), _tuple(asked["additional_forward_args"])
        starts = _tuple(0 if baselines is None else baselines)
        starts = starts * (len(ends) if len(starts) == 1 else 1)
        starts = _each(lambda end, start: torch.as_tensor(start).to(end).expand_as(end), ends, starts)
        of = "input" if attribute_to_layer_input else "output"
        head, activations = layers.from_layer(self.forward_func, self.layer, ends + besides, of=of)
        rule |= asked | {"multiply_by_inputs": self.multiplies_by_inputs, "additional_forward_args": ends + besides}
        found = attribution.integrated_gradients(head, activations, head.activations(starts + besides), **rule)
        result = head.by_layer(found) if isinstance(self.layer, list) else found
        return (result, _delta(self, found, starts, ends, asked)) if return_convergence_delta else result


class LayerGradientXActivation(theirs.LayerGradientXActivation):
    @as_of(theirs.LayerGradientXActivation)
    def attribute(self, inputs, attribute_to_layer_input, asked):
        asked["additional_forward_args"] = _tuple(inputs) + _tuple(asked["additional_forward_args"])
        of, results = "input" if attribute_to_layer_input else "output", []
        for layer in self.layer if isinstance(self.layer, list) else [self.layer]:
            head, activations = layers.from_layer(self.forward_func, layer, asked["additional_forward_args"], of=of)
            found = attribution.gradient(head, activations, **asked)
            results.append(_each(torch.mul, found, activations) if self.multiplies_by_inputs else found)
        return results if isinstance(self.layer, list) else results[0]


def _shapley(self, inputs, baselines, feature_mask, show_progress, asked, n_samples=None, **batch):
    game = shapley.baseline_game(self.forward_func, inputs, baselines, groups=feature_mask, **asked)
    if n_samples is None:
        return game.spread(game.shapley(show_progress), equally=False)
    orders = {"n_permutations": n_samples, "antithetic": n_samples > 2 and n_samples % 2 == 0}  # each with its reverse
    orders |= {"generator": torch.default_generator, "progress": show_progress}
    values, _ = shapley.shapley_sampling(game, game.n, **orders)
    return game.spread(values.view(game.n, -1, 1), equally=False)


class ShapleyValues(theirs.ShapleyValues):
    attribute = as_of(theirs.ShapleyValues)(_shapley)


class ShapleyValueSampling(theirs.ShapleyValueSampling):
    attribute = as_of(theirs.ShapleyValueSampling)(_shapley)
