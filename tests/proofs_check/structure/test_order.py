"""Order statistics read off a thermometer: the enclosure holds every error over all sequences of a grid, and is attained."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.network.relu import MeanSumformer
from proofs_check.enclosures.interval import Interval
from proofs_check.structure.order import order_statistic_error
from proofs_check.structure.reading import NotUnderstood, Reading
from tests.proofs_check.structure.handmade import Unit, exact, folds, layer, square, stacked, sumformer
from tests.proofs_check.structure.readings import read

Q = Fraction
N = 4  # cells


def thermometer(n: int, rank: int, wrong: dict[str, float], *, own: bool = False) -> MeanSumformer:
    """Return sum_j clamp(n mean(ramp_j) - rank + 1, 0, 1) / N, with some numbers off."""
    ramps, clamps = list[Unit](), list[Unit]()
    for j in range(N):
        off = wrong if j == 1 else {}
        ramps += [({"x.0": 1.0}, -j / N + off.get("left", 0.0), {f"s{j}": float(N * n)}),
                  ({"x.0": 1.0}, -(j + 1) / N + off.get("right", 0.0), {f"s{j}": -float(N * n) + off.get("ramp", 0.0)})]
        counted = f"s{j}" if own else f"mean.s{j}"
        clamps += [({counted: 1.0}, 1.0 - rank + off.get("start", 0.0), {"o": 1 / N + off.get("height", 0.0)}),
                   ({counted: 1.0}, -float(rank) + off.get("end", 0.0), {"o": -1 / N - off.get("height", 0.0)})]
    return sumformer([layer(*ramps)], [f"s{j}" for j in range(N)], [layer(*clamps)], {"o": 1.0})


def found(network: MeanSumformer, n: int, rank: int) -> Interval:
    reading: Reading = read(network)
    return order_statistic_error(reading, reading.contents["o"], reading.variables["x.0"].content("x.0"), rank, n, 0.0, 1.0)


def errors(network: MeanSumformer, n: int, rank: int, steps: int) -> list[Fraction]:
    grid = [Q(k, steps) for k in range(steps + 1)]
    sequences = np.array(list(itertools.combinations_with_replacement(grid, n)), dtype=object)[..., None]
    values = exact(network, sequences)[:, 0, 0]
    return [value - sorted(row, reverse=True)[rank - 1] for value, row in zip(values, sequences[..., 0].tolist(), strict=True)]


@pytest.mark.parametrize(("n", "rank", "steps"), [(2, 1, 8), (2, 2, 8), (3, 1, 12), (3, 2, 8), (3, 3, 12)])
def test_the_error_is_enclosed_and_both_ends_are_attained(n: int, rank: int, steps: int) -> None:
    network = thermometer(n, rank, {})
    low, high = (float(end) for end in (found(network, n, rank).lower, found(network, n, rank).upper))
    gaps = errors(network, n, rank, steps)
    assert low <= min(gaps)
    assert max(gaps) <= high
    assert (float(min(gaps)), float(max(gaps))) == pytest.approx((low, high), abs=1e-9)


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([(2, 1), (2, 2), (3, 2)]),
       st.dictionaries(st.sampled_from(["left", "right", "ramp", "start", "end", "height"]), st.floats(-0.03, 0.03), min_size=1))
def test_numbers_that_are_off_widen_it_enough(which: tuple[int, int], wrong: dict[str, float]) -> None:
    n, rank = which
    network = thermometer(n, rank, wrong)
    try:
        enclosed = found(network, n, rank)
    except NotUnderstood:
        return
    gaps = errors(network, n, rank, 8)
    assert Q(float(enclosed.lower)) <= min(gaps)
    assert max(gaps) <= Q(float(enclosed.upper))


@pytest.mark.parametrize("moved", [-0.0625, 0.0625])
@pytest.mark.parametrize("rank", [1, 2])
def test_a_ramp_out_of_place_counts_its_move(rank: int, moved: float) -> None:
    network = thermometer(2, rank, {"left": moved, "right": moved})
    clean, enclosed = found(thermometer(2, rank, {}), 2, rank), found(network, 2, rank)
    gaps = errors(network, 2, rank, 32)
    assert Q(float(enclosed.lower)) <= min(gaps)
    assert max(gaps) <= Q(float(enclosed.upper))
    assert not (Q(float(clean.lower)) <= min(gaps) and max(gaps) <= Q(float(clean.upper)))


@pytest.mark.parametrize("rank", [1, 2])
def test_another_rank_is_not_given_the_same_error(rank: int) -> None:
    enclosed = found(thermometer(3, rank, {}), 3, rank + 1)
    gaps = errors(thermometer(3, rank, {}), 3, rank + 1, 8)
    assert Q(float(enclosed.lower)) <= min(gaps)
    assert max(gaps) <= Q(float(enclosed.upper))
    assert max(gaps) > 0.5


def test_a_table_of_the_own_token_counts_no_tokens() -> None:
    with pytest.raises(NotUnderstood, match="reads another form"):
        found(thermometer(2, 1, {}, own=True), 2, 1)


def test_noise_in_what_is_counted_counts() -> None:
    clean = thermometer(2, 1, {})
    chains = [folds({"x.0": 2.0}, 0.0, {"s1": square(g, m)}, f"t{m}") for g, m in ((0.25, 1), (-0.25, 4))]
    waves = [*stacked(*chains), layer(({"x.0": 0.0}, 1.0, {"s1": -63 / 2048}))]
    noisy = MeanSumformer(clean.tokens, (*clean.phi, *waves), clean.pooled, clean.psi, clean.readout, clean.W_out, clean.b_out)
    reading = read(noisy)  # the squares and constants cancel, the waves do not
    assert reading.pooled["mean.s1"].sharp_spread() > 0.002
    enclosed = found(noisy, 2, 1)
    gaps = errors(noisy, 2, 1, 16)
    assert Q(float(enclosed.lower)) <= min(gaps)
    assert max(gaps) <= Q(float(enclosed.upper))
    assert float(enclosed.upper) > float(found(clean, 2, 1).upper) + 0.005
