"""Units between straight lines, on their own: what they do lies within the bound of what is said of them, whatever they are."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from proofs_check.structure.hinge_sums import HingeSum
from proofs_check.structure.interpolated import WEIGHT, _features
from proofs_check.structure.straightening import Features, Seen, Straight, straightened


def features(rng: np.random.Generator, count: int, pieces: int, off: float) -> Features:
    """Draw functions of one variable on pieces between two corners each."""
    at, bent = rng.normal(size=(count, pieces + 1)), off * rng.normal(size=(count, pieces))
    return Features({f"f{k}": k for k in range(count)}, at, bent, off * rng.random((count, pieces)),
                    np.arange(pieces)[:, None] + np.arange(2))


def alone(largest: float) -> Features:
    """Return one feature between 0 and the largest."""
    return Features({"f0": 0}, np.array([[0.0, largest]]), np.zeros((1, 1)), np.zeros((1, 1)), np.array([[0, 1]]))


def hinges(rng: np.random.Generator, cuts: np.ndarray) -> HingeSum:
    """Draw a function that bends at inner cuts alone."""
    jumps = {Fraction(float(c)): Fraction(float(j)) for c, j in zip(cuts[1:-1], rng.normal(size=len(cuts) - 2), strict=True)}
    return HingeSum(Fraction(float(rng.normal())), Fraction(float(rng.normal())), jumps)


def seen(rng: np.random.Generator, cuts: np.ndarray, count: int, weight: float = 1.0) -> Seen:
    """Draw what a unit sees."""
    return Seen(Fraction(weight), None, hinges(rng, cuts), {f"f{k}": Fraction(float(rng.normal())) for k in range(count)})


def pair(rng: np.random.Generator, cuts: np.ndarray, cell: int, given_: Features, tight: bool) -> list[Seen]:
    """Return relu(p + W q - W) and -relu(p - W q), q the step of one cell, p in [0, W] if tight, or a little outside."""
    c = {name: Fraction(float(rng.normal())) for name in given_.row}
    row = np.array([[float(c[name]) for name in given_.row]])
    (low,), (high,) = given_.range(row)
    slack = 1e-9 if tight else -0.05 * (high - low)
    L, W = Fraction(low - slack), Fraction(high - low + 2 * slack)
    a, b = (Fraction(float(end)) for end in cuts[cell:cell + 2])
    step = HingeSum(Fraction(0), Fraction(0), {a: W / (b - a), b: -W / (b - a)})
    one, other, weight = HingeSum(-L - W), HingeSum(-L), Fraction(float(rng.normal()))
    one.add(step, Fraction(1))
    other.add(step, Fraction(-1))
    return [Seen(weight, None, one, dict(c)), Seen(-weight, None, other, dict(c))]


def held(one: Seen, t: Fraction, means: np.ndarray, given_: Features) -> float:
    return float(one.of_t(t)) + sum(float(c) * means[given_.row[name]] for name, c in one.features.items())


def values_of(given_: Features, rng: np.random.Generator, tokens: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw tokens: how much of each corner, and the features at them, off by as much as they may be."""
    piece, s = rng.integers(len(given_.pieces), size=tokens), rng.random(tokens).round(int(rng.integers(1, 4)))
    corners = np.zeros((tokens, given_.at.shape[1]))
    corners[np.arange(tokens), piece], corners[np.arange(tokens), piece + 1] = 1 - s, s
    # one direction of all features: the largest sums are then met
    apart = rng.choice([-1.0, 1.0]) * given_.bent[:, piece]
    apart = apart + rng.choice([-1.0, 1.0], size=(len(given_.row), 1)) * given_.off[:, piece]
    return corners.mean(axis=0), (given_.at @ corners.T + apart * (s > 0) * (s < 1)).mean(axis=1)


def said(found: Straight, cuts: np.ndarray, cell: int, t: float, corners: np.ndarray) -> float:
    q = (t - cuts[cell]) / (cuts[cell + 1] - cuts[cell])
    return float(((1 - q) * found.left[cell] + q * found.right[cell]) @ corners)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 3), st.integers(1, 4), st.sampled_from([0.0, 0.03]), st.booleans())
def test_what_units_do_lies_within_the_bound(seed: int, count: int, cells: int, off: float, tight: bool) -> None:
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.random(cells + 1))
    assume(np.diff(cuts).min() > 0.01)
    given_ = features(rng, count, 3, off)
    straight, units = seen(rng, cuts, count), list[Seen]()
    for cell in range(cells):
        if rng.random() < 0.8:
            units += pair(rng, cuts, cell, given_, tight)
    if rng.random() < 0.5:  # one that never bends, or now and then does
        units.append(seen(rng, cuts, count, float(rng.normal())))
        units[-1].of_t.constant += Fraction(float(rng.choice([-30.0, 0.0, 30.0])))
    found = straightened(straight, units, cuts, given_)
    for _ in range(40):
        corners, means = values_of(given_, rng, int(rng.integers(1, 6)))
        cell = int(rng.integers(cells))
        t = float(cuts[cell] + rng.random() * (cuts[cell + 1] - cuts[cell]))
        units_do = sum(float(one.weight) * max(held(one, Fraction(t), means, given_), 0.0) for one in units)
        gap = abs(held(straight, Fraction(t), means, given_) + units_do - said(found, cuts, cell, t, corners))
        assert gap <= found.apart[cell] * (1 + 1e-9) + 1e-12


def test_the_bound_of_one_pair_is_an_eighth_of_its_width_and_attained() -> None:
    cuts, given_ = np.array([0.0, 1.0]), alone(1.0)
    one = Seen(Fraction(1), None, HingeSum(Fraction(-1), Fraction(1)), {"f0": Fraction(1)})
    other = Seen(Fraction(-1), None, HingeSum(Fraction(0), Fraction(-1)), {"f0": Fraction(1)})
    found = straightened(Seen(), [one, other], cuts, given_)
    assert abs(found.apart[0] - 0.125) < 1e-10
    gap = max(0.0, 0.25 + 0.25 - 1) - max(0.0, 0.25 - 0.25) - said(found, cuts, 0, 0.25, np.array([0.75, 0.25]))
    assert abs(abs(gap) - 0.125) < 1e-10


def test_units_that_do_not_belong_together_are_lines_each() -> None:
    """relu(z) for z in [-1, 1] is (z + 1/2)/2 up to 1/4."""
    cuts, given_ = np.array([0.0, 1.0]), alone(1.0)
    one = Seen(Fraction(1), None, HingeSum(Fraction(-1), Fraction(1)), {"f0": Fraction(1)})
    assert abs(straightened(Seen(), [one], cuts, given_).apart[0] - 0.25) < 1e-10
    other = Seen(Fraction(-3, 4), None, HingeSum(Fraction(0), Fraction(-1)), {"f0": Fraction(1)})
    assert abs(straightened(Seen(), [one, other], cuts, given_).apart[0] - 7 / 16) < 1e-10


def test_a_unit_that_bends_alone_is_completed_by_its_partner() -> None:
    """Fewer values of the feature are met than were built for: relu(p - W q) is 0 for all of them."""
    cuts, given_ = np.array([0.5, 1.0]), alone(0.4)
    one = Seen(Fraction(1), None, HingeSum(Fraction(-1), Fraction(1)), {"f0": Fraction(1)})
    other = Seen(Fraction(-1), None, HingeSum(Fraction(0), Fraction(-1)), {"f0": Fraction(1)})
    found = straightened(Seen(), [one, other], cuts, given_)
    assert found.apart[0] <= 0.125 + 1e-12


def test_sums_of_the_same_units_differ_from_lines_together() -> None:
    """Two features made of the same two units, one twice the other: what they miss cancels where they do."""
    units = [Seen(Fraction(1), "one", HingeSum(Fraction(-1), Fraction(1)), {WEIGHT: Fraction(1)}),
             Seen(Fraction(-1), "other", HingeSum(Fraction(0), Fraction(-1)), {WEIGHT: Fraction(1)})]
    twice = [Seen(2 * unit.weight, unit.unit, unit.of_t, unit.features) for unit in reversed(units)]
    found = _features({"a": (Seen(), units), "b": (Seen(), twice)}, np.array([0.0, 1.0]), (0.0, 1.0))
    assert found.spread(np.array([[2.0, -1.0]])).max() < 1e-12
    assert abs(found.spread(np.array([[2.0, 1.0]])).max() - 0.5) < 1e-10
    others = [Seen(unit.weight, f"not {unit.unit}", unit.of_t, unit.features) for unit in units]
    apart = _features({"a": (Seen(), units), "b": (Seen(), others)}, np.array([0.0, 1.0]), (0.0, 1.0))
    assert abs(apart.spread(np.array([[1.0, -1.0]])).max() - 0.25) < 1e-10


def test_what_bends_by_rounding_alone_is_no_part_of_a_pair() -> None:
    """relu(f0 - 1 + 1e-6) beside a pair costs a millionth."""
    cuts, given_ = np.array([0.0, 1.0]), alone(1.0)
    pair_of = [Seen(Fraction(1), None, HingeSum(Fraction(-1), Fraction(1)), {"f0": Fraction(1)}),
               Seen(Fraction(-1), None, HingeSum(Fraction(0), Fraction(-1)), {"f0": Fraction(1)})]
    third = Seen(Fraction(3), None, HingeSum(Fraction(-1) + Fraction(1, 10**6)), {"f0": Fraction(1)})
    found = straightened(Seen(), [third, *pair_of], cuts, given_)
    assert 0.125 < found.apart[0] < 0.125 + 2e-6
