"""||f - p|| by subdivision: a fitted polynomial is proved within its bound, a worse one is refuted, nothing else is certified."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.errors import BadInput
from constructions.sumformers.fitted import fit
from constructions.targets import expression as ex
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.boxes import Boxes
from proofs_check.checkpoints import resume, store
from proofs_check.deviation import Deviation
from proofs_check.executors import executor
from proofs_check.sup_norm import Search
from tests.proofs_check.counted import Counted
from tests.strategies import samples


def target(text: str, n: int, d: int = 1, domain: str = "0,1") -> Target:
    found = resolve(text, n=n, d=d, domain=domain)
    assert isinstance(found, Target)
    return found


def compared(f: Target, p: Target) -> Deviation:
    return Deviation.of(f.outputs, p.outputs, f.n, f.box.sides)


@cache
def attention() -> tuple[Target, tuple[ex.Expression, ...], Fraction]:
    f = target("f", 3)
    fitted = fit(f, Fraction(1, 100))
    return f, fitted.outputs, fitted.missed


def test_a_fitted_polynomial_is_proved() -> None:
    f, p, missed = attention()
    search = Search.begin(Deviation.of(f.outputs, p, 3, f.box.sides), missed)
    search.run(60)
    assert search.finished
    assert search.witness is None
    assert search.occurs <= search.bound <= missed
    rng = np.random.default_rng(0)
    tokens = rng.random((20_000, 3, 1))
    gap = np.abs(f.numpy(tokens) - replace(f, outputs=p).numpy(tokens)).max()
    assert gap <= search.bound


def test_a_shifted_polynomial_is_refuted_with_a_witness() -> None:
    f, p, missed = attention()
    moved = tuple(ex.Binary("+", part, ex.Number(2 * missed)) for part in p)
    search = Search.begin(Deviation.of(f.outputs, moved, 3, f.box.sides), missed)
    search.run(60)
    assert search.witness is not None
    tokens = np.array([[[float(value) for value in token] for token in search.witness.tokens]])
    gap = np.abs(f.numpy(tokens) - replace(f, outputs=moved).numpy(tokens))[0, search.witness.own, 0]
    assert gap >= float(search.witness.error_at_least) - 1e-12 > float(missed) - 1e-12


@pytest.mark.parametrize(("text", "other"), [("x*mean(y)", "x*mean(y)"), ("(x - mean(y))**2", "x*x - 2*x*mean(y) + mean(y)**2"),
                                             ("max(y)", "order(1)"), ("mean(x*y)", "x*sum(y)/3")])
def test_equal_functions_differ_by_rounding(text: str, other: str) -> None:
    search = Search.begin(compared(target(text, 3), target(other, 3)), Fraction(1, 10**13))
    search.run(20)
    assert search.finished
    assert search.bound <= 1e-13


def test_the_bound_is_sharp_where_the_difference_is_a_number() -> None:
    """|x - (x + 1/4)| = 1/4: certified just above, refuted below, whatever the boxes."""
    f, p = target("x + exp(mean(y))", 2), target("x + exp(mean(y)) + 1/4", 2)
    above, below = (Search.begin(compared(f, p), bound) for bound in (Fraction(2501, 10_000), Fraction(2499, 10_000)))
    above.run(20)
    below.run(20)
    assert above.finished
    assert above.witness is None
    assert below.witness is not None


@pytest.mark.parametrize("text", ["abs(x - mean(y))", "max(y) - x*min(y)", "order(2)*x", "relu(x - 1/3) + minimum(x, mean(y))"])
def test_kinks_are_bounded(text: str) -> None:
    f = target(text, 3)
    zero = target("0*x", 3)
    tokens = np.random.default_rng(1).random((50_000, 3, 1))
    largest = float(np.abs(f.numpy(tokens)).max())
    bound = Fraction(largest) + Fraction(1, 20)
    search = Search.begin(compared(f, zero), bound)
    search.run(60)
    assert search.finished, search.bound
    assert search.witness is None
    assert largest <= search.bound <= bound
    wrong = Search.begin(compared(f, zero), Fraction(largest) * Fraction(9, 10))
    wrong.run(60)
    assert wrong.witness is not None


@pytest.mark.parametrize("text", ["log(x)", "1/(x - mean(y))", "sqrt(x - 1/2)", "0*log(x) + x"])
def test_an_undefined_target_is_never_certified(text: str) -> None:
    f = target("x", 2)
    wrong = Deviation.of(tuple(Target.from_text(text, n=2, box=f.box).outputs), f.outputs, 2, f.box.sides)
    search = Search.begin(wrong, Fraction(100))
    search.run(1)
    assert not np.isfinite(search.bound) or not search.finished


def test_a_narrow_spike_is_not_overlooked() -> None:
    """A bump of height 1/10 and width 1e-5, away from every dyadic point."""
    f, spike = target("x", 2), target("x + 1/10/(1 + ((x - 0.123456789)*1e5)**2)", 2)
    search = Search.begin(compared(f, spike), Fraction(1, 20))
    search.run(20)
    assert search.witness is not None or search.bound >= 0.1


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([(1, 3), (2, 2)]), st.data(), st.integers(0, 10**6), st.floats(1e-6, 1.0))
def test_bounds_hold_on_random_boxes(shape: tuple[int, int], data: st.DataObject, seed: int, width: float) -> None:
    d, n = shape
    first, second = (data.draw(samples(d=d, n=n)) for _ in range(2))
    f, p = target(first.text, n, d), target(second.text, n, d)
    asked, rng = compared(f, p), np.random.default_rng(seed)
    number = int(rng.integers(n))
    lower = rng.random((1, n, d)) * (1 - width)
    lower[..., 0] = -np.sort(-lower[..., 0], axis=1)
    corner = lower.reshape(1, -1)
    box = Boxes(corner, np.minimum(corner + width, 1.0), np.array([np.inf]), np.array([number]), np.array([0]))
    found = asked.judge(box)
    points = lower + (box.upper.reshape(lower.shape) - lower) * rng.random((64, n, d))
    points[..., 0] = -np.sort(-points[..., 0], axis=1)
    gaps = np.abs(f.numpy(points) - p.numpy(points))[:, number, 0]
    assert (gaps <= found.upper[0] * (1 + 1e-9) + 1e-9).all()
    assert found.occurs[0] <= found.upper[0]


def test_other_domains_and_two_outputs() -> None:
    f = target("(x*mean(y), exp(x))", 2, domain="-1/3,2")
    p = target("(x*mean(y) + 1/100, exp(x) - 1/50)", 2, domain="-1/3,2")
    search = Search.begin(compared(f, p), Fraction(21, 1000))
    search.run(20)
    assert search.finished
    assert 0.02 <= search.bound <= 0.021
    below = Search.begin(compared(f, p), Fraction(19, 1000))
    below.run(20)
    assert below.witness is not None
    assert below.witness.output == 1


def test_outputs_must_correspond() -> None:
    f = target("(x, mean(y))", 2)
    with pytest.raises(ValueError, match="cannot be compared"):
        Deviation.of(f.outputs, f.outputs[:1], 2, f.box.sides)


def test_a_stored_search_goes_on_and_processes_find_the_same(tmp_path: Path) -> None:
    f, p, missed = attention()
    asked, file = Deviation.of(f.outputs, p, 3, f.box.sides), tmp_path / "state.npz"
    here, there = (Search.begin(asked, missed) for _ in range(2))

    def stop(state: Search) -> None:
        store(state, file)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        here.run(after_round=stop)
    again = resume(asked, here.limit, file)
    assert not again.finished
    again.run()
    with executor("processes:2") as pool:
        there.run(executor=Counted(pool))
    assert (again.judged, again.bound, again.occurs) == (there.judged, there.bound, there.occurs)
    other = Deviation.of(p, f.outputs, 3, f.box.sides)
    with pytest.raises(BadInput, match="another network, target"):
        resume(other, here.limit, file)
