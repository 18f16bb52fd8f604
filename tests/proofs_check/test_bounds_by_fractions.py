"""Bounds of a box against exact errors inside it: any target, networks that no builder makes, boxes of any width, any domain.

f is enclosed by balls of 300 bits and T is computed by fractions, so nothing is forgiven: no tolerance anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx, fmpq
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from constructions.domains import Box
from constructions.network.relu import MeanSumformer
from constructions.targets.target import Target
from proofs_check import relaxation
from proofs_check.boxes import Boxes, Comparison, Judged
from proofs_check.channels import ambiguity
from proofs_check.deviation import Deviation
from proofs_check.enclosures.interval import quiet
from proofs_check.propagate import linearise
from proofs_check.stages import Stages
from proofs_check.sup_norm import Problem
from tests.proofs_check.odd_networks import exact_output, odd_network
from tests.strategies import BALLS, Sample, samples

DOMAINS = ("0,1", "-1,1", "1/3,2/3", "-1/3,2", "1e-9,2e-9", "-1000,1000", "1,1.0000000000000009", "-1e-300,1e-300", "0,1e300",
           "1e6,1000001")
SHAPES = ((1, 2), (1, 3), (2, 2), (3, 2))
BOXES, POINTS = 6, 4
Row = list[list[Fraction]]


def ball(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))


@quiet
def drawn_boxes(asked: Comparison, case: int, rng: np.random.Generator) -> Boxes:
    """The whole domain, and boxes of widths from all of it to a few numbers, some of them thin, some around ties."""
    start, d = asked.start().take(slice(case, case + 1)), asked.d
    shape = (BOXES, start.lower.shape[1])
    share = 10.0 ** rng.uniform(-17, 0, (BOXES, 1)) * rng.choice([0.0, 1e-6, 1.0, 1.0, 1.0], size=shape)
    low = start.lower + (start.upper - start.lower) * rng.random(shape) * (1 - share)
    high = low + (start.upper - start.lower) * share
    low, high = np.clip(low, start.lower, start.upper), np.clip(high, start.lower, start.upper)
    if rng.random() < 0.5:
        low[:, ::d], high[:, ::d] = low[:, :1], high[:, :1]
    low[0], high[0] = start.lower[0], start.upper[0]
    lower, upper, meets = asked.region(case % asked.n).restrict(low, high)
    lower, upper = lower[meets], upper[meets]
    count = len(lower)
    return Boxes(lower, upper, np.full(count, np.inf), np.full(count, case), np.zeros(count, int))


@quiet
def points_of(asked: Comparison, boxes: Boxes, k: int, rng: np.random.Generator) -> Iterator[tuple[bool, Row]]:
    """Points of a box that are sorted and in the domain; the centre first, and whether it is that."""
    low, high = boxes.lower[k], boxes.upper[k]
    for number in range(POINTS + 1):
        share = np.where(rng.random(low.shape) < 0.6, rng.integers(0, 2, low.shape), rng.random(low.shape))
        point = np.where(share == 1, high, np.clip(low + (high - low) * share, low, high)) if number else boxes.centre[k]
        tokens = point.reshape(asked.n, asked.d).copy()
        tokens[:, 0] = -np.sort(-tokens[:, 0])
        exactly = [[Fraction(float(value)) for value in token] for token in tokens]
        inside = (tokens.reshape(-1) >= low).all() and (tokens.reshape(-1) <= high).all()
        if inside and all(a <= value <= b for token in exactly for value, (a, b) in zip(token, asked.sides, strict=True)):
            yield not number, exactly


def assert_bounded(asked: Comparison, f: Sample, other: Sample | MeanSumformer, case: int, rng: np.random.Generator) -> None:
    boxes = drawn_boxes(asked, case, rng)
    if not boxes.bound.size:
        return
    found, own = asked.judge(boxes), case % asked.n
    assert not np.isnan(found.upper).any()
    with ctx.workprec(300):
        for k in range(boxes.bound.size):
            for is_centre, tokens in points_of(asked, boxes, k, rng):
                balls = [[ball(value) for value in token] for token in tokens]
                T = other.value(BALLS, own, balls) if isinstance(other, Sample) else ball(exact_output(other, tokens, own)[0])
                error = abs(f.value(BALLS, own, balls) - T)
                if np.isfinite(found.upper[k]):
                    assert not error > arb(float(found.upper[k]))
                if is_centre and error.is_finite():
                    assert not error < arb(float(found.occurs[k]))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SHAPES), st.data(), st.integers(0, 10**6), st.sampled_from(DOMAINS), st.booleans(),
       st.sampled_from([0, 2, 6]))
def test_no_error_in_a_box_is_above_its_bound(shape: tuple[int, int], data: st.DataObject, seed: int, domain: str, extreme: bool,
                                              deep: int) -> None:
    d, n = shape
    f, network = data.draw(samples(d=d, n=n)), odd_network(seed, d, 1, extreme=extreme)
    assume(not ambiguity(network))
    box = Box.parse(domain, d)
    asked = Problem.of(Target.from_text(f.text, n=n, box=box).outputs, network, n, box.sides)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relaxation, "DEEP", deep)  # linear bounds for shallow networks too
        assert_bounded(asked, f, network, seed % n, np.random.default_rng(seed))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SHAPES), st.data(), st.integers(0, 10**6), st.sampled_from(DOMAINS))
def test_no_difference_of_two_expressions_is_above_its_bound(shape: tuple[int, int], data: st.DataObject, seed: int,
                                                             domain: str) -> None:
    d, n = shape
    f, p = (data.draw(samples(d=d, n=n)) for _ in range(2))
    box = Box.parse(domain, d)
    first, second = (Target.from_text(one.text, n=n, box=box).outputs for one in (f, p))
    assert_bounded(Deviation.of(first, second, n, box.sides), f, p, seed % n, np.random.default_rng(seed))


@quiet
def network_boxes(seed: int, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Centres and radii, (BOXES, n, d), of boxes of all widths; some thin, some around simple numbers, where kinks are."""
    rng, (d, n) = np.random.default_rng(seed), shape
    centres = rng.uniform(-1, 1, (BOXES, n, d))
    centres = np.where(rng.random(centres.shape) < 0.3, np.round(4 * centres) / 4, centres)
    return centres, 10.0 ** rng.uniform(-14, 0.3, (BOXES, 1, 1)) * rng.choice([0.0, 1.0, 1.0, 1e-3], size=centres.shape)


def moves(radii: np.ndarray, rng: np.random.Generator) -> Iterator[list[Fraction]]:
    """Ways from the centre of a box to points of it, exactly: corners, sides and places inside."""
    for _ in range(POINTS):
        share = np.where(rng.random(radii.shape) < 0.6, rng.choice([-1.0, 1.0, 0.0], size=radii.shape),
                         rng.integers(-8, 9, radii.shape) / 8)
        yield [Fraction(float(a)) * Fraction(float(b)) for a, b in zip(share.reshape(-1), radii.reshape(-1), strict=True)]


def moved(centre: np.ndarray, step: list[Fraction]) -> Row:
    values = [Fraction(float(value)) + way for value, way in zip(centre.reshape(-1), step, strict=True)]
    return [values[k: k + centre.shape[1]] for k in range(0, len(values), centre.shape[1])]


def dot(step: list[Fraction], slopes: np.ndarray) -> Fraction:
    return sum((way * Fraction(float(slope)) for way, slope in zip(step, slopes, strict=True)), Fraction(0))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(SHAPES), st.booleans())
def test_slopes_and_lines_of_odd_networks_hold_exactly(seed: int, shape: tuple[int, int], extreme: bool) -> None:
    network, own = odd_network(seed, shape[0], 1, extreme=extreme), seed % shape[1]
    assume(not ambiguity(network))
    centres, radii = network_boxes(seed, shape)
    found, rng = linearise(network, own, centres, radii), np.random.default_rng(seed)
    lines = relaxation.relaxed(network, own, centres, radii)[1] if Stages.of(network) is not None else None
    for k in range(BOXES):
        at_centre = exact_output(network, moved(centres[k], [Fraction(0)] * centres[k].size), own)[0]
        parts = (found.centre.mid, found.centre.rad, found.slopes.mid, found.slopes.rad)
        known = [bool(np.isfinite(part[k]).all()) for part in parts]
        if all(known[:2]):
            assert abs(at_centre - Fraction(float(found.centre.mid[k, 0]))) <= Fraction(float(found.centre.rad[k, 0]))
        for step in moves(radii[k], rng):
            value = exact_output(network, moved(centres[k], step), own)[0]
            if all(known[2:]):
                within = dot([abs(way) for way in step], found.slopes.rad[k, :, 0])
                assert abs(value - at_centre - dot(step, found.slopes.mid[k, :, 0])) <= within
            if lines is not None and np.isfinite(lines.lower[k, 0]):
                assert Fraction(float(lines.lower[k, 0])) + dot(step, lines.lower_slopes[k, :, 0]) <= value
            if lines is not None and np.isfinite(lines.upper[k, 0]):
                assert value <= Fraction(float(lines.upper[k, 0])) + dot(step, lines.upper_slopes[k, :, 0])


def test_a_bound_that_is_too_small_is_noticed() -> None:
    f, network = Sample("x", lambda F, i, t, j: t[i][0]), odd_network(3, 1, 1, extreme=False)
    box = Box.parse("0,1", 1)

    class Half(Problem):
        def judge(self, batch: Boxes) -> Judged:
            found = super().judge(batch)
            return replace(found, upper=found.upper / 2)

    asked = Half(Target.from_text("x", n=2, box=box).outputs, network, 2, box.sides)
    with pytest.raises(AssertionError):
        assert_bounded(asked, f, network, 0, np.random.default_rng(0))
