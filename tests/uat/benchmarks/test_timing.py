"""Memory, FLOPs and time of calls whose cost is known."""

from __future__ import annotations

import time

import pytest
import torch

from uat.benchmarks.timing import flops_of, interleaved, peak_bytes

CPU = torch.device("cpu")


def test_the_peak_is_what_is_held_at_once_and_not_the_sum_of_all() -> None:
    def call() -> torch.Tensor:
        total = torch.zeros(1000, dtype=torch.float64)
        for _ in range(5):
            total = total + torch.ones(1000, dtype=torch.float64)
        return total

    assert 3 * 8000 <= peak_bytes(call, CPU) < 3 * 8000 + 1000


def test_memory_that_was_there_before_does_not_count() -> None:
    kept = torch.ones(10**6, dtype=torch.float64)
    assert peak_bytes(lambda: kept.add_(1), CPU) < 1000


def test_the_scores_of_attention_are_seen() -> None:
    n = 512
    Q = torch.rand(n, 8, dtype=torch.float64)
    peak = peak_bytes(lambda: torch.softmax(Q @ Q.mT, dim=-1) @ Q, CPU)
    assert 2 * 8 * n**2 <= peak < 2.1 * 8 * n**2


def test_flops_are_two_a_multiply_add_also_of_fused_attention() -> None:
    A, B = torch.rand(3, 5), torch.rand(5, 7)
    assert flops_of(lambda: A @ B)[0] == 2 * 3 * 5 * 7
    Q = torch.rand(1, 1, 64, 16)
    assert flops_of(lambda: torch.nn.functional.scaled_dot_product_attention(Q, Q, Q))[0] == 4 * 64**2 * 16


def test_calls_take_turns_and_each_gets_its_number() -> None:
    order: list[str] = []
    found = interleaved([lambda: order.append("a"), lambda: order.append("b")], [3, 2], CPU)
    assert order == ["a", "b", "a", "b", "a"]
    assert [spread.calls for spread in found] == [3, 2]


def test_the_median_of_a_call_is_its_time() -> None:
    (spread,) = interleaved([lambda: time.sleep(0.01)], [5], CPU)
    assert 0.01 <= spread.low <= spread.median <= spread.high
    assert spread.median == pytest.approx(0.01, abs=0.04)
