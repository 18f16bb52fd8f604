"""Where a subdivision meets the limits of floats, of its file, of its network: it ends, claims nothing wrong, loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions.domains import Box
from constructions.errors import BadInput
from constructions.network.relu import MeanSumformer, ReluLayer
from constructions.targets.target import Target
from proofs_check.bends import token_bends
from proofs_check.boxes import Boxes, Judged
from proofs_check.checkpoints import resume, store
from proofs_check.kernel import Certificate, Claim, Refuted, Undecided
from proofs_check.subdivision import certify_by_subdivision
from proofs_check.sup_norm import Problem, Search, judge
from tests.proofs_check.test_sup_norm import problem

ULP = Fraction(2) ** -52


def against(text: str, value: float, domain: str | Box, n: int = 2) -> Problem:
    """A target of tokens with one coordinate, and the constant network."""
    box = Box.parse(domain, 1) if isinstance(domain, str) else domain
    target = Target.from_text(text, n=n, box=box)
    return Problem.of(target.outputs, constant(value), n, box.sides)


def constant(value: float) -> MeanSumformer:
    """A network without units, without means."""
    return MeanSumformer(("x.0",), (), (), (), (), np.zeros((0, 1)), np.array([value]))


def claim_of(asked: Problem, bound: Fraction) -> Claim:
    return Claim("f", "f", asked.n, asked.d, len(asked.outputs), asked.sides, ("sumformer",), bound)


@pytest.mark.parametrize("ulps", [1, 2, 3, 5])
def test_a_domain_a_few_numbers_wide_is_cut_until_there_is_nothing_to_cut(ulps: int) -> None:
    asked = against("x*x - 1 + 1e30*(x - 1)", 0.0, Box((Fraction(1),), (1 + ulps * ULP,)))
    search = Search.begin(asked, Fraction(1, 10**20))
    search.limit = 1e15 * ulps  # not reached: the value is 1e30 * ulps * 2e-16 at the end
    rounds = 0
    while search.waiting.bound.size and rounds < 200:
        search.step()
        rounds += 1
    assert not search.waiting.bound.size
    assert search.bound >= 1e30 * ulps * float(ULP)
    assert max(level for _, level, _ in search.leaves) <= 20


def test_a_thin_side_beside_a_wide_one_is_cut_until_there_is_nothing_to_cut() -> None:
    """The first side is eight numbers wide, and what the target does there outweighs all else."""
    box = Box((Fraction(10**6), Fraction(0)), (Fraction(10**6) + Fraction(2) ** -30, Fraction(1)))
    target = Target.from_text("1e25*(x[0] - 1e6) + x[1]", n=2, box=box)
    zero = MeanSumformer(("x.0", "x.1"), (), (), (), (), np.zeros((0, 1)), np.zeros(1))
    search = Search.begin(Problem.of(target.outputs, zero, 2, box.sides), Fraction(10**15))
    for _ in range(12):
        search.step()
    waiting = search.waiting
    there = np.column_stack([waiting.lower, waiting.upper, waiting.case])
    assert len(np.unique(there, axis=0)) == len(there)  # the same box never waits twice
    assert search.bound >= 1e25 * 2.0**-30


@given(st.integers(0, 10**6))
def test_a_cut_box_is_smaller_on_both_sides(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lower = rng.uniform(-1, 1, (20, 2)) * 10.0 ** rng.integers(-300, 300, (20, 2))
    upper = lower + np.abs(lower) * rng.choice([0.0, 2.0**-52, 2.0**-50, 1.0], (20, 2))
    boxes = Boxes(lower, upper, np.zeros(20), np.zeros(20, int), np.zeros(20, int))
    asked = against("x", 0.0, "0,1")
    for coordinate in range(2):
        cut = boxes.take(boxes.divisible[:, coordinate])
        places = asked.cuts(cut, np.full(cut.bound.size, coordinate))
        assert (cut.lower[:, coordinate] < places).all()
        assert (places < cut.upper[:, coordinate]).all()
        whole = boxes.take(~boxes.divisible[:, coordinate])
        assert (np.nextafter(whole.lower[:, coordinate], np.inf) >= whole.upper[:, coordinate]).all()


def test_an_error_outside_the_domain_does_not_occur() -> None:
    """[1/3, 1/3 + 2^-60] holds no float64 number: the box around it has its centre outside, where f is 1."""
    third = Fraction(1, 3)
    inside = against("1e30*relu(1/3 - x)", 0.0, Box((third,), (third + Fraction(1, 2**60),)))
    search = Search.begin(inside, Fraction(1, 10**20))
    search.run(10)
    assert search.occurs == 0.0
    assert search.witness is None
    lower, upper = search.problem.start().lower[:1], search.problem.start().upper[:1]
    assert not inside.contains(lower).any()
    assert not inside.contains(upper).any()


@given(st.fractions(-2, 2, max_denominator=1000), st.fractions(0, 2, max_denominator=1000).filter(bool), st.integers(-2, 2))
def test_the_domain_is_compared_exactly(low: Fraction, width: Fraction, steps: int) -> None:
    asked = against("x", 0.0, Box((low,), (low + width,)))
    for end in (low, low + width):
        value = float(end)
        for _ in range(abs(steps)):
            value = float(np.nextafter(value, steps * np.inf))
        point = np.array([[value, value]])
        assert bool(asked.contains(point)[0]) is (low <= Fraction(value) <= low + width)


def test_what_is_no_number_is_no_bound() -> None:
    class Broken(Problem):
        def judge(self, batch: Boxes) -> Judged:
            nothing = np.full(batch.bound.size, np.nan)
            return Judged(nothing, np.full_like(batch.lower, np.nan), np.zeros(batch.bound.size))

    asked = problem("attention")
    search = Search.begin(Broken(asked.outputs, asked.network, asked.n, asked.sides), Fraction(1, 50))
    search.step()
    search.step()
    assert search.bound == np.inf


@pytest.mark.parametrize("network", [
    constant(0.5),
    MeanSumformer(("x.0",), (ReluLayer((), np.zeros((0, 2)), np.ones(2), ("c",), np.full((2, 1), 0.25)),), (), (), ("c",),
                  np.ones((1, 1)), np.zeros(1)),
    MeanSumformer(("x.0",), (ReluLayer(("x.0",), np.zeros((1, 0)), np.zeros(0), ("c",), np.zeros((0, 1))),), ("c",), (),
                  ("mean.c",), np.ones((1, 1)), np.full(1, 0.5))])
def test_constant_networks_are_certified(network: MeanSumformer) -> None:
    """Without units, with units of a constant alone, with a layer of none."""
    target = Target.from_text("1/2", n=2, box=Box.parse("0,1", 1))
    asked = Problem.of(target.outputs, network, 2, target.box.sides)
    assert token_bends(network, 0.0, 1.0).size == 0
    search = Search.begin(asked, Fraction(1, 10**12))
    search.run(10)
    assert search.finished
    assert search.bound <= 1e-12
    wrong = Search.begin(replace(asked, network=replace(network, b_out=network.b_out + 1e-3)), Fraction(1, 10**12))
    wrong.run(10)
    assert wrong.witness is not None


def test_a_refuted_search_is_refuted_again_from_its_file(tmp_path: Path) -> None:
    asked, file = problem("product"), tmp_path / "state.npz"
    claim = claim_of(asked, Fraction(1, 1000))
    first, search = certify_by_subdivision(claim, asked, checkpoint=file)
    assert isinstance(first, Refuted)
    again, _ = certify_by_subdivision(claim, asked, checkpoint=file)
    assert isinstance(again, Refuted)
    assert again.reason == first.reason
    assert search.occurs > 1e-3


def test_what_was_proved_is_reported_when_memory_ends() -> None:
    def full(state: Search) -> None:
        if state.judged > 100:
            raise MemoryError

    asked = problem("attention")
    verdict, search = certify_by_subdivision(claim_of(asked, Fraction(1, 125)), asked, after_round=full)
    assert isinstance(verdict, Undecided)
    assert verdict.best_bound == Fraction(search.bound)
    assert search.judged > 100


def test_a_finished_search_is_read_back_finished(tmp_path: Path) -> None:
    asked, file = problem("product"), tmp_path / "state.npz"
    claim = claim_of(asked, Fraction(1, 50))
    first, search = certify_by_subdivision(claim, asked, checkpoint=file)
    again, read = certify_by_subdivision(claim, asked, checkpoint=file)
    assert isinstance(first, Certificate)
    assert isinstance(again, Certificate)
    assert (again.proved_bound, read.judged) == (first.proved_bound, search.judged)


def test_two_runs_may_write_one_checkpoint(tmp_path: Path) -> None:
    asked, file = problem("attention"), tmp_path / "state.npz"
    search = Search.begin(asked, Fraction(1, 50))
    search.step()
    failed: list[BaseException] = []

    def writing() -> None:
        try:
            for _ in range(30):
                store(search, file)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=writing) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert resume(asked, search.limit, file).judged == search.judged
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


def test_an_interrupted_write_leaves_the_earlier_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, file = problem("attention"), tmp_path / "state.npz"
    search = Search.begin(asked, Fraction(1, 50))
    store(search, file)
    whole = file.read_bytes()

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store(search, file)
    assert file.read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


@pytest.mark.parametrize(("name", "change"), [
    ("lower", lambda a: a.astype("<U5")), ("upper", lambda a: a.astype(np.complex128)), ("bound", lambda a: a.astype("S3")),
    ("lower", lambda a: a.astype(np.float32)), ("bound", lambda a: a[None]), ("case", lambda a: a.astype(np.uint8)),
    ("level", lambda a: a.astype(np.int8)), ("lower", lambda a: a.reshape(-1)), ("settled", lambda a: np.array(np.nan)),
    ("occurs", lambda a: np.array(np.nan)), ("settled", lambda a: np.array(-1.0)), ("judged", lambda a: np.array(-3))])
def test_a_checkpoint_of_other_arrays_is_bad_input(name: str, change: Callable[[np.ndarray], np.ndarray], tmp_path: Path) -> None:
    asked, file = problem("attention"), tmp_path / "state.npz"
    search = Search.begin(asked, Fraction(1, 50))
    search.step()
    store(search, file)
    with np.load(file) as state:
        arrays = dict(state)
    np.savez(file, **{**arrays, name: change(arrays[name])})
    with pytest.raises(BadInput):
        resume(asked, search.limit, file)


@pytest.mark.parametrize("content", [b"", b"a text", b"\x93NUMPY", b"PK\x03\x04"])
def test_a_file_of_another_kind_is_bad_input_without_advice_to_trust_it(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "state.npz").write_bytes(content)
    with pytest.raises(BadInput, match="cannot be read as a checkpoint") as refusal:
        resume(problem("attention"), 0.5, tmp_path / "state.npz")
    assert "pickle" not in str(refusal.value)


def test_a_deep_search_is_read_back(tmp_path: Path) -> None:
    """A coordinate may be cut more often than a float has bits: towards 0, while the other stays wide."""
    class AtZero(Problem):
        def judge(self, batch: Boxes) -> Judged:
            upper = np.where(batch.lower[:, 1] == 0, np.inf, 0.0)
            return Judged(upper, np.broadcast_to([0.0, 1.0], batch.lower.shape), np.zeros(batch.bound.size))

    plain, file = against("x", 0.0, "0,1"), tmp_path / "state.npz"
    asked = AtZero(plain.outputs, plain.network, 2, plain.sides)
    search = Search.begin(asked, Fraction(1))
    for _ in range(300):
        search.step()
    assert max(level for _, level, _ in search.leaves) == 300
    store(search, file)
    assert resume(asked, search.limit, file).leaves == search.leaves


@pytest.mark.parametrize("delay", [0.0, 0.2, 0.5])
def test_ctrl_c_does_not_reach_workers_that_are_starting(delay: float) -> None:
    code = ("from proofs_check.executors import executor\nimport signal, time\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a job in the background ignores it
            "try:\n"
            "    with executor('processes:2') as pool:\n"
            "        pool.start()\n"
            "        print('started', flush=True)\n"
            "        time.sleep(20)\n"
            "except KeyboardInterrupt:\n"
            "    print('interrupted')\n")
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGINT)  # the terminal's Ctrl-C: to the whole group
    out, err = process.communicate(timeout=60)
    assert out == "interrupted\n"
    assert err == ""
    assert process.returncode == 0


@pytest.mark.parametrize("place", [0.25, 0.5])
def test_nothing_is_claimed_where_values_overflow(place: float) -> None:
    asked = against("1e300*x*1e300", 0.0, "0,1")
    box = Boxes(np.full((1, 2), place), np.full((1, 2), 0.75), np.array([np.inf]), np.array([0]), np.array([0]))
    found = judge(asked, box, 0)
    assert found.upper[0] == np.inf
