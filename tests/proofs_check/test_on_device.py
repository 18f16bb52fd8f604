"""Bounds found on a device: the same code, no array left behind, and sound for every rounding that a GPU may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.errors import Refused
from constructions.targets.target import Target
from proofs_check import device_arithmetic, relaxation
from proofs_check.boxes import Boxes, Comparison, Judged
from proofs_check.deviation import Deviation
from proofs_check.enclosures import functions
from proofs_check.enclosures import interval as iv
from proofs_check.enclosures.device_array import DeviceArray, on_device, on_host
from proofs_check.enclosures.interval import Interval
from proofs_check.kernel import Certificate, Refuted, Status
from proofs_check.on_device import OnDevice
from proofs_check.subdivision import certify_by_subdivision, problem_of
from proofs_check.sup_norm import Problem, Search
from proofs_check.witness import in_balls
from tests.pretend_device import aten, pretend_device, rounding
from tests.proofs_check.test_interval import BINARY, UNARY, boxes
from tests.proofs_check.test_propagate import random_network
from tests.proofs_check.test_relaxation import deep as deep_network
from tests.proofs_check.test_sup_norm import TARGETS, stored
from uat.request import Request

CPU = torch.device("cpu")
DEEP = ((1, 5, 5, 5, 3), (4, 5, 5, 5, 5, 1))


def there(array: Any) -> Any:
    return on_device(np.asarray(array), pretend_device())


# -- arrays ------------------------------------------------------------------------------------------------------------------

A = np.array([[1.5, -2.0, np.inf], [0.0, np.nan, 5e-324]])
B = np.array([[3.0, 0.1, -1.0], [-0.0, 2.0, 7.0]])
CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "a + b": lambda a, b: a + b, "a - 0.1": lambda a, b: a - 0.1, "3 / b": lambda a, b: 3 / b, "b / 3": lambda a, b: b / 3,
    "-a": lambda a, b: -a, "abs": lambda a, b: abs(a), "2 * a": lambda a, b: 2 * a, "a < b": lambda a, b: a < b,
    "0 <= a": lambda a, b: a >= 0, "mask & mask": lambda a, b: (a > 0) & ~(b > 1) | (b == 2.0),
    "mask * 0.1": lambda a, b: (a > 0) * 0.1, "where": lambda a, b: np.where(a > 0, 1.0, 0.0),
    "where, number": lambda a, b: np.where(b > 0, b, -np.inf), "maximum": lambda a, b: np.maximum(a, 0.0),
    "fmin": lambda a, b: np.fmin(a, b), "clip": lambda a, b: np.clip(a, -1.0, 1.0), "floor": lambda a, b: np.floor(b),
    "to int": lambda a, b: np.floor(b).astype(int) * 2, "isfinite": lambda a, b: np.isfinite(a).all(axis=1),
    "sum": lambda a, b: b.sum(axis=1), "sum, kept": lambda a, b: b / b.sum(axis=1, keepdims=True), "max": lambda a, b: b.max(axis=0),
    "min": lambda a, b: a.min(axis=1), "any": lambda a, b: (b > 2).any(axis=0), "product": lambda a, b: b @ B.T,
    "product from the left": lambda a, b: B.T @ b, "einsum": lambda a, b: np.einsum("ru,ru->r", b, b),
    "concatenate": lambda a, b: np.concatenate([a, B], axis=-1), "stack": lambda a, b: np.stack([a, b], axis=1),
    "zeros": lambda a, b: np.zeros_like(a) + np.zeros_like(b, shape=(2, 3), dtype=bool), "ones": lambda a, b: np.ones_like(a),
    "full": lambda a, b: np.full_like(a, -np.inf, shape=(4,)), "broadcast": lambda a, b: np.broadcast_to(b[0], (2, 3)),
    "moveaxis": lambda a, b: np.moveaxis(b, 1, 0), "swapaxes": lambda a, b: np.swapaxes(b, 0, 1), "T": lambda a, b: b.T,
    "pad": lambda a, b: np.pad(b, [(0, 0), (0, 2)]), "nan_to_num": lambda a, b: np.nan_to_num(a, nan=np.inf, posinf=np.inf),
    "reduceat": lambda a, b: np.add.reduceat(np.abs(b), [0, 1], axis=0), "reshape": lambda a, b: b.reshape(3, -1),
    "columns": lambda a, b: b[:, [2, 0]], "column": lambda a, b: b[..., 1], "no columns": lambda a, b: b[:, []],
    "new axis": lambda a, b: b[:, None, :] * b[None], "row by row": lambda a, b: sum(b), "by numbers": lambda a, b: b[np.array([1, 0])],
    "by its own numbers": lambda a, b: b[np.floor(b[:, 0] / 3).astype(int)], "mixed index": lambda a, b: b[None][:, 1, [2, 0]],
    "assigned": lambda a, b: _assigned(b.copy()),
}


def _assigned(array: Any) -> Any:
    array[:, [0, 2]] = array[:, [1, 1]]
    array[0] += 1
    array[:, 1] = 0.25
    return array


@pytest.mark.parametrize("call", sorted(CALLS))
def test_numpy_does_there_what_it_does_here(call: str) -> None:
    with np.errstate(all="ignore"):
        wanted, found = CALLS[call](A, B), CALLS[call](there(A), there(B))
    assert isinstance(found, DeviceArray)
    assert on_host(found).dtype == wanted.dtype
    assert np.array_equal(on_host(found), wanted, equal_nan=wanted.dtype.kind == "f")


@pytest.mark.parametrize("call", [
    lambda a: np.asarray(a), lambda a: np.cumsum(a), lambda a: np.power(a, 3.0), lambda a: np.add.reduce(a), lambda a: np.sinh(a),
    lambda a: np.zeros(3) + np.array(["x"], dtype=object) * a, lambda a: np.zeros((2, 3)).__setitem__(0, a[0])])
def test_what_is_in_no_table_is_an_error_and_nothing_is_copied_back(call: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        call(there(B))


def test_an_array_that_may_change_is_copied_again() -> None:
    changed, kept = np.array([1.0, 2.0]), np.array([1.0, 2.0])
    kept.flags.writeable = False
    array = there([0.0, 0.0])
    first = array + changed, array + kept
    changed[0] = 5.0
    assert on_host(first[0]).tolist() == [1.0, 2.0]
    assert on_host(array + changed).tolist() == [5.0, 2.0]
    assert on_host(array + kept).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("name", sorted(UNARY))
def test_functions_of_intervals_are_those_of_numpy_up_to_their_slack(name: str) -> None:
    a, _ = boxes(1, 400)
    here, found = functions.FUNCTIONS[name](a), functions.FUNCTIONS[name](Interval(there(a.lower), there(a.upper)))
    with np.errstate(all="ignore"):
        apart = [np.abs(x - on_host(y)) - 40 * 2.0**-52 * np.abs(x) for x, y in ((here.lower, found.lower), (here.upper, found.upper))]
    assert all((np.isnan(one) | (one <= 1e-307)).all() for one in apart)


@pytest.mark.parametrize("name", sorted(BINARY))
def test_operations_of_intervals_are_the_same_numbers(name: str) -> None:
    operation = BINARY[name][0]
    (a, _), (b, _) = boxes(2, 400), boxes(3, 400)
    here, found = operation(a, b), operation(Interval(there(a.lower), there(a.upper)), Interval(there(b.lower), there(b.upper)))
    assert np.array_equal(here.lower, on_host(found.lower))
    assert np.array_equal(here.upper, on_host(found.upper))
    assert iv.sum_along(Interval(there(a.lower[:4]), there(a.upper[:4])), 0).shape == ()


# -- the device is asked first ----------------------------------------------------------------------------------------------

def flushed(_: Any, result: torch.Tensor, __: Any) -> torch.Tensor:
    return torch.where(result.abs() < 2.0**-1022, 0.0, result) if result.dtype == torch.float64 else result


def in_fewer_bits(operation: Any, result: torch.Tensor, _: Any) -> torch.Tensor:
    return result.float().double() if operation in (aten.mm.default, aten.bmm.default) else result


def large_ones_in_fewer_bits(operation: Any, result: torch.Tensor, _: Any) -> torch.Tensor:
    return result.float().double() if operation is aten.mm.default and result.numel() > 2**16 else result


def by_reciprocals(operation: Any, result: torch.Tensor, arguments: Any) -> torch.Tensor:
    return arguments[0] * (1.0 / arguments[1]) if operation is aten.div.Tensor else result


def fast(operation: Any, result: torch.Tensor, _: Any) -> torch.Tensor:
    return result * (1 + 2.0**-44) if operation is aten.exp.default else result


def forgetful(operation: Any, result: torch.Tensor, _: Any) -> torch.Tensor:
    return torch.nan_to_num(result, nan=0.0) if operation is aten.maximum.default else result


WRONG = {"subnormal numbers are 0": (flushed, "e-320"), "TF32": (in_fewer_bits, "product of matrices"),
         "TF32 for large matrices": (large_ones_in_fewer_bits, "large matrices"), "division": (by_reciprocals, " / "),
         "a fast exponential": (fast, r"exp\(.*units in the last place"), "NaN is dropped": (forgetful, "max nan")}


@pytest.mark.parametrize("what", sorted(WRONG))
def test_a_device_that_computes_otherwise_is_refused(what: str) -> None:
    worse, words = WRONG[what]
    with rounding(worse), pytest.raises(Refused, match=words) as refused:
        device_arithmetic.ask(pretend_device())
    assert "--device pretend" in str(refused.value)


def test_one_that_rounds_as_it_may_is_not() -> None:
    device_arithmetic.ask(CPU)
    for sign in (-1.0, 1.0):
        with rounding(extreme(sign)):
            device_arithmetic.ask(pretend_device())


# -- bounds ------------------------------------------------------------------------------------------------------------------

def gamma(terms: int) -> float:
    return terms * 2.0**-53 * (1 - 2.0**-20)


def extreme(sign: float) -> Callable[[Any, torch.Tensor, Any], torch.Tensor]:
    """Return the rounding that is as bad as what is assumed allows: sums off by gamma_k, functions by 8 units, one way or both."""
    def worse(operation: Any, result: torch.Tensor, arguments: Any) -> torch.Tensor:
        if result.dtype != torch.float64:
            return result
        way = torch.sign(torch.sin(torch.arange(result.numel(), dtype=torch.float64) * 12.9898 + sign)).reshape(result.shape) \
            if sign == 0 else sign
        if operation is aten.sum.dim_IntList:
            terms = max(1, arguments[0].numel() // max(1, result.numel()))
            return result + way * gamma(terms - 1) * operation(arguments[0].abs(), *arguments[1:])
        if operation in (aten.mm.default, aten.bmm.default, aten.mv.default, aten.dot.default):
            a, b = arguments[:2]
            return result + way * gamma(a.shape[-1]) * operation(a.abs(), b.abs())
        if operation in (aten.exp.default, aten.log.default, aten.sin.default, aten.cos.default, aten.tanh.default, aten.sqrt.default):
            return result + way * (7 * 2.0**-52) * result.abs()
        return result
    return worse


def case_of(seed: int, name: str, radius: float) -> tuple[Target, Boxes, int, np.random.Generator]:
    text, d, n = TARGETS[name]
    target = Request(text, "1/50", n=n, d=d).resolved(n)[0]
    assert isinstance(target, Target)
    rng = np.random.default_rng(seed)
    centre = np.sort(rng.uniform(0, 1, (1, n, d)), axis=1)[:, ::-1].reshape(1, n * d)
    case = int(rng.integers(n * target.d_out))
    return target, Boxes(np.maximum(centre - radius, 0.0), np.minimum(centre + radius, 1.0), np.array([np.inf]), np.array([case]),
                         np.array([0])), case, rng


def problem_of_random(seed: int, target: Target, deep: bool) -> Problem:
    network = deep_network(seed, DEEP) if deep else random_network(seed, target.d)
    network = replace(network, W_out=network.W_out[:, : target.d_out], b_out=network.b_out[: target.d_out])
    return Problem.of(target.outputs, network, target.n, target.box.sides)


def gap_at(target: Target, network: Any, point: np.ndarray, own: int, output: int) -> Any:
    tokens = np.frompyfunc(lambda v: arb(float(v)), 1, 1)(point.reshape(target.n, target.d))
    return abs(target.balls(tokens)[own, output] - in_balls(network, tokens)[own, output])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(sorted(TARGETS)), st.sampled_from([0.0, 1e-15, 1e-9, 1e-3, 0.3]),
       st.sampled_from([-1.0, 0.0, 1.0]))
def test_bounds_hold_however_the_device_rounds(seed: int, name: str, radius: float, sign: float) -> None:
    """On tiny boxes nothing but rounding is left: a term forgotten there is seen by balls."""
    target, box, case, rng = case_of(seed, name, radius)
    problem = problem_of_random(seed, target, deep=False)
    with rounding(extreme(sign)):
        found = OnDevice(problem, pretend_device()).judge(box)
    assert_bounds(found, target, problem, box, case, rng)


def assert_bounds(found: Judged, target: Target, problem: Problem, box: Boxes, case: int, rng: np.random.Generator) -> None:
    own, output = case % target.n, case // target.n
    points = rng.uniform(box.lower[0], box.upper[0], (3, box.lower.shape[1]))
    points = np.stack([np.sort(point.reshape(target.n, target.d), axis=0)[::-1].ravel() if target.d == 1 else point
                       for point in points])
    inside = (points >= box.lower).all(axis=1) & (points <= box.upper).all(axis=1)
    with ctx.workprec(200):
        for point in (box.centre[0], *(points[inside] if target.d == 1 else [])):
            assert gap_at(target, problem.network, point, own, output) <= arb(float(found.upper[0]))
        if found.occurs[0] > 0:
            assert gap_at(target, problem.network, box.centre[0], own, output) >= arb(float(found.occurs[0]))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 1e-15, 1e-6]), st.sampled_from([-1.0, 0.0, 1.0]))
def test_linear_bounds_of_deep_networks_hold_however_the_device_rounds(seed: int, radius: float, sign: float) -> None:
    target, box, case, rng = case_of(seed, "attention", radius)
    problem = problem_of_random(seed, target, deep=True)
    assert relaxation.applies(problem.network)
    with rounding(extreme(sign)):
        found = OnDevice(problem, pretend_device()).judge(box)
    assert_bounds(found, target, problem, box, case, rng)


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(["exp(x)*mean(y*y)", "sin(3*x + mean(y))", "sqrt(1 + x)*log(2 + mean(y))", "tanh(x)/(1 + mean(y))"]),
       st.floats(0.1, 0.9), st.sampled_from([0.0, 1e-15, 1e-2]), st.sampled_from([-1.0, 0.0, 1.0]))
def test_taylor_models_hold_however_the_device_rounds(text: str, place: float, radius: float, sign: float) -> None:
    target, other = (Request(one, "1/50", n=2, d=1).resolved(2)[0] for one in (text, "1 + x/2"))
    assert isinstance(target, Target)
    assert isinstance(other, Target)
    centre = np.array([[place, place / 2]])
    box = Boxes(centre - radius / 4, centre + radius / 4, np.array([np.inf]), np.array([0]), np.array([0]))
    with rounding(extreme(sign)):
        found = OnDevice(Deviation.of(target.outputs, other.outputs, 2, target.box.sides), pretend_device()).judge(box)
    with ctx.workprec(200):
        for point in (box.lower[0], box.centre[0], box.upper[0]):
            tokens = np.frompyfunc(lambda v: arb(float(v)), 1, 1)(point.reshape(2, 1))
            gap = abs(target.balls(tokens)[0, 0] - other.balls(tokens)[0, 0])
            assert gap <= arb(float(found.upper[0]))


class Forgetful(Comparison):
    """Bounds the error by its value at the centre, rounding forgotten: what the tests above have to notice."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.outputs, self.n, self.sides = problem.outputs, problem.n, problem.sides

    @property
    def digest(self) -> str:
        return self.problem.digest

    def judge(self, batch: Boxes) -> Judged:
        network, own = self.problem.network, int(batch.case[0])
        tokens: Any = batch.lower.reshape(-1, self.n, 1)
        f = np.exp(tokens[:, own, 0])
        T = (tokens[:, own, 0] * float(network.W_out[0, 0])) + float(network.b_out[0])
        value = abs(f - T)
        return Judged(value, batch.lower * 0.0, value * 0.0)


def test_a_bound_without_its_rounding_is_noticed() -> None:
    target, box, _, _ = case_of(3, "product", 0.0)
    problem = problem_of_random(1, target, deep=False)
    box = replace(box, case=np.array([0]))
    found = []
    for sign in (-1.0, 1.0):
        with rounding(extreme(sign)):
            found.append(OnDevice(Forgetful(problem), pretend_device()).judge(box).upper[0])
    exact = abs(arb(box.lower[0, 0]).exp() - arb(box.lower[0, 0]) * float(problem.network.W_out[0, 0])
                - float(problem.network.b_out[0]))
    assert not all(exact <= arb(float(bound)) for bound in found)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_certificate_from_a_device_says_what_it_assumes(name: str) -> None:
    claim, problem = problem_of(stored(name), None, Fraction(1, 10))
    verdict, search = certify_by_subdivision(claim, problem, seconds=60, device=pretend_device())
    assert isinstance(verdict, Certificate)
    assert verdict.status is Status.ASSUMED
    assert device_arithmetic.ASSUMED in verdict.assumptions
    here, alone = certify_by_subdivision(claim, problem, seconds=60)
    assert isinstance(here, Certificate)
    assert here.status is Status.CERTIFIED
    assert device_arithmetic.ASSUMED not in here.assumptions
    assert search.bound == pytest.approx(alone.bound, rel=1e-9)
    assert search.judged == pytest.approx(alone.judged, rel=0.3)


def test_a_refutation_rests_on_no_device() -> None:
    """The device finds an error that is not there; the processor does not."""
    claim, problem = problem_of(stored("product"), None, Fraction(1, 10))

    def invented(operation: Any, result: torch.Tensor, _: Any) -> torch.Tensor:
        return result + 1.0 if operation is aten.mm.default and result.numel() < 2**16 else result

    search = Search.begin(OnDevice(problem, pretend_device()), Fraction(1, 10))
    with rounding(invented):
        search.step()
    assert search.witness is None
    assert search.occurs < 0.1
    below = Fraction(search.occurs) / 2
    verdict, _ = certify_by_subdivision(replace(claim, bound=below), problem, seconds=60, device=pretend_device())
    assert isinstance(verdict, Refuted)


def test_a_device_and_other_processes_exclude_each_other() -> None:
    _, problem = problem_of(stored("product"), None, Fraction(1, 10))
    with pytest.raises(TypeError, match="not both"):
        _ = OnDevice(problem, CPU).elsewhere


def test_a_checkpoint_is_taken_up_on_a_device_and_both_are_assumed(tmp_path: Path) -> None:
    claim, problem = problem_of(stored("attention"), None, Fraction(1, 40))
    file = tmp_path / "state.npz"
    certify_by_subdivision(claim, problem, seconds=1e-3, checkpoint=file)
    verdict, _ = certify_by_subdivision(claim, problem, seconds=60, checkpoint=file, device=pretend_device())
    assert isinstance(verdict, Certificate)
    assert any("earlier run" in text and device_arithmetic.ASSUMED in text for text in verdict.assumptions)
