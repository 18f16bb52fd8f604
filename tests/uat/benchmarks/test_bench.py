"""``uat bench``: the record, what is left out, and the words for an engineer."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch

from constructions.adapters import CompiledMeanSumformer
from constructions.progress import silent
from tests.uat.conftest import Uat
from uat.benchmarks import PROFILES, measure
from uat.benchmarks.command import sentence, shown_lengths
from uat.benchmarks.contenders import COMPILED, CONTENDERS, PEER
from uat.benchmarks.measuring import certified_network
from uat.records import read_record

ROW = {"architecture", "n", "dtype", "device", "n_parameters", "flops", "seconds", "seconds_low", "seconds_high", "peak_bytes",
       "calls", "max_deviation"}
SMALL = ("--target", "x*mean(y)", "--eps", "1/100", "--lengths", "16,32,64")


def test_the_record_is_written_complete_and_certified(uat: Uat, tmp_path: Path) -> None:
    answer = uat("bench", *SMALL, "--out", "new/bench.json")
    assert answer.code == 0, answer.err
    record = read_record(tmp_path / "new/bench.json", "bench")
    assert {(row["architecture"], row["dtype"], row["n"]) for row in record["rows"]} == {
        (name, dtype, n) for name in CONTENDERS for dtype in ("float64", "float32") for n in (16, 32, 64)}
    for row in record["rows"]:
        assert set(row) == ROW
        assert 0 < row["seconds_low"] <= row["seconds"] <= row["seconds_high"]
    for network in record["networks"]:
        assert network["status"] == "certified"
        assert Fraction(network["certified_bound_exact"]) <= Fraction(1, 100)
        assert set(network["proved_for"]) == {"sumformer", "transformer", "linformer", "performer"}
        assert network["evaluated_up_to"] >= 64
    assert {(fit["architecture"], fit["dtype"]) for fit in record["fits"]} == {
        (name, dtype) for name in CONTENDERS for dtype in ("float64", "float32")}
    assert PEER not in {row["architecture"] for row in record["break_even"]}
    assert "same function, same guaranteed error" in answer.out
    assert "load average" in answer.err


def test_every_architecture_computes_the_same_function_to_rounding(uat: Uat) -> None:
    record = uat("bench", *SMALL, "--json").json
    limits = {"float64": 1e-12, "float32": 1e-5}
    for row in record["rows"]:
        if row["architecture"] == PEER:
            assert row["max_deviation"] is None
        else:
            assert row["max_deviation"] < limits[row["dtype"]], row


def test_flops_of_the_linear_architectures_are_linear_and_of_attention_quadratic(uat: Uat) -> None:
    rows = uat("bench", *SMALL, "--dtype", "float64", "--json").json["rows"]
    flops = {name: [row["flops"] for row in rows if row["architecture"] == name] for name in CONTENDERS}
    assert flops["performer"][2] == 4 * flops["performer"][0]
    assert flops[PEER][2] == 16 * flops[PEER][0]


def test_memory_that_a_network_keeps_for_its_next_call_is_counted() -> None:
    network = certified_network("x*mean(y)", "1/100", "float64", 1024)
    record = measure("fast", device="cpu", seed=0, report=silent, target="x*mean(y)", eps="1/100", lengths=[1024],
                     dtypes=["float64"])
    row = next(row for row in record["rows"] if row["architecture"] == COMPILED)
    held = 8 * 1024 * CompiledMeanSumformer(network.sumformer).width
    assert held <= row["peak_bytes"] < 2 * held


def test_a_length_beyond_the_limits_is_left_out_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROFILES, "fast", dataclasses.replace(PROFILES["fast"], call_bytes=200_000))
    record = measure("fast", device="cpu", seed=0, report=silent, target="x*mean(y)", eps="1/10", lengths=[32, 64, 1024],
                     dtypes=["float64"])
    left_out = {(row["architecture"], row["n"]) for row in record["skipped"]}
    assert ("transformer", 1024) in left_out
    assert ("transformer", 32) not in left_out
    assert {row["n"] for row in record["rows"] if row["architecture"] == "transformer"} == {32, 64}
    assert all("GiB" in row["reason"] or "s, more than" in row["reason"] for row in record["skipped"])


@pytest.mark.parametrize("lengths", [[16, 4096], [4096]])
def test_linear_cost_is_known_to_be_linear_before_a_much_longer_length_is_left_out(
        lengths: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A module keeps some 10 kB for 64 tokens: growing as n that is 1 MB for 4,096, and growing as n^2 it would be 50."""
    monkeypatch.setitem(PROFILES, "fast", dataclasses.replace(PROFILES["fast"], call_bytes=5_000_000, call_seconds=60.0))
    record = measure("fast", device="cpu", seed=0, report=silent, target="x*mean(y)", eps="1/10", lengths=lengths,
                     dtypes=["float64"])
    longest = {row["architecture"]: row["peak_bytes"] for row in record["rows"] if row["n"] == 4096}
    assert {"linformer", "performer", COMPILED} <= set(longest)
    assert max(longest.values()) < 5_000_000
    assert [(row["architecture"], row["n"]) for row in record["skipped"]] == [("transformer", 4096)]
    assert {row["n"] for row in record["rows"]} == set(lengths)


def test_a_call_without_memory_ends_its_architecture_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    from constructions.adapters import attention

    def greedy(X: torch.Tensor, w: Any) -> torch.Tensor:
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes.")

    monkeypatch.setitem(attention.FORMULAS, "linformer", greedy)
    record = measure("fast", device="cpu", seed=0, report=silent, target="x*mean(y)", eps="1/10", lengths=[16, 32],
                     dtypes=["float64"])
    assert {(row["architecture"], row["reason"][-15:]) for row in record["skipped"]} == {("linformer", "found no memory")}
    assert len(record["rows"]) == 2 * (len(CONTENDERS) - 1)


@pytest.mark.parametrize(("options", "message"), [
    (("--profile", "slow"), "--profile 'slow'"), (("--lengths", "1"), "--lengths 1: expected"),
    (("--lengths", "a"), "--lengths a: expected whole numbers"),
    (("--dtype", "float16"), "--dtype 'float16'"), (("--device", "tpu"), "--device 'tpu'"), (("--eps", "0"), "--eps 0"),
    (("--target", "foo"), "foo"), (("--out", "."), "--out .: expected")])
def test_bad_input_is_answered_by_one_message(uat: Uat, options: tuple[str, ...], message: str) -> None:
    answer = uat("bench", "--lengths", "16", *options)
    assert answer.code == 2
    assert message in answer.message
    assert "Traceback" not in answer.err


def test_a_network_for_one_length_alone_is_refused(uat: Uat) -> None:
    answer = uat("bench", "--target", "max", "--eps", "1e-1", "--lengths", "16")
    assert answer.code == 1
    assert "refused" in answer.err


def test_the_sentence_names_the_break_even_and_where_there_is_none() -> None:
    found = {"break_even": [{"architecture": "linformer", "dtype": "float64", "n": 1200, "at_most": False},
                            {"architecture": "transformer", "dtype": "float64", "n": None, "at_most": False, "up_to": 4096},
                            {"architecture": "performer", "dtype": "float64", "n": None, "at_most": False, "up_to": None},
                            {"architecture": "sumformer-compiled", "dtype": "float64", "n": 64, "at_most": True}]}
    said = sentence(found, {"dtype": "float64", "certified_bound": "0.009", "width": 54})
    assert "guaranteed error (0.009, for every n)" in said
    assert "linformer at n = 1,200" in said
    assert "sumformer-compiled at n <= 64" in said
    assert "transformer none up to n = 4,096" in said
    assert "performer timed at no length of the peer's" in said


def test_at_most_six_lengths_are_shown_the_longest_among_them() -> None:
    for count in range(14):
        lengths = [2**k for k in range(6, 6 + count)]
        shown = shown_lengths(lengths)
        assert len(shown) <= 6
        assert set(shown) <= set(lengths)
        assert shown[-1:] == lengths[-1:]


@pytest.mark.gpu
def test_on_a_gpu_the_same_function_is_timed_and_its_memory_seen() -> None:
    record = measure("fast", device="cuda", seed=0, report=silent, lengths=[256, 1024, 4096])
    assert record["device"] == "cuda"
    assert record["device_name"]
    limits = {"float64": 1e-11, "float32": 1e-3}
    for row in record["rows"]:
        assert row["peak_bytes"] > 0
        assert row["max_deviation"] is None or row["max_deviation"] < limits[row["dtype"]]
