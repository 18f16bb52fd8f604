"""Scalar feature maps phi: [0, 1] -> R handed to the checker, each with enclosures of its values.

A map is one of the built-in ones, a trained ReLU network (safetensors of ``nn.Sequential``, weights exact), or a Python callable
``package.module:name``, whose float64 values are then assumed to be its exact values and which is assumed to be continuous.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from flint import arb, ctx, fmpq

from constructions.errors import BadInput
from constructions.targets.imported import imported_callable
from constructions.targets.library import names_callable
from proofs_check.exact_values import from_end
from proofs_check.relu_pieces import exact_layers, features_at
from proofs_check.trained import read_stack

Enclosure = tuple[Fraction, Fraction]
PRECISION = 128


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """phi with ``at(t)`` = (lower, upper), containing phi(t); equal ends where the value is exact."""

    name: str
    at: Callable[[Fraction], Enclosure]
    assumption: str = ""


def exact_map(name: str, function: Callable[[Fraction], Fraction]) -> FeatureMap:
    """Return a map with rational values."""
    return FeatureMap(name, lambda t: (function(t), function(t)))


def ball_map(name: str, function: Callable[[arb], arb]) -> FeatureMap:
    """Return a map that is evaluated in balls."""
    def at(t: Fraction) -> Enclosure:
        with ctx.workprec(PRECISION):
            value = function(arb(fmpq(t.numerator, t.denominator)))
            return from_end(value.lower()), from_end(value.upper())
    return FeatureMap(name, at)


def relu_network(name: str, stack: Sequence[tuple[Any, Any]]) -> FeatureMap:
    """Return a ReLU network, linear maps (in, out) and biases with ReLU between them, over the rationals."""
    layers = exact_layers(stack)
    return exact_map(name, lambda t: features_at(layers, t)[0])


def built_in(seed: int = 0) -> list[FeatureMap]:
    """Return continuous maps of several kinds: monotone, not monotone, constant at both ends, ReLU, tanh, GELU."""
    draw = random.Random(seed)
    weights = [(draw.gauss(0, 4), draw.gauss(0, 2), draw.gauss(0, 1)) for _ in range(8)]

    def layer(act: Callable[[arb], arb]) -> Callable[[arb], arb]:
        return lambda t: sum((arb(c) * act(arb(a) * t + arb(b)) for a, b, c in weights), arb(0))

    def kinks(t: Fraction) -> Fraction:
        return sum((Fraction(c) * max(Fraction(a) * t + Fraction(b), Fraction(0)) for a, b, c in weights), Fraction(0))

    return [exact_map("t", lambda t: t), exact_map("t^2", lambda t: t * t),
            exact_map("1 - 3t + 2t^3", lambda t: 1 - 3 * t + 2 * t**3), exact_map("t(1 - t)", lambda t: t * (1 - t)),
            exact_map(f"a ReLU network, seed {seed}", kinks),
            ball_map(f"a tanh network, seed {seed}", layer(arb.tanh)), ball_map(f"a GELU network, seed {seed}", layer(_gelu)),
            ball_map("exp(5t)", lambda t: (5 * t).exp())]


def _gelu(u: arb) -> arb:
    return u * (1 + (u / arb(2).sqrt()).erf()) / 2


def load_feature_map(text: str) -> FeatureMap:
    """Return the map that ``--phi`` names.

    Raises:
        BadInput: no such file or callable, several features, or values that are not finite numbers.
    """
    if names_callable(text) and not Path(text).exists():
        return _callable_map(text)
    stack = read_stack(Path(text))
    inputs, outputs = stack[0][0].shape[0], stack[-1][0].shape[1]
    if (inputs, outputs) != (1, 1):
        raise BadInput(f"{text}: phi maps {inputs} features to {outputs}; the statement is about d = 1 and d' = 1")
    return relu_network(text, stack)


def obstruction_for(text: str) -> str:
    """Return the id of the step that is about this feature map: one feature, or a ReLU network of several.

    Raises:
        BadInput: it cannot be read, or its token has several coordinates.
    """
    if not names_callable(text) or Path(text).exists():
        stack = read_stack(Path(text))
        if stack[0][0].shape[0] != 1:
            raise BadInput(f"{text}: phi reads {stack[0][0].shape[0]} coordinates; the statements are about d = 1")
        if stack[-1][0].shape[1] > 1:
            return "lower-bounds"
    load_feature_map(text)
    return "one-dimensional-latent-transformer"


def _callable_map(text: str) -> FeatureMap:
    function = imported_callable(text.strip(), "--phi")

    def value(t: Fraction) -> Fraction:
        try:
            number = float(_called(function, float(t)))
        except Exception as error:  # the user's function may fail in any way
            raise BadInput(f"--phi {text!r} failed at {float(t)} ({type(error).__name__}: {error})") from None
        if not math.isfinite(number):
            raise BadInput(f"--phi {text!r} is {number} at {float(t)}: expected a finite number")
        return Fraction(number)

    value(Fraction(0))
    return FeatureMap(text, lambda t: (value(t), value(t)),
                      f"{text} is continuous and the float64 values it returns are its exact values")


def _called(function: Callable[[Any], Any], t: float) -> Any:
    """Call a function of a number, or a torch module of a (1, 1) tensor in the dtype of its parameters."""
    if not hasattr(function, "parameters"):
        return function(t)
    import torch

    dtype = next((p.dtype for p in function.parameters()), torch.float64)
    with torch.no_grad():
        return function(torch.tensor([[t]], dtype=dtype)).item()
