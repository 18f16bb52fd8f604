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
from proofs_check.boxes import Boxes, Judged
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
from tests.pretend_device import pretend_device
from tests.proofs_check.test_interval import BINARY, UNARY, boxes
from tests.proofs_check.test_propagate import random_network
from tests.proofs_check.test_relaxation import deep as deep_network
from tests.proofs_check.test_sup_norm import TARGETS, stored
from tests.rounding import Rounding, aten, extreme
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
    "sum": lambda a, b: b.sum(axis=1), "sum, kept": lambda a, b: b / b.sum(axis=1, keepdims=True),
    "max": lambda a, b: b.max(axis=0),
    "min": lambda a, b: a.min(axis=1), "any": lambda a, b: (b > 2).any(axis=0), "product": lambda a, b: b @ B.T,
    "product from the left": lambda a, b: B.T @ b, "einsum": lambda a, b: np.einsum("ru,ru->r", b, b),
    "concatenate": lambda a, b: np.concatenate([a, B], axis=-1), "stack": lambda a, b: np.stack([a, b], axis=1),
    "zeros": lambda a, b: np.zeros_like(a) + np.zeros_like(b, shape=(2, 3), dtype=bool), "ones": lambda a, b: np.ones_like(a),
    "full": lambda a, b: np.full_like(a, -np.inf, shape=(4,)), "broadcast": lambda a, b: np.broadcast_to(b[0], (2, 3)),
    "moveaxis": lambda a, b: np.moveaxis(b, 1, 0), "swapaxes": lambda a, b: np.swapaxes(b, 0, 1), "T": lambda a, b: b.T,
    "pad": lambda a, b: np.pad(b, [(0, 0), (0, 2)]), "nan_to_num": lambda a, b: np.nan_to_num(a, nan=np.inf, posinf=np.inf),
    "reduceat": lambda a, b: np.add.reduceat(np.abs(b), [0, 1], axis=0), "reshape": lambda a, b: b.reshape(3, -1),
    "columns": lambda a, b: b[:, [2, 0]], "column": lambda a, b: b[..., 1], "no columns": lambda a, b: b[:, []],
    "new axis": lambda a, b: b[:, None, :] * b[None], "row by row": lambda a, b: sum(b),
    "by numbers": lambda a, b: b[np.array([1, 0])],
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


def test_an_array_that_may_not_be_written_to_goes_there_as_well() -> None:
    row = np.broadcast_to(np.arange(3.0), (2, 3))
    array: Any = on_device(row, CPU)
    array[0] = 7.0
    assert row.tolist() == [[0.0, 1.0, 2.0]] * 2
    assert on_host(array).tolist() == [[7.0] * 3, [0.0, 1.0, 2.0]]


@pytest.mark.parametrize("name", sorted(UNARY))
def test_functions_of_intervals_are_those_of_numpy_up_to_their_slack(name: str) -> None:
    a, _ = boxes(1, 400)
    here, found = functions.FUNCTIONS[name](a), functions.FUNCTIONS[name](Interval(there(a.lower), there(a.upper)))
    with np.errstate(all="ignore"):
        apart = [np.abs(x - on_host(y)) - 40 * 2.0**-52 * np.abs(x)
                 for x, y in ((here.lower, found.lower), (here.upper, found.upper))]
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
    return torch.where(result.abs() < 2.0**-1022, 0.0, result)


def in_fewer_bits(operation: Any, result: torch.Tensor, _: Any) -> torch.Tensor:
    return result.float().double() if operation in (aten.mm.default, aten.bmm.default) else result


def large_ones_in_fewer_bits(operation: Any, result: torch.Tensor, _: Any) -> torch.Tensor:
    return result.float().double() if operation is aten.mm.default and result.numel() > 2**16 else result


def by_reciprocals(operation: Any, result: torch.Tensor, arguments: Any) -> torch.Tensor:
    return arguments[0] * (1.0 / arguments[1]) if operation is aten.div.Tensor else result


def fast(operation: Any, result: torch.Tensor, _: Any) -> torch.Tensor:
    return result * (1 + 2.0**-44) if operation is aten.exp.default else result


def forgetful(operation: Any, result: torch.Tensor, _: Any) -> torch.Tensor:
    return torch.where(result.isnan(), 0.0, result) if operation is aten.maximum.default else result


WRONG = {"subnormal numbers are 0": (flushed, "e-320"), "TF32": (in_fewer_bits, "product of matrices"),
         "TF32 for large matrices": (large_ones_in_fewer_bits, "large matrices"), "division": (by_reciprocals, " / "),
         "a fast exponential": (fast, r"exp\(.*units in the last place"), "NaN is dropped": (forgetful, "max")}


@pytest.mark.parametrize("what", sorted(WRONG))
def test_a_device_that_computes_otherwise_is_refused(what: str) -> None:
    worse, words = WRONG[what]
    with Rounding(worse), pytest.raises(Refused, match=words) as refused:
        device_arithmetic.ask(CPU)
    assert "--device cpu" in str(refused.value)


def test_emulated_float64_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_EMULATE_DOUBLE_PRECISION", "1")
    with pytest.raises(Refused, match="CUBLAS_EMULATE_DOUBLE_PRECISION is set"):
        device_arithmetic.ask(CPU)
    monkeypatch.setenv("CUBLAS_EMULATE_DOUBLE_PRECISION", "0")
    device_arithmetic.ask(CPU)


def test_one_that_rounds_as_it_may_is_not() -> None:
    device_arithmetic.ask(pretend_device())  # a quotient by a number is none there, unless it is kept from being taken
    for sign in (-1.0, 0.0, 1.0):
        with Rounding(extreme(sign)):
            device_arithmetic.ask(CPU)


# -- bounds ------------------------------------------------------------------------------------------------------------------

COUNT = 6  # boxes of an example


def case_of(seed: int, name: str, radius: float) -> tuple[Target, Boxes]:
    """Return a target and boxes of one case with sorted centres."""
    text, d, n = TARGETS[name]
    target = Request(text, "1/50", n=n, d=d).resolved(n)[0]
    assert isinstance(target, Target)
    rng = np.random.default_rng(seed)
    centre = np.sort(rng.uniform(0, 1, (COUNT, n, d)), axis=1)[:, ::-1].reshape(COUNT, n * d)
    return target, Boxes(np.maximum(centre - radius, 0.0), np.minimum(centre + radius, 1.0), np.full(COUNT, np.inf),
                         np.full(COUNT, int(rng.integers(n * target.d_out))), np.zeros(COUNT, dtype=int))


def problem_of_random(seed: int, target: Target, deep: bool) -> Problem:
    network = deep_network(seed, DEEP) if deep else random_network(seed, target.d)
    network = replace(network, W_out=network.W_out[:, : target.d_out], b_out=network.b_out[: target.d_out])
    return Problem.of(target.outputs, network, target.n, target.box.sides)


def assert_bounds(found: Judged, target: Target, problem: Problem, boxes: Boxes) -> None:
    """At the centres, and for tokens of one coordinate at sorted points of the boxes, balls stay below what was found."""
    own, output = int(boxes.case[0]) % target.n, int(boxes.case[0]) // target.n
    drawn = np.random.default_rng(0).uniform(boxes.lower, boxes.upper)
    drawn = np.sort(drawn.reshape(COUNT, target.n, target.d), axis=1)[:, ::-1].reshape(drawn.shape)
    drawn = np.clip(drawn if target.d == 1 else boxes.centre, boxes.lower, boxes.upper)
    with ctx.workprec(200):
        for k in range(COUNT):
            centre, elsewhere = (_gap(target, problem, points[k])[own, output] for points in (boxes.centre, drawn))
            assert max(centre.lower(), elsewhere.lower()) <= arb(float(found.upper[k]))
            assert not found.occurs[k] > 0 or centre.upper() >= arb(float(found.occurs[k]))


def _gap(target: Target, problem: Problem, point: np.ndarray) -> Any:
    tokens = np.frompyfunc(lambda v: arb(float(v)), 1, 1)(point.reshape(target.n, target.d))
    return np.abs(target.balls(tokens) - in_balls(problem.network, tokens))


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(sorted(TARGETS)), st.sampled_from([0.0, 1e-15, 1e-9, 1e-3, 0.3]),
       st.sampled_from([-1.0, 0.0, 1.0]))
def test_bounds_hold_however_the_device_rounds(seed: int, name: str, radius: float, sign: float) -> None:
    """On tiny boxes nothing but rounding is left: a term forgotten there is seen by balls."""
    target, boxes = case_of(seed, name, radius)
    problem = problem_of_random(seed, target, deep=False)
    with Rounding(extreme(sign)):
        found = OnDevice(problem, CPU).judge(boxes)
    assert_bounds(found, target, problem, boxes)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 1e-15, 1e-6]), st.sampled_from([-1.0, 0.0, 1.0]))
def test_linear_bounds_of_deep_networks_hold_however_the_device_rounds(seed: int, radius: float, sign: float) -> None:
    target, boxes = case_of(seed, "attention", radius)
    problem = problem_of_random(seed, target, deep=True)
    assert relaxation.applies(problem.network)
    with Rounding(extreme(sign)):
        found = OnDevice(problem, CPU).judge(boxes)
    assert_bounds(found, target, problem, boxes)


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(["exp(x)*mean(y*y)", "sin(3*x + mean(y))", "sqrt(1 + x)*log(2 + mean(y))", "tanh(x)/(1 + mean(y))"]),
       st.floats(0.1, 0.9), st.sampled_from([0.0, 1e-15, 1e-2]), st.sampled_from([-1.0, 0.0, 1.0]))
def test_taylor_models_hold_however_the_device_rounds(text: str, place: float, radius: float, sign: float) -> None:
    target, other = (Request(one, "1/50", n=2, d=1).resolved(2)[0] for one in (text, "1 + x/2"))
    assert isinstance(target, Target)
    assert isinstance(other, Target)
    centre = np.array([[place, place / 2]])
    box = Boxes(centre - radius / 4, centre + radius / 4, np.array([np.inf]), np.array([0]), np.array([0]))
    with Rounding(extreme(sign)):
        found = OnDevice(Deviation.of(target.outputs, other.outputs, 2, target.box.sides), CPU).judge(box)
    with ctx.workprec(200):
        for point in (box.lower[0], box.centre[0], box.upper[0]):
            tokens = np.frompyfunc(lambda v: arb(float(v)), 1, 1)(point.reshape(2, 1))
            gap = abs(target.balls(tokens)[0, 0] - other.balls(tokens)[0, 0])
            assert gap <= arb(float(found.upper[0]))


def test_a_bound_without_its_rounding_is_noticed() -> None:
    """What the tests above look at: |f - T| at a point, computed and not rounded up, is below the truth for one of the signs."""
    target, boxes = case_of(3, "product", 0.0)
    problem = problem_of_random(1, target, deep=False)
    with Rounding(extreme(0.0)):
        found = OnDevice(problem, CPU).judge(boxes)
    centre = boxes.centre.reshape(COUNT, target.n, 1)
    own, computed = int(boxes.case[0]), np.abs(target.numpy(centre) - problem.network(centre))
    unrounded = replace(found, upper=computed[:, own, 0] * (1 - 2.0**-52))
    with pytest.raises(AssertionError):
        assert_bounds(unrounded, target, problem, boxes)


@pytest.mark.parametrize("name", ["product", "kinks", "order"])
def test_a_certificate_from_a_device_says_what_it_assumes(name: str) -> None:
    claim, problem = problem_of(stored(name), None, Fraction(1, 10))
    verdict, search = certify_by_subdivision(claim, problem, seconds=60, device=CPU)
    assert isinstance(verdict, Certificate)
    assert verdict.status is Status.ASSUMED
    assert device_arithmetic.ASSUMED in verdict.assumptions
    here, alone = certify_by_subdivision(claim, problem, seconds=60)
    assert isinstance(here, Certificate)
    assert here.status is Status.CERTIFIED
    assert device_arithmetic.ASSUMED not in here.assumptions
    assert search.bound == pytest.approx(alone.bound, rel=1e-9)
    assert search.judged == pytest.approx(alone.judged, rel=0.3)


@pytest.mark.parametrize("name", ["kinks", "order", "plane"])
def test_no_array_is_left_behind(name: str) -> None:
    """Arrays of the pretend device and of the processor do not mix, and it computes what torch computes here."""
    _, problem = problem_of(stored(name), None, Fraction(1, 10))
    box = problem.start().take(slice(0, 1))
    here, found = OnDevice(problem, CPU).judge(box), OnDevice(problem, pretend_device()).judge(box)
    assert all(np.array_equal(getattr(here, part), getattr(found, part)) for part in ("upper", "parts", "occurs"))


def test_a_refutation_rests_on_no_device() -> None:
    """The device finds an error that is not there; the processor does not."""
    claim, problem = problem_of(stored("product"), None, Fraction(1, 10))

    def invented(operation: Any, result: torch.Tensor, _: Any) -> torch.Tensor:
        return result + 1.0 if operation is aten.mm.default and result.numel() < 2**16 else result

    search = Search.begin(OnDevice(problem, CPU), Fraction(1, 10))
    with Rounding(invented):
        search.step()
    assert search.witness is None
    assert search.occurs < 0.1
    below = Fraction(search.occurs) / 2
    verdict, _ = certify_by_subdivision(replace(claim, bound=below), problem, seconds=60, device=CPU)
    assert isinstance(verdict, Refuted)


def test_a_device_and_other_processes_exclude_each_other() -> None:
    _, problem = problem_of(stored("product"), None, Fraction(1, 10))
    with pytest.raises(TypeError, match="not both"):
        _ = OnDevice(problem, CPU).elsewhere


def test_a_checkpoint_is_taken_up_on_a_device_and_both_are_assumed(tmp_path: Path) -> None:
    claim, problem = problem_of(stored("kinks"), None, Fraction(1, 40))
    file = tmp_path / "state.npz"
    certify_by_subdivision(claim, problem, seconds=1e-3, checkpoint=file)
    verdict, _ = certify_by_subdivision(claim, problem, seconds=60, checkpoint=file, device=CPU)
    assert isinstance(verdict, Certificate)
    assert any("earlier run" in text and device_arithmetic.ASSUMED in text for text in verdict.assumptions)


def test_a_device_without_memory_is_given_fewer_boxes() -> None:
    _, problem = problem_of(stored("product"), None, Fraction(1, 10))
    boxes = problem.start().take(np.zeros(8, dtype=int))
    judge = type(problem).judge

    def small(self: Problem, batch: Boxes) -> Judged:
        if batch.bound.size > 3:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return judge(self, batch)

    wanted, there = problem.judge(boxes), OnDevice(problem, CPU)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Problem, "judge", small)
        found = there.judge(boxes)
        patch.setattr(Problem, "judge", lambda *_: (_ for _ in ()).throw(torch.cuda.OutOfMemoryError("CUDA out of memory")))
        with pytest.raises(Refused, match="no memory"):
            there.judge(boxes)
    assert there.batch <= 2
    assert np.allclose(found.upper, wanted.upper, rtol=1e-12)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_gpu_proves_the_bound_of_the_processor(name: str) -> None:
    claim, problem = problem_of(stored(name), None, Fraction(1, 10))
    verdict, search = certify_by_subdivision(claim, problem, seconds=60, device=torch.device("cuda"))
    assert isinstance(verdict, Certificate)
    _, here = certify_by_subdivision(claim, problem, seconds=60)
    assert search.bound == pytest.approx(here.bound, rel=1e-9)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("call", sorted(CALLS))
def test_numpy_does_on_a_gpu_what_it_does_here(call: str) -> None:
    with np.errstate(all="ignore"):
        wanted, found = CALLS[call](A, B), CALLS[call](*(on_device(one, torch.device("cuda")) for one in (A, B)))
    assert np.allclose(on_host(found), wanted, rtol=1e-14, atol=0, equal_nan=wanted.dtype.kind == "f")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_computes_as_assumed() -> None:
    device_arithmetic.ask(torch.device("cuda"))
