"""Certification by subdivision: bounds hold, wrong claims are refuted or undecided, an interrupted search goes on."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.continuous import compile_target, construct_continuous
from constructions.domains import Box
from constructions.errors import BadInput, Refused
from constructions.network.relu import MeanSumformer, ReluLayer
from constructions.storage import store_mean
from constructions.targets.target import Target
from proofs_check.checkpoints import resume, store
from proofs_check.executors import executor
from proofs_check.kernel import Certificate, Refuted, Status, Undecided
from proofs_check.run_files import RunFiles
from proofs_check.subdivision import certify_by_subdivision, problem_of
from proofs_check.sup_norm import Boxes, Problem, Search, judge
from tests.proofs_check.counted import Counted
from tests.proofs_check.test_propagate import random_network
from uat import pipeline
from uat.request import Request

TARGETS = {
    "attention": ("mean(y*exp(x*y))/mean(exp(x*y))", 1, 2),
    "product": ("x*mean(y)", 1, 3),
    "kinks": ("abs(x - mean(y))", 1, 2),
    "plane": ("(x[0]*mean(y[1]), mean(relu(y[0]) - y[1]))", 2, 2),
    "order": ("order(1) - x", 1, 2),
}


@cache
def stored(name: str) -> RunFiles:
    text, d, n = TARGETS[name]
    request = Request(text, "1/50", n=n, d=d)
    target = request.resolved(n)[0]
    assert isinstance(target, Target)
    construction = construct_continuous(target, request.tolerance(), "sum-decomposition", request.heads())
    data = store_mean(construction.sumformer, construction.architectures, construction.compiled.derivation)
    network, plan, claim = (json.loads(json.dumps(part)) for part in (
        data.network, pipeline.plan_record(construction, request), pipeline.claim_of(construction).to_json()))
    return RunFiles(data.arrays, {}, network, plan, {"claim": claim})


def problem(name: str) -> Problem:
    text, d, n = TARGETS[name]
    target = Request(text, "1/50", n=n, d=d).resolved(n)[0]
    assert isinstance(target, Target)
    network = compile_target(target, Fraction(1, 50), "sum-decomposition")[1].sumformer
    return Problem.of(target.outputs, network, n, target.box.sides)


def with_network(run: RunFiles, change: Callable[[dict[str, np.ndarray]], None]) -> RunFiles:
    arrays = {key: np.array(array) for key, array in run.arrays.items()}
    change(arrays)
    return replace(run, arrays=arrays)


@pytest.mark.parametrize("name", [name for name in TARGETS if name != "plane"])
def test_claims_are_proved_again(name: str) -> None:
    verdict, search = certify_by_subdivision(*problem_of(stored(name), None, Fraction(1, 50)), seconds=60)
    assert isinstance(verdict, Certificate), search
    assert verdict.claim.networks == ("sumformer",)
    assert not verdict.claim.every_n
    assert search.occurs <= verdict.proved_bound <= Fraction(1, 50)


@pytest.mark.parametrize("text", ["sqrt(mean(y**2))", "sqrt(mean((y-mean(y))**2)) + x", "sqrt(sum(abs(y-x)))",
                                  "mean(abs(y)**3)**(1/3)", "abs(x)**0.3 - mean(abs(y)**1.3)"])
def test_roots_are_defined_down_to_zero(text: str) -> None:
    """The sum below the root is 0 somewhere; rounded below 0 it would have none there, however small the boxes."""
    network = problem("product").network
    asked = Target.from_text(text, n=2, box=Box((Fraction(-1),), (Fraction(1),)))
    tokens = np.random.default_rng(0).uniform(-1, 1, (20_000, 2, 1))
    error = float(np.abs(asked.numpy(tokens) - network(tokens)).max())
    search = Search.begin(Problem.of(asked.outputs, network, 2, asked.box.sides), Fraction(error) * Fraction(11, 10))
    search.run(seconds=60)
    assert search.finished
    assert search.witness is None
    assert error <= search.bound <= 1.1 * error


def test_what_is_below_a_root_and_negative_somewhere_has_no_bound() -> None:
    network = problem("product").network
    asked = Target.from_text("sqrt(mean(y**2)-1/100)", n=2, box=Box((Fraction(-1),), (Fraction(1),)))
    search = Search.begin(Problem.of(asked.outputs, network, 2, asked.box.sides), Fraction(100))
    search.run(boxes=20_000)
    assert search.bound == np.inf


def test_an_every_n_run_is_proved_at_another_length() -> None:
    verdict, _ = certify_by_subdivision(*problem_of(stored("product"), 2, Fraction(1, 50)))
    assert isinstance(verdict, Certificate)
    assert verdict.claim.n == 2


@pytest.mark.parametrize("change", [{"domain": [["0", "2"]]}, {"expression": "0*x"}, {"target": "another"}, {"d_out": 2},
                                    {"domain": [["0", "1"], ["0", "1"]], "d": 2}])
def test_a_claim_about_something_else_than_is_stored_is_bad_input(change: dict[str, object]) -> None:
    run = stored("product")
    claimed = replace(run, certificate={"claim": {**run.certificate["claim"], **change}})
    with pytest.raises(BadInput, match="another target or domain"):
        problem_of(claimed, None, Fraction(1, 50))


@pytest.mark.parametrize(("tokens", "writes", "pooled", "readout", "word"), [
    (("x.0",), ("c", "mean.c"), ("c",), ("mean.c",), "mean.c is a|changed after"),
    (("x.0",), ("c", "c"), ("c",), ("c",), "a layer names"), (("x.0",), ("c", "e"), ("c", "c"), ("c",), "pooled"),
    (("x.0",), ("c", "e"), ("c",), ("c", "c"), "readout"), (("x.0", "x.0"), ("c", "e"), ("c",), ("c",), "token")])
def test_names_with_two_meanings_are_refused(tokens: tuple[str, ...], writes: tuple[str, ...], pooled: tuple[str, ...],
                                             readout: tuple[str, ...], word: str) -> None:
    phi = ReluLayer(("x.0",), np.ones((1, 1)), np.zeros(1), writes, np.ones((1, 2)))
    network = MeanSumformer(tokens, (phi,), pooled, (), readout, np.ones((len(readout), 1)), np.zeros(1))
    outputs = Target.from_text("x", n=2, box=Box.parse("0,1", 1), name="own").outputs
    with pytest.raises(ValueError, match=word):
        Problem.of(outputs, network, 2, ((Fraction(0), Fraction(1)),) * len(tokens))


def test_four_dimensions_stay_undecided_with_a_bound() -> None:
    verdict, search = certify_by_subdivision(*problem_of(stored("plane"), None, Fraction(1, 50)), seconds=2)
    assert isinstance(verdict, Undecided | Certificate)
    if isinstance(verdict, Undecided):
        assert verdict.best_bound is not None
        assert verdict.best_bound >= Fraction(search.occurs)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from(sorted(TARGETS)), st.floats(1e-5, 1.0))
def test_bounds_hold_for_random_networks(seed: int, name: str, radius: float) -> None:
    text, d, n = TARGETS[name]
    target = Request(text, "1/50", n=n, d=d).resolved(n)[0]
    assert isinstance(target, Target)
    network = random_network(seed, d)
    network = replace(network, W_out=network.W_out[:, : target.d_out], b_out=network.b_out[: target.d_out])
    asked = Problem.of(target.outputs, network, n, target.box.sides)
    rng = np.random.default_rng(seed)
    centre = np.sort(rng.uniform(0, 1, (1, n, d)), axis=1)[:, ::-1].reshape(1, n * d)
    case = int(rng.integers(n * target.d_out))
    low, high = np.maximum(centre - radius, 0.0), np.minimum(centre + radius, 1.0)
    lower, upper, _ = asked.region(case % n).restrict(low, high)
    found = judge(asked, Boxes(lower, upper, np.array([np.inf]), np.array([case]), np.array([0])), case)
    points = rng.uniform(lower, upper, (64, n * d)).reshape(64, n, d)
    points = np.take_along_axis(points, np.argsort(-points[:, :, :1], axis=1), axis=1)
    inside = np.all((points.reshape(64, -1) >= lower) & (points.reshape(64, -1) <= upper), axis=1)
    gaps = np.abs(target.numpy(points) - network(points))[inside, case % n, case // n]
    assert (gaps <= found.upper[0] + 1e-9).all()
    assert found.occurs[0] <= found.upper[0]


@given(st.floats(0.1, 0.9), st.floats(1e-6, 0.1), st.sampled_from(["x*x", "x*x*x", "exp(2*x)", "x*mean(y)", "1/(x + 1)"]))
def test_curvature_is_counted(place: float, radius: float, text: str) -> None:
    """T is the tangent of f, so that all of f - T is curvature."""
    target = Target.from_text(text, n=2, box=Request(text, "1/2", n=2).resolved(2)[0].box)
    at, step = np.full((3, 2, 1), place), 1e-6
    at[1, 0], at[2, 1] = place + step, place + step
    value, own, other = target.numpy(at)[:, 0, 0]
    slopes = np.array([own - value, other - value]) / step
    # psi reads x and mean(y) = (x + y)/2
    network = MeanSumformer(("x.0",), (), ("x.0",), (), ("x.0", "mean.x.0"), np.array([[slopes[0] - slopes[1]], [2 * slopes[1]]]),
                            np.array([value - place * slopes.sum()]))
    asked = Problem.of(target.outputs, network, 2, target.box.sides)
    low, high = np.full((1, 2), place - radius), np.full((1, 2), place + radius)
    found = judge(asked, Boxes(low, high, np.array([np.inf]), np.array([0]), np.array([0])), 0)
    corners = np.array([[[high[0, 0]], [high[0, 0]]], [[low[0, 0]], [low[0, 0]]], [[high[0, 0]], [low[0, 0]]]])
    gaps = np.abs(target.numpy(corners) - network(corners))[:, 0, 0]
    assert gaps.max() <= found.upper[0] + 1e-12
    assert found.upper[0] <= 20 * radius**2 + 1e-4 * radius  # and it is of second order


@pytest.mark.parametrize("text", ["relu(x - 1/2)", "abs(x - 1/2)", "max(y)", "maximum(x, 1/2)"])
def test_kinks_are_counted(text: str) -> None:
    """T = 0 on a box whose centre lies beside the kink."""
    target = Target.from_text(text, n=2, box=Request(text, "1/2", n=2).resolved(2)[0].box)
    network = MeanSumformer(("x.0",), (), ("x.0",), (), ("x.0",), np.zeros((1, 1)), np.zeros(1))
    asked = Problem.of(target.outputs, network, 2, target.box.sides)
    found = judge(asked, Boxes(np.full((1, 2), 0.25), np.full((1, 2), 0.65), np.array([np.inf]), np.array([0]), np.array([0])), 0)
    points = np.linspace(0.25, 0.65, 41)
    gaps = np.abs(target.numpy(np.stack([np.stack([points, points[::-1]], -1), np.stack([points, points], -1)])[..., None]))
    assert gaps.max() <= found.upper[0]


def shifted(array: str, amount: float) -> Callable[[dict[str, np.ndarray]], None]:
    def change(arrays: dict[str, np.ndarray]) -> None:
        flat = arrays[array].reshape(-1)
        flat[int(np.argmax(np.abs(flat)))] += amount
    return change


@pytest.mark.parametrize(("array", "amount"), [("readout.b_out", 0.05), ("readout.W_out", 0.1), ("phi.0.W_1", 0.3),
                                               ("psi.0.bias", 0.3), ("psi.2.W_2", 0.5)])
def test_a_damaged_weight_is_refuted(array: str, amount: float) -> None:
    run = with_network(stored("attention"), shifted(array, amount))
    verdict, search = certify_by_subdivision(*problem_of(run, None, Fraction(1, 50)), seconds=20)
    assert isinstance(verdict, Refuted)
    assert search.witness is not None


def test_the_witness_is_an_error_by_exact_arithmetic() -> None:
    run = with_network(stored("product"), shifted("readout.b_out", 0.05))
    _, search = certify_by_subdivision(*problem_of(run, None, Fraction(1, 50)))
    witness, network = search.witness, search.problem.network
    assert witness is not None
    tokens = np.array(witness.tokens, dtype=object)
    x = [token[0] for token in witness.tokens]
    wanted = x[witness.own] * sum(x) / len(x)
    assert abs(network(tokens[None])[0, witness.own, 0] - wanted) >= witness.error_at_least > Fraction(1, 50)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300, -1e308])
def test_weights_that_overflow_prove_nothing(value: float) -> None:
    run = with_network(stored("product"), lambda arrays: arrays["psi.0.W_1"].__setitem__((0, 0), value))
    verdict, _ = certify_by_subdivision(*problem_of(run, 2, Fraction(1, 50)), seconds=1)
    assert not isinstance(verdict, Certificate)


def test_a_narrow_spike_is_not_overlooked() -> None:
    """A hat of height 1/10 and width 1e-9 in one token, away from every dyadic point."""
    run = problem("product")
    place, width = 0.123456789, 5e-10
    knots = np.array([place - width, place, place + width])
    hat = ReluLayer(("x.0",), np.ones((1, 3)), -knots, ("spike",), np.array([[1.0], [-2.0], [1.0]]) * (0.1 / width))
    network = run.network
    spiked = MeanSumformer(network.tokens, (*network.phi, hat), network.pooled, network.psi, (*network.readout, "spike"),
                           np.vstack([network.W_out, [[1.0]]]), network.b_out)
    search = Search.begin(replace(run, network=spiked), Fraction(1, 50))
    search.run(5)
    assert search.witness is not None or search.bound >= 0.1


def test_a_bound_below_an_error_that_occurs_is_refuted() -> None:
    search = Search.begin(problem("product"), Fraction(1, 50))
    search.run()
    below = Fraction(search.occurs) * Fraction(98, 100)
    verdict, _ = certify_by_subdivision(*problem_of(stored("product"), None, below), seconds=20)
    assert isinstance(verdict, Refuted)


def test_bounds_only_fall_and_stay_above_what_occurs() -> None:
    search, bounds = Search.begin(problem("attention"), Fraction(1, 1000)), []
    search.limit = 0.0051  # between: nothing is refuted, and it takes a while
    search.run(2, lambda state: bounds.append((state.bound, state.occurs)))
    assert all(later[0] <= earlier[0] for earlier, later in itertools.pairwise(bounds))
    assert all(bound >= occurs for bound, occurs in bounds)


def test_a_stored_search_goes_on_where_it_stopped(tmp_path: Path) -> None:
    asked, limit, file = problem("attention"), Fraction(1, 50), tmp_path / "state.npz"
    through = Search.begin(asked, limit)
    through.run()

    class Stop(Exception):
        pass

    def stop(state: Search) -> None:
        store(state, file)
        raise Stop

    first = Search.begin(asked, limit)
    with pytest.raises(Stop):
        first.run(after_round=stop)
    again = resume(asked, first.limit, file)
    assert 0 < again.judged < through.judged
    again.run()
    assert (again.judged, again.bound, again.occurs) == (through.judged, through.bound, through.occurs)
    verdict, _ = certify_by_subdivision(*problem_of(stored("attention"), None, limit), checkpoint=file)
    assert isinstance(verdict, Certificate)
    assert str(file) in verdict.assumptions[0]
    assert verdict.status is Status.ASSUMED  # whoever can write the file can forge what is in it


def interrupted(_: Search) -> None:
    """What Ctrl-C does between two rounds."""
    raise KeyboardInterrupt


def test_a_checkpoint_with_a_box_lost_proves_nothing(tmp_path: Path) -> None:
    """Boxes taken out of the file fit the domain all the same; only the count of what covers it tells."""
    claim, asked = problem_of(stored("attention"), None, Fraction(1, 50))
    file, stopped = tmp_path / "state.npz", Search.begin(asked, claim.bound)
    with pytest.raises(KeyboardInterrupt):
        stopped.run(after_round=interrupted)
    store(stopped, file)
    assert isinstance(certify_by_subdivision(claim, asked, checkpoint=file)[0], Certificate)
    for damaged in (replace(stopped, waiting=stopped.waiting.take(slice(1, None))),
                    replace(stopped, done=stopped.done - Counter([min(stopped.done)])) if stopped.done else stopped,
                    replace(stopped, waiting=replace(stopped.waiting, level=stopped.waiting.level + 1))):
        if damaged is not stopped:
            store(damaged, file)
            verdict, _ = certify_by_subdivision(claim, asked, checkpoint=file)
            assert isinstance(verdict, Undecided)
            assert "do not cover" in verdict.reason


def test_a_checkpoint_of_something_else_is_bad_input(tmp_path: Path) -> None:
    file = tmp_path / "state.npz"
    search = Search.begin(problem("attention"), Fraction(1, 50))
    store(search, file)
    with pytest.raises(BadInput, match="another network"):
        resume(problem("product"), search.limit, file)
    with pytest.raises(BadInput, match="about the bound"):
        resume(problem("attention"), 0.5, file)
    store(replace(search, waiting=replace(search.waiting, lower=search.waiting.lower - 1)), file)
    with pytest.raises(BadInput, match="do not fit"):
        resume(problem("attention"), search.limit, file)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(BadInput):
        resume(problem("attention"), search.limit, file)
    file.write_bytes(b"not a checkpoint")
    with pytest.raises(BadInput, match="cannot be read"):
        resume(problem("attention"), search.limit, file)


@pytest.mark.parametrize("change", [{"judged": np.array(np.inf)}, {"level": np.array([2**60, 0])}, {"case": np.array([0.5, 1.0])},
                                    {"done": np.array([[0, 2**62, 1]])}, {"done": np.array([[0, -1, 1]])}])
def test_a_checkpoint_with_absurd_numbers_is_bad_input(change: dict[str, np.ndarray], tmp_path: Path) -> None:
    file, search = tmp_path / "state.npz", Search.begin(problem("attention"), Fraction(1, 50))
    store(search, file)
    with np.load(file) as state:
        np.savez(file, **{**state, **change})
    with pytest.raises(BadInput):
        resume(problem("attention"), search.limit, file)


def test_a_checkpoint_with_a_changed_byte_is_read_or_bad_input(tmp_path: Path) -> None:
    file, asked = tmp_path / "state.npz", problem("attention")
    search = Search.begin(asked, Fraction(1, 50))
    store(search, file)
    whole = file.read_bytes()
    for place in range(0, len(whole), 13):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1:])
        with contextlib.suppress(BadInput):
            resume(asked, search.limit, file)


def test_processes_find_the_same() -> None:
    here, there = (Search.begin(problem("attention"), Fraction(1, 50)) for _ in range(2))
    here.run()
    with executor("processes:2") as pool:
        counting = Counted(pool)
        there.run(executor=counting)
    assert counting.tasks > 3
    assert (here.judged, here.bound, here.occurs) == (there.judged, there.bound, there.occurs)


def test_a_killed_worker_loses_nothing() -> None:
    through, search = (Search.begin(problem("attention"), Fraction(1, 100)) for _ in range(2))
    through.limit = search.limit = 0.008
    through.run()
    killed = []

    with executor("processes:1") as pool:
        def kill(state: Search) -> None:
            if not killed:
                killed.append(pool.submit(os.getpid).result())
                os.kill(killed[0], signal.SIGKILL)

        search.run(after_round=kill, executor=Counted(pool))
    assert killed
    assert search.broken
    assert (search.judged, search.bound) == (through.judged, through.bound)


def test_any_executor_will_do() -> None:
    search = Search.begin(problem("product"), Fraction(1, 50))
    with ThreadPoolExecutor(2) as pool:
        search.run(executor=pool)
    assert search.finished
    assert search.bound <= 0.02


@pytest.mark.parametrize("name", ["", "threads", "processes:0", "processes:x", "dask:", "heree"])
def test_unknown_executors_are_bad_input(name: str) -> None:
    with pytest.raises(BadInput, match="expected here"), executor(name):
        pass


def test_what_subdivision_is_not_for() -> None:
    with pytest.raises(Refused, match="dimensions"):
        certify_by_subdivision(*problem_of(stored("product"), 100, Fraction(1, 50)))
    with pytest.raises(BadInput, match="alone"):
        certify_by_subdivision(*problem_of(stored("order"), 4, Fraction(1, 50)))
    run = stored("product")
    steps = replace(run, network={**run.network, "format": "uat-network/1"})
    with pytest.raises(Refused, match="ReLU"):
        problem_of(steps, None, Fraction(1, 50))
