"""Monomials before phi on boxes: exact values and secants stay inside, whatever the box; and bounds that rest on them hold."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from constructions.domains import Box
from constructions.network.monomials import factors
from constructions.storage import store_mean
from constructions.targets.target import Target
from proofs_check.bends import token_bends
from proofs_check.channels import ambiguity
from proofs_check.enclosures.device_array import on_device, on_host
from proofs_check.exact_phi import ExactPhi
from proofs_check.kernel import Status
from proofs_check.mean_architectures import architecture_steps
from proofs_check.monomials import monomials_on
from proofs_check.on_device import OnDevice
from proofs_check.path_sums import lipschitz_of_phi
from proofs_check.propagate import Parts, linearise
from proofs_check.relaxation import applies
from proofs_check.run_files import RunFiles
from proofs_check.stages import Stages
from proofs_check.structure.reading import NotUnderstood
from proofs_check.sup_norm import Problem
from tests.pretend_device import pretend_device
from tests.proofs_check.odd_networks import exact_output, odd_network
from tests.proofs_check.structure.test_proof import built, proof
from tests.proofs_check.test_bounds_by_fractions import BOXES, DOMAINS, SHAPES, assert_bounded, dot, moved, moves, network_boxes
from tests.proofs_check.test_on_device import CPU, assert_bounds, case_of
from tests.proofs_check.test_propagate import assert_encloses, chain, single
from tests.rounding import Rounding, extreme
from tests.strategies import samples

Own = tuple[int, ...]
# boxes of one sign, with 0 inside, at an end or as the centre, and of width 0; numbers of all sizes
CENTRES = st.one_of(st.sampled_from([0.0, 1.0, -1.0, 0.5, -0.1, 3.0]), st.floats(-4, 4), st.floats(-1e-160, 1e-160))
RADII = st.one_of(st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0]), st.floats(0, 4), st.floats(0, 1e-9))
SHARES = st.one_of(st.sampled_from([Fraction(-1), Fraction(0), Fraction(1)]), st.fractions(-1, 1, max_denominator=64))


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Own], list[float], list[float], list[Fraction]]:
    """Monomials in up to three coordinates, a box, and a point of it."""
    d = draw(st.integers(1, 3))
    own = draw(st.lists(st.lists(st.integers(0, d - 1), min_size=1, max_size=7).map(tuple), min_size=1, max_size=4))
    centre, radii, shares = (draw(st.lists(part, min_size=d, max_size=d)) for part in (CENTRES, RADII, SHARES))
    return own, centre, radii, [Fraction(m) + share * Fraction(r) for m, r, share in zip(centre, radii, shares, strict=True)]


def product(token: list[Fraction], own: Own) -> Fraction:
    return math.prod((token[c] for c in own), start=Fraction(1))


@settings(max_examples=150, deadline=None)
@given(cases())
def test_values_and_secants_are_inside(case: tuple[list[Own], list[float], list[float], list[Fraction]]) -> None:
    own, centre, radii, point = case
    values, slopes = monomials_on(own, np.array([centre]), np.array([radii]))
    middle = [Fraction(m) for m in centre]
    for k, one in enumerate(own):
        assert Fraction(float(values.lower[0, k])) <= product(middle, one) <= Fraction(float(values.upper[0, k]))
        ends = [sorted(Fraction(float(end)) * (p - m) for end in (slope.lower[0, k], slope.upper[0, k]))
                for slope, p, m in zip(slopes, point, middle, strict=True)]
        moved_by = product(point, one) - product(middle, one)
        assert sum(low for low, _ in ends) <= moved_by <= sum(high for _, high in ends)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 9), CENTRES, RADII, SHARES)
def test_the_secant_of_a_power_is_inside(k: int, centre: float, radius: float, share: Fraction) -> None:
    """With one coordinate it is a number, not one of many decompositions."""
    _, (slope,) = monomials_on([(0,) * k], np.array([[centre]]), np.array([[radius]]))
    p, m = Fraction(centre) + share * Fraction(radius), Fraction(centre)
    secant = sum((p**j * m**(k - 1 - j) for j in range(k)), Fraction(0))
    assert Fraction(float(slope.lower[0, 0])) <= secant <= Fraction(float(slope.upper[0, 0]))


@pytest.mark.parametrize(("k", "centre", "radius", "ends"), [
    (1, 0.3, 5.0, (1, 1)), (2, 0.5, 0.25, (0.75, 1.25)), (2, 0.0, 1.0, (-1, 1)), (3, 1.0, 0.5, (1.75, 4.75)),
    (3, -1.0, 0.5, (1.75, 4.75)), (4, 1.0, 2.0, (0, 40)), (3, 0.0, 1.0, (0, 1)), (5, 1.0, 2.0, (0.5, 121))])
def test_secants_are_as_narrow_as_they_can_be_but_for_odd_powers_around_0(k: int, centre: float, radius: float,
                                                                        ends: tuple[float, float]) -> None:
    _, (slope,) = monomials_on([(0,) * k], np.array([[centre]]), np.array([[radius]]))
    assert (slope.lower[0, 0], slope.upper[0, 0]) == pytest.approx(ends, rel=1e-14, abs=1e-14)


@pytest.mark.parametrize(("centre", "radius"), [(1e200, 0.0), (0.0, 1e200), (1.0, math.inf), (math.inf, 1.0), (math.nan, 1.0)])
def test_overflow_is_nothing_known(centre: float, radius: float) -> None:
    values, slopes = monomials_on([(0, 0, 0)], np.array([[centre]]), np.array([[radius]]))
    assert not np.isnan([values.lower, values.upper, slopes[0].lower, slopes[0].upper]).any()
    assert math.isinf(slopes[0].upper[0, 0])


def test_a_device_gets_the_same_numbers() -> None:
    rng = np.random.default_rng(0)
    centres, radii = rng.uniform(-1, 1, (50, 2)), rng.choice([0.0, 1e-9, 0.5], size=(50, 2))
    here, there = (monomials_on(factors(2, 9), *arrays) for arrays in
                   ((centres, radii), [on_device(array, pretend_device()) for array in (centres, radii)]))
    for one, other in zip((here[0], *here[1]), (there[0], *there[1]), strict=True):
        assert np.array_equal(one.lower, on_host(other.lower))
        assert np.array_equal(one.upper, on_host(other.upper))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(SHAPES), st.booleans())
def test_slopes_of_odd_networks_hold_exactly(seed: int, shape: tuple[int, int], extreme: bool) -> None:
    network, own = odd_network(seed, shape[0], 1, extreme=extreme, monomials=3), seed % shape[1]
    assume(not ambiguity(network))
    centres, radii = network_boxes(seed, shape)
    found, rng = linearise(network, own, centres, radii), np.random.default_rng(seed)
    for k in range(BOXES):
        mid, rad, slopes, around = (part[k] for part in (found.centre.mid, found.centre.rad, found.slopes.mid, found.slopes.rad))
        at_centre = exact_output(network, moved(centres[k], [Fraction(0)] * centres[k].size), own)[0]
        if np.isfinite([mid, rad]).all():
            assert abs(at_centre - Fraction(float(mid[0]))) <= Fraction(float(rad[0]))
        for step in moves(radii[k], rng):
            value = exact_output(network, moved(centres[k], step), own)[0]
            if np.isfinite([slopes, around]).all():
                assert abs(value - at_centre - dot(step, slopes[:, 0])) <= dot([abs(way) for way in step], around[:, 0])


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SHAPES), st.data(), st.integers(0, 10**6), st.sampled_from(DOMAINS), st.booleans())
def test_no_error_in_a_box_is_above_its_bound(shape: tuple[int, int], data: st.DataObject, seed: int, domain: str,
                                              extreme: bool) -> None:
    d, n = shape
    f, network = data.draw(samples(d=d, n=n)), odd_network(seed, d, 1, extreme=extreme, monomials=3)
    assume(not ambiguity(network))
    box = Box.parse(domain, d)
    asked = Problem.of(Target.from_text(f.text, n=n, box=box).outputs, network, n, box.sides)
    assert_bounded(asked, f, network, seed % n, np.random.default_rng(seed))


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 1e-15, 1e-3]), st.sampled_from([-1.0, 0.0, 1.0]))
def test_bounds_hold_however_a_device_rounds(seed: int, radius: float, sign: float) -> None:
    target, boxes = case_of(seed, "product", radius)
    network = odd_network(seed, target.d, 1, extreme=False, monomials=3)
    assume(not ambiguity(network))
    problem = Problem.of(target.outputs, network, target.n, target.box.sides)
    with Rounding(extreme(sign)):
        found = OnDevice(problem, CPU).judge(boxes)
    assert_bounds(found, target, problem, boxes)


def test_a_chain_of_folds_does_not_start_in_a_monomial() -> None:
    """It would be taken for 0 before its first layer."""
    plain = single(chain(4, [1.0, 2.0, -1.0, 0.5, 0.25]))
    network = replace(plain, monomials={"t": (0, 0)})
    assert Parts.of(plain).folds
    assert not Parts.of(network).folds
    assert_encloses(network, 0, np.array([[0.3], [0.6]]), np.full((2, 1), 0.2), np.random.default_rng(0))


def test_what_rests_on_layers_alone_does_not_apply() -> None:
    """No lines and no vertices, which know no monomials, and no places where phi bends."""
    for d in (1, 2):
        plain = odd_network(5, d, 1, extreme=False)
        network = replace(plain, monomials={"square": (0, 0)})
        assert Stages.of(plain) is not None
        assert Stages.of(network) is None
        assert not applies(network)
        assert ExactPhi.of(network, 2) is None
        assert not token_bends(network, 0.0, 1.0).size
    assert ambiguity(replace(plain, monomials={"mean.x.0": (0, 0)}, pooled=tuple({*plain.pooled, "x.0"})))


def test_structure_and_architectures_refuse_them() -> None:
    """A stored run has no place for monomials; whoever is handed such a network all the same says that it is not about it."""
    construction, claim = built("own-times-mean", "1e-2")
    network = replace(construction.sumformer, monomials={"square": (0, 0)})
    with pytest.raises(NotUnderstood, match="monomials"):
        proof(construction, claim, network)
    with pytest.raises(ValueError, match="monomials"):
        lipschitz_of_phi(network)
    stored = store_mean(construction.sumformer, (), {})
    description = {"channels": ["1", *network.channels], "pooling_block": len(network.phi)}
    files = RunFiles(stored.arrays, {}, {**stored.network, "architectures": {"transformer": description}}, {}, {})
    step = architecture_steps(files, network, claim, "float64", 1.0)[0]
    assert (step.status, "no block makes the monomials" in step.statement) == (Status.REFUTED, True)


def test_the_problem_is_another_one_with_other_monomials() -> None:
    network = odd_network(5, 2, 1, extreme=False)
    sides, outputs = Box.parse("0,1", 2).sides, Target.from_text("x[0]", n=2, box=Box.parse("0,1", 2)).outputs
    changed = [replace(network, monomials=one) for one in ({}, {"m": (0, 0)}, {"m": (0, 1)}, {"k": (0, 1)},
                                                            {"k": (0, 0), "m": (0, 1)}, {"m": (0, 1), "k": (0, 0)})]
    digests = {Problem.of(outputs, one, 2, sides).digest for one in changed}
    assert len(digests) == len(changed)
