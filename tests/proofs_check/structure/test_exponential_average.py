"""Averages with exponential weights read from weights: bounds hold, and what is wrong in a table, a knot or a hint is noticed."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from constructions.domains import Box
from constructions.network.relu import MeanSumformer, ReluLayer
from constructions.targets.target import Target
from proofs_check.kernel import Claim
from proofs_check.structure.proof import Proved, prove
from proofs_check.structure.rounding import Arithmetic, Running
from tests.proofs_check.structure.averaging import Recipe, Writer, built
from tests.proofs_check.structure.handmade import bound_or_infinity, bounded
from tests.proofs_check.structure.test_proof import arrays_of
from tests.proofs_check.structure.test_proof import changed as with_change

PRODUCT = Recipe(lambda v: 4 * v, lambda v: 0 * v, lambda v: v, "4*x[0]*x[1]", "x[0]", step=0.5)
SMALL = Recipe(lambda v: 4 * v, lambda v: -2 * v * v, lambda v: v * v, "-2*(x[0] - x[1])**2", "x[0]**2", hats=5, step=1.0,
               delta=1e-3)
RECIPES = {
    "a small one": SMALL,
    "a product": PRODUCT,
    "differences read without a copy": replace(PRODUCT, copied=False),
    "the larger one is kept": replace(PRODUCT, turned=True),
    "a square": Recipe(lambda v: 16 * v, lambda v: -8 * v * v, lambda v: v * v, "-8*(x[0]-x[1])**2", "x[0]**2", hats=17,
                       step=0.5),
    "both sums start with one knot": replace(PRODUCT, s=lambda v: v * (1.5 - v), values="x[0]*(3/2 - x[0])"),
    "a knot that counts for almost nothing": replace(PRODUCT, s=lambda v: (v - 0.5 + 2.0**-31) ** 2,
                                                     values="(x[0] - 1/2 + 1/2147483648)**2"),
    "what cancels": replace(PRODUCT, k="4*x[0]*x[1] - 7*x[0]**3 + 2"),
    "another interval": Recipe(lambda v: v, lambda v: v**3 / 4, lambda v: -3 * v, "x[0]*x[1] + x[1]**3/4", "-3*x[0]", low=-1.0,
                               hats=17, step=0.5),
}


@cache
def network(name: str) -> tuple[MeanSumformer, dict[str, object], Writer]:
    return built(RECIPES[name])


def proved(name: str, changed: MeanSumformer | None = None, hint: dict[str, object] | None = None) -> Proved:
    recipe, (original, said, _) = RECIPES[name], network(name)
    said = hint or said
    return bounded(changed or original, recipe.text, said["quantities"], said["outputs"][0], every_n=True,
                   domain=f"{recipe.low:g},{recipe.high:g}")


def bound_of(name: str, changed: MeanSumformer | None = None, hint: dict[str, object] | None = None) -> float:
    """Return the proved bound, inf where nothing is proved."""
    return bound_or_infinity(proved, name, changed, hint)


def largest_error(name: str, network: MeanSumformer, count: int = 60) -> float:
    """Evaluate at random sequences, with values at knots, few values apart from each other, and many tokens at one."""
    recipe, rng, worst = RECIPES[name], np.random.default_rng(0), 0.0
    low, high = recipe.low, recipe.high
    for n in (1, 2, 3, 9, 64):
        v = rng.uniform(low, high, (6 + count // n, n, 1))
        v[::3] = low + (high - low) * np.round((v[::3] - low) / (high - low) * (recipe.hats - 1)) / (recipe.hats - 1)
        v[1::3] = np.clip(v[1::3, :1] + rng.normal(size=(len(v[1::3]), n, 1)) * (high - low) / recipe.hats, low, high)
        v[2::6, 1:] = v[2::6, :1]
        x, y = v, v[:, None, :, 0]
        k = x * recipe.p(y) + recipe.r(y)
        weights = np.exp(k - k.max(axis=-1, keepdims=True))
        exact = (weights * recipe.s(y)).sum(axis=-1) / weights.sum(axis=-1)
        worst = max(worst, float(np.abs(network(v)[..., 0] - exact).max()))
    return worst


@pytest.mark.parametrize("name", RECIPES)
def test_an_average_is_proved_and_no_sequence_has_a_larger_error(name: str) -> None:
    found = proved(name)
    assert found.identities
    assert 0.02 * found.bound < largest_error(name, network(name)[0], 600) < found.bound < 0.5
    assert {part for part, _ in found.parts} >= {"exponential-average", "interpolation-error"}


def test_the_bound_is_what_the_theorem_says() -> None:
    """h = 1/8, theta = 1/2, TV = S = 1, all tables a tenth of what straight lines between knots miss."""
    parts = proved("a product").parts.items()
    shares = {what.rpartition(": ")[2]: size for (part, what), size in parts if part == "exponential-average"}
    assert shares["values between knots"] == pytest.approx(math.tanh(1 / 8) / 8)
    assert shares["weights between knots"] == pytest.approx(math.tanh(1 / 128))
    assert shares["what is added before logarithms"] == pytest.approx(1e-6 * sum(math.exp(j / 2) for j in range(9)), rel=0.1)


Layers = tuple[ReluLayer, ...]


def with_unit(layers: Layers, channel: str, which: int, change: Callable[[np.ndarray, np.ndarray, np.ndarray], None]) -> Layers:
    """Change reads, bias and writes of one unit of those that write to a channel."""
    found = []
    for layer in layers:
        if channel in layer.writes:
            column = layer.writes.index(channel)
            (units,) = np.nonzero(layer.W_2[:, column])
            W_1, bias, W_2, unit = layer.W_1.copy(), layer.bias.copy(), layer.W_2.copy(), units[which % len(units)]
            reads, writes = W_1[:, unit].copy(), W_2[unit].copy()
            start = bias[unit:unit + 1].copy()
            change(reads, start, writes)
            W_1[:, unit], bias[unit:unit + 1], W_2[unit] = reads, start, writes
            layer = ReluLayer(layer.reads, W_1, bias, layer.writes, W_2)
        found.append(layer)
    return tuple(found)


def steeper(reads: np.ndarray, bias: np.ndarray, writes: np.ndarray) -> None:
    writes *= 1.25


def moved(reads: np.ndarray, bias: np.ndarray, writes: np.ndarray) -> None:
    bias += 0.125


def other_u(reads: np.ndarray, bias: np.ndarray, writes: np.ndarray) -> None:
    reads[np.argmax(np.abs(reads) % 1 != 0)] += 0.5


def turned(reads: np.ndarray, bias: np.ndarray, writes: np.ndarray) -> None:
    reads *= -1


CHANGES = {
    "a hat that is too high": ("phi", "hat", 3, steeper), "a hat that is moved": ("phi", "side", 5, moved),
    "an entry of a logarithm": ("psi", "log", 4, steeper), "an entry of a softplus": ("psi", "softplus", 2, steeper),
    "a knot of a softplus": ("psi", "softplus", 2, moved), "an entry of a logistic function": ("psi", "sigmoid", 0, steeper),
    "a knot of a logistic function": ("psi", "sigmoid", 0, moved), "another coefficient of u": ("psi", "copy", 3, other_u),
    "sums that have changed places": ("psi", "copy", 3, turned), "a copy that is off": ("psi", "copy", 5, moved),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_changed_is_noticed(change: str) -> None:
    original, _, writer = network("a product")
    part, kind, which, how = CHANGES[change]
    if part == "phi":
        channel = original.pooled[which] if kind == "hat" else original.phi[0].writes[which]
        changed = replace(original, phi=with_unit(original.phi, channel, 0, how))
    else:
        channels = writer.tables[kind]
        unit = {"sigmoid": 32, "softplus": 32, "log": 150}.get(kind, 0)
        changed = replace(original, psi=with_unit(original.psi, channels[which], unit, how))
    error, bound = largest_error("a product", changed, 600), bound_of("a product", changed)
    assert bound > 1.02 * bound_of("a product")
    assert bound >= error


@pytest.mark.parametrize(("field", "text"), [
    ("tree", "4.1*x[0]*x[1]"), ("tree", "4*x[0]*x[1] + x[1]/8"), ("tree", "4*x[0]**2*x[1]"), ("tree", "exp(x[0])*x[1]"),
    ("values", "x[0]**2"), ("values", "x[0] + 1/100")])
def test_another_function_in_the_hint_is_noticed(field: str, text: str) -> None:
    _, hint, _ = network("a product")
    said = copy.deepcopy(hint)
    said["quantities"][1][field] = text
    assert bound_of("a product", hint=said) == math.inf


@pytest.mark.parametrize("seed", range(8))
def test_whatever_weight_is_changed_no_sequence_has_a_larger_error(seed: int) -> None:
    """One to three weights moved by anything from a hair to their size; where something is proved, it holds."""
    original, rng, decided = network("a small one")[0], np.random.default_rng(seed), 0
    for _ in range(8):
        moved = original
        for _ in range(rng.integers(1, 4)):
            places = arrays_of(moved)
            place = places[rng.integers(len(places))]
            array = getattr(moved, place[2]) if place[0] == "readout" else getattr(getattr(moved, place[0])[place[1]], place[2])
            entries = np.argwhere(np.array(array))
            if len(entries):
                entry = tuple(entries[rng.integers(len(entries))])
                moved = with_change(moved, place, entry, float(array[entry] * rng.choice([-1, 1]) * 10.0 ** rng.uniform(-4, 0)))
        bound = bound_of("a small one", moved)
        decided += bound < math.inf
        assert largest_error("a small one", moved) <= bound
    assert decided


def test_as_computed_the_bound_is_that_of_the_numbers_that_are_computed() -> None:
    """Rounding is relative where weights differ by 10^6: the network read with it, and with a coarser format."""
    original, hint, _ = network("a product")
    real = proved("a product")
    for number_format, most in (("float64", 1e-8), ("float32", 0.1)):
        running = Running(real.reading, Arithmetic.of(number_format, 2 * 64 + 60, 1.0))
        running.output_error(original)
        recipe = RECIPES["a product"]
        target = Target.from_text(recipe.text, n=3, box=Box.parse("0,1", 1), name="computed")
        claim = Claim("computed", recipe.text, 3, 1, 1, target.box.sides, ("sumformer",), Fraction(1, 100), every_n=True)
        computed = prove(original, hint, target, claim, roundings=running.roundings)
        assert real.bound <= computed.bound <= real.bound + most
        assert computed.identities
