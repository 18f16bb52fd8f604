"""Averages over two coordinates read from weights: bounds hold, and what is wrong in a hinge, a table or a hint is noticed."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.domains import Box
from constructions.network.relu import MeanSumformer
from constructions.targets.target import Target
from proofs_check.kernel import Claim
from proofs_check.structure.proof import Proved, prove
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.rounding import Arithmetic, Running
from tests.proofs_check.structure.handmade import bound_or_infinity, bounded
from tests.proofs_check.structure.plane_averaging import PlaneRecipe, PlaneWriter, built, nothing
from tests.proofs_check.structure.test_exponential_average import steeper, turned, with_unit
from tests.proofs_check.structure.test_proof import arrays_of
from tests.proofs_check.structure.test_proof import changed as with_change

PRODUCT = PlaneRecipe((lambda v: 3 * v, lambda v: 2 * v), (lambda v: v, nothing), "3*x[0]*x[1] + 2*x[2]*x[3]", "x[0]",
                      "3*x[0]*y[0] + 2*x[1]*y[1]", "y[0]", cells=(4, 3))
SMALL = replace(PRODUCT, cells=(2, 1), step=1.0, delta=1e-3)
RECIPES = {
    "a small one": SMALL,
    "a product": PRODUCT,
    "cut the other way": replace(PRODUCT, turned_cells=1),
    "one cell": replace(PRODUCT, cells=(1, 1)),
    "one cell cut the other way": replace(PRODUCT, cells=(1, 1), turned_cells=1),
    "one row": replace(PRODUCT, cells=(1, 5), copied=False),
    "the larger one is kept": replace(PRODUCT, turned=True),
    "other intervals, curved, falling": PlaneRecipe(
        (lambda v: -v, lambda v: v * v / 2), (lambda v: 1 - 2 * v * v, lambda v: v),
        "7*x[0]**2 + 2*x[1] - (x[2]/2 - x[2])*x[3]**2 - 3/2*x[3]**2 - x[0]*x[1]", "x[1] - 2*x[0]**2 + 1",
        "2*y[0] - x[0]*y[0] + (x[1]-3)*y[1]**2/2", "y[1] - 2*y[0]**2 + 1",
        r=(lambda v: 2 * v, lambda v: -3 * v * v / 2), sides=((-1.0, 0.5), (0.25, 2.0)), cells=(7, 6), turned_cells=1, step=0.25),
    "coordinates exchanged": PlaneRecipe(
        (lambda v: 3 * v, lambda v: -2 * v), (lambda v: -v, lambda v: v / 2), "3*x[0]*x[1] - 2*x[2]*x[3]", "x[1]/2 - x[0]",
        "3*x[0]*y[1] - 2*x[1]*y[0]", "y[0]/2 - y[1]", v=(1, 0), sides=((-1.0, 1.0), (0.0, 1.0)), cells=(5, 4), turned_cells=1),
    "one number meets both": PlaneRecipe(
        (lambda v: 3 * v, lambda v: -2 * v), (nothing, lambda v: v), "3*x[0]*x[1] - 2*x[2]*x[3]", "x[1]",
        "x[1]*(3*y[0] - 2*y[1])", "y[1]", u=(1, 1)),
    "of a mean": PlaneRecipe(
        (lambda v: 3 * v, lambda v: 2 * v), (lambda v: v, nothing), "3*x[0]*x[1] + 2*x[2]*x[3]", "x[0]",
        "3*mean(y[0])*y[0] + 2*mean(y[1])*y[1]", "y[0]", sides=((-0.5, 0.5), (0.0, 1.0)), of_mean=True),
}


@cache
def network(name: str) -> tuple[MeanSumformer, dict[str, Any], PlaneWriter]:
    return built(RECIPES[name])


def proved(name: str, changed: MeanSumformer | None = None, hint: dict[str, Any] | None = None) -> Proved:
    recipe, (original, said, _) = RECIPES[name], network(name)
    said = hint or said
    return bounded(changed or original, recipe.target, said["quantities"], said["outputs"][0], every_n=True,
                   domain=recipe.domain, d=2)


def bound_of(name: str, changed: MeanSumformer | None = None, hint: dict[str, Any] | None = None) -> float:
    """Return the proved bound, inf where nothing is proved."""
    return bound_or_infinity(proved, name, changed, hint)


def largest_error(name: str, network: MeanSumformer, count: int = 60) -> float:
    """Evaluate at random sequences, with values at knots, few values apart from each other, and many tokens at one."""
    recipe, rng, worst = RECIPES[name], np.random.default_rng(0), 0.0
    sides = dict(zip(recipe.v, zip(recipe.sides, recipe.cells, strict=True), strict=True))
    (low, high), cells = np.array([sides[c][0] for c in range(2)]).T, np.array([sides[c][1] for c in range(2)])
    for n in (1, 2, 3, 9, 64):
        X = rng.uniform(low, high, (6 + count // n, n, 2))
        X[::3] = low + (high - low) * np.round((X[::3] - low) / (high - low) * cells) / cells
        X[1::3] = np.clip(X[1::3, :1] + rng.normal(size=X[1::3].shape) * (high - low) / cells, low, high)
        X[2::6, 1:] = X[2::6, :1]
        X[3::6, :, 0] = rng.choice([low[0], high[0]], X[3::6, :, 0].shape)  # at borders
        worst = max(worst, float(np.abs(network(X)[..., 0] - recipe(X)).max()))
    return worst


@pytest.mark.parametrize("name", RECIPES)
def test_an_average_is_proved_and_no_sequence_has_a_larger_error(name: str) -> None:
    found = proved(name)
    assert found.identities
    assert 0.02 * found.bound < largest_error(name, network(name)[0], 600) < found.bound < 2
    assert {part for part, _ in found.parts} >= {"planar-average", "interpolation-error"}


def test_the_bound_is_what_the_theorem_says() -> None:
    """theta = 3/4 on triangles cut across, H = S = 1, values rise by 1/4 on a cell."""
    parts = proved("a product").parts.items()
    shares = {what.rpartition(": ")[2]: size for (part, what), size in parts if part == "planar-average"}
    assert shares["values between knots"] == pytest.approx(math.tanh(3 / 16) / 4)
    assert shares["weights between knots"] == pytest.approx(math.tanh(9 / 512))
    added = 1e-6 * sum(math.exp(3 * i / 4 + 2 * j / 3) for i in range(5) for j in range(4))
    assert shares["what is added before logarithms"] == pytest.approx(added, rel=0.1)
    assert shares["hats"] < 1e-12


def lower(reads: np.ndarray, bias: np.ndarray, writes: np.ndarray) -> None:
    bias -= 0.0625


def away(reads: np.ndarray, bias: np.ndarray, writes: np.ndarray) -> None:
    bias += 0.3


def scaled(reads: np.ndarray, bias: np.ndarray, writes: np.ndarray) -> None:
    reads *= 1.03125


def dropped(reads: np.ndarray, bias: np.ndarray, writes: np.ndarray) -> None:
    writes *= 0


def across(reads: np.ndarray, bias: np.ndarray, writes: np.ndarray) -> None:
    reads[1] *= -1


def other_slope(reads: np.ndarray, bias: np.ndarray, writes: np.ndarray) -> None:
    reads[np.argmax(np.abs(reads) % 1 != 0)] += 0.5


Change = Callable[[np.ndarray, np.ndarray, np.ndarray], None]
CHANGES: dict[str, tuple[str, Any, Change]] = {
    "a hinge of the first coordinate is moved": ("hinge", ("left", 2), lower),
    "a hinge of the second coordinate is moved": ("hinge", ("above", 1), lower),
    "a hinge of both is moved": ("hinge", ("across", 3), lower),
    "a hinge is moved far": ("hinge", ("left", 2), away),
    "a hinge is steeper": ("hinge", ("across", 3), scaled),
    "a hinge is added with more weight": ("hinge", ("left", 2), steeper),
    "a hinge is dropped": ("hinge", ("left", 2), dropped),
    "a hinge of both is dropped": ("hinge", ("across", 4), dropped),
    "a cell is cut the other way": ("hinge", ("across", 3), across),
    "a hinge is turned": ("hinge", ("above", 2), turned),
    "a hat is too high": ("hat", 6, steeper),
    "a hat is not 0 far away": ("hat", 6, away),
    "an entry of a logarithm near 0": ("log", (4, -2), steeper),
    "an entry of a softplus": ("softplus", (2, 32), steeper),
    "an entry of a logistic function": ("sigmoid", (0, 32), steeper),
    "another coefficient of u": ("copy", (3, 0), other_slope),
    "sums that have changed places": ("copy", (3, 0), turned),
    "a copy that is off": ("copy", (5, 0), lower),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_changed_is_noticed(change: str) -> None:
    original, _, writer = network("a product")
    kind, which, how = CHANGES[change]
    if kind in ("hinge", "hat"):
        channel = writer.hinges_of_phi[which] if kind == "hinge" else writer.hats[which]
        changed = replace(original, phi=with_unit(original.phi, channel, 0, how))
    else:
        table, unit = which
        changed = replace(original, psi=with_unit(original.psi, writer.tables[kind][table], unit, how))
    error, bound = largest_error("a product", changed, 600), bound_of("a product", changed)
    assert bound > 1.02 * bound_of("a product")
    assert bound >= error


@pytest.mark.parametrize("hats", [(6, 7), (0, 19), (1, 4)])
def test_hats_that_have_changed_places_are_noticed(hats: tuple[int, int]) -> None:
    original, _, writer = network("a product")
    one, other = (writer.hats[k] for k in hats)
    names = {one: other, other: one}
    last = original.phi[-1]
    changed = replace(original, phi=(*original.phi[:-1], replace(last, writes=tuple(names.get(c, c) for c in last.writes))))
    assert largest_error("a product", changed, 600) <= bound_of("a product", changed)
    assert bound_of("a product", changed) > 1.5 * bound_of("a product")


def test_a_hat_that_occurs_twice_is_refused() -> None:
    original, _, writer = network("a product")
    last = original.phi[-1]
    one, other = (last.writes.index(writer.hats[k]) for k in (6, 7))
    W_2 = last.W_2.copy()
    W_2[:, other] = W_2[:, one]
    changed = replace(original, phi=(*original.phi[:-1], replace(last, W_2=W_2)))
    with pytest.raises(NotUnderstood, match="not every knot has one hat"):
        proved("a product", changed)


def test_two_hats_that_are_added_are_refused() -> None:
    original, _, writer = network("a product")
    last = original.phi[-1]
    one, other = (last.writes.index(writer.hats[k]) for k in (6, 7))
    W_2 = last.W_2.copy()
    W_2[:, one] += W_2[:, other]
    changed = replace(original, phi=(*original.phi[:-1], replace(last, W_2=W_2)))
    with pytest.raises(NotUnderstood, match="one unit for each hat"):
        proved("a product", changed)


@pytest.mark.parametrize("places", [("across", "above"), ("left", "above")])
def test_hinges_of_other_knots_are_noticed(places: tuple[str, str]) -> None:
    """A hat reads the hinge of its neighbour."""
    original, _, writer = network("a product")
    last, kind = original.phi[-1], places[0]
    rows = [last.reads.index(writer.hinges_of_phi[kind, k]) for k in (2, 3)]
    column = int(np.flatnonzero(last.W_2[:, last.writes.index(writer.hats[9])])[0])
    W_1 = last.W_1.copy()
    W_1[rows[0], column], W_1[rows[1], column] = W_1[rows[1], column], W_1[rows[0], column]
    changed = replace(original, phi=(*original.phi[:-1], replace(last, W_1=W_1)))
    assert bound_of("a product", changed) == math.inf


def test_own_coordinates_that_have_changed_places_are_noticed() -> None:
    """What units of psi read of x[0] and x[1]; the weights of the average are then other ones."""
    original, names = network("a product")[0], {"x.0": "x.1", "x.1": "x.0"}
    psi = tuple(replace(layer, reads=tuple(names.get(c, c) for c in layer.reads)) for layer in original.psi)
    changed = replace(original, psi=psi)
    assert bound_of("a product") < largest_error("a product", changed, 600) <= bound_of("a product", changed)


@pytest.mark.parametrize(("field", "text"), [
    ("tree", "3.1*x[0]*x[1] + 2*x[2]*x[3]"), ("tree", "3*x[0]*x[1] + 2*x[2]*x[3] + x[3]/8"), ("tree", "3*x[0]*x[1]"),
    ("tree", "3*x[0]*x[3] + 2*x[2]*x[1]"), ("tree", "2*x[0]*x[1] + 3*x[2]*x[3]"), ("tree", "3*x[2]*x[1] + 2*x[0]*x[3]"),
    ("tree", "3*x[0]*x[1] + 2*x[2]*x[3] + x[1]*x[3]"), ("tree", "3*x[0]**2*x[1] + 2*x[2]*x[3]"),
    ("tree", "3*x[0]*x[1] + 2*abs(x[2]*x[3])"), ("tree", "exp(x[0])*x[1] + x[3]"),
    ("values", "x[1]"), ("values", "x[0]**2"), ("values", "x[0]*x[1]"), ("values", "x[0] + 1/100"), ("values", "x[0] + x[1]/9")])
def test_another_function_in_the_hint_is_noticed(field: str, text: str) -> None:
    said = copy.deepcopy(network("a product")[1])
    said["quantities"][-1][field] = text
    assert bound_of("a product", hint=said) == math.inf


@pytest.mark.parametrize("order", [(2, 1, 0, 3), (0, 3, 2, 1), (2, 3, 0, 1), (0, 1, 2, 1), (0, 1, 0, 3), (1, 0, 3, 3), (0, 1, 2),
                                   (0, 1, 2, 3, 1), (0, 1)])
def test_another_order_of_forms_in_the_hint_is_noticed(order: tuple[int, ...]) -> None:
    """The first two coordinates mean the same forms of the own token here: what is named is checked by algebra as well."""
    said = copy.deepcopy(network("other intervals, curved, falling")[1])
    forms = said["quantities"][-1]["of"]
    said["quantities"][-1]["of"] = [forms[k] for k in order]
    same = [forms[k] for k in order] == forms
    assert (bound_of("other intervals, curved, falling", hint=said) < math.inf) == same


def test_forms_and_coordinates_exchanged_together_are_the_same_average() -> None:
    """Rows and columns change places, the tree with them: the proof does not rely on an order of knots."""
    said = copy.deepcopy(network("a product")[1])
    average = said["quantities"][-1]
    average |= {"of": average["of"][2:] + average["of"][:2], "tree": "2*x[0]*x[1] + 3*x[2]*x[3]", "values": "x[1]"}
    assert bound_of("a product", hint=said) == pytest.approx(bound_of("a product"), rel=1e-9)


def test_a_part_of_the_hint_that_cancels_may_be_anything() -> None:
    said = copy.deepcopy(network("a product")[1])
    said["quantities"][-1]["tree"] += " + x[0]*x[2]**3 - 7"
    assert bound_of("a product", hint=said) == pytest.approx(bound_of("a product"))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("part", "sizes"), [("phi", (-7, -1)), ("any", (-4, 0))])
def test_whatever_weight_is_changed_no_sequence_has_a_larger_error(part: str, sizes: tuple[int, int], seed: int) -> None:
    """One to three weights moved by anything from a hair to their size; where something is proved, it holds."""
    original, rng, decided = network("a small one")[0], np.random.default_rng(seed), 0
    for _ in range(8):
        moved = original
        for _ in range(rng.integers(1, 4)):
            places = [place for place in arrays_of(moved) if part == "any" or place[0] == part]
            place = places[rng.integers(len(places))]
            array = getattr(moved, place[2]) if place[0] == "readout" else getattr(getattr(moved, place[0])[place[1]], place[2])
            entries = np.argwhere(np.array(array))
            if len(entries):
                entry = tuple(entries[rng.integers(len(entries))])
                amount = float(array[entry] * rng.choice([-1, 1]) * 10.0 ** rng.uniform(*sizes))
                moved = with_change(moved, place, entry, amount)
        bound = bound_of("a small one", moved)
        decided += bound < math.inf
        assert largest_error("a small one", moved) <= bound
    assert decided


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.floats(0, 1)] * 2, st.integers(1, 30)), min_size=1, max_size=4))
def test_few_tokens_many_times_have_no_larger_error(tokens: list[tuple[float, float, int]]) -> None:
    X = np.array([[v, w] for v, w, count in tokens for _ in range(count)])[None]
    error = np.abs(network("a product")[0](X)[..., 0] - PRODUCT(X)).max()
    assert error < cached_bound("a product")


@cache
def cached_bound(name: str) -> float:
    return bound_of(name)


@pytest.mark.parametrize("name", ["a product", "other intervals, curved, falling", "of a mean"])
def test_as_computed_the_bound_is_that_of_the_numbers_that_are_computed(name: str) -> None:
    original, hint, _ = network(name)
    real, recipe = proved(name), RECIPES[name]
    for number_format, most in (("float64", 1e-8), ("float32", 0.1)):
        running = Running(real.reading, Arithmetic.of(number_format, 2 * 64 + 60, 1.0))
        running.output_error(original)
        target = Target.from_text(recipe.target, n=3, box=Box.parse(recipe.domain, 2), name="computed")
        claim = Claim("computed", recipe.target, 3, 2, 1, target.box.sides, ("sumformer",), Fraction(1, 100), every_n=True)
        computed = prove(original, hint, target, claim, roundings=running.roundings)
        assert real.bound <= computed.bound <= real.bound + most
        assert computed.identities
