"""Synthetic tasks: the wanted values are what they say, at any length."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from uat.experiments.listops import SYMBOLS, expression, value_of
from uat.experiments.tasks import Counting, ListOperations, SelectiveMean, TargetTask, Task


@pytest.mark.parametrize("length", [1, 2, 3, 7, 16, 100, 4096])
def test_generated_expressions_have_the_answer_of_the_oracle(length: int) -> None:
    for seed in range(20 if length < 1000 else 3):
        symbols, answer = expression(length, np.random.default_rng(seed))
        assert value_of(symbols) == answer
        assert len(symbols) <= length
        assert len(symbols) >= 0.6 * length or length < 3


def test_the_oracle_reads_every_operator() -> None:
    texts = ("[MAX 1 9 3 ]", "[MIN 4 2 ]", "[MED 1 9 3 ]", "[SM 7 8 ] pad", "5")
    assert [value_of(text.split()) for text in texts] == [9, 2, 3, 5, 5]


@pytest.mark.parametrize("task", [TargetTask("f"), Counting(), SelectiveMean(), ListOperations()], ids=lambda task: task.name)
def test_examples_have_the_shapes_of_the_task_and_follow_the_seed(task: Task) -> None:
    tokens, wanted = task.draw(6, 9, 0, "test")
    assert tokens.shape == (6, 9, task.d)
    assert wanted.shape == ((1, 6) if isinstance(task, ListOperations) else (1, 6, 9, task.d_out))
    again, other = task.draw(6, 9, 0, "test")[0], task.draw(6, 9, 1, "test")[0]
    assert torch.equal(tokens, again)
    assert not torch.equal(tokens, other)
    assert task.ignorant(wanted, wanted) > 0.05


def test_counting_counts_the_own_symbol() -> None:
    tokens, wanted = Counting().draw(4, 7, 0, "test")
    symbols = tokens.argmax(-1).tolist()
    naive = [[row.count(own) / 7 for own in row] for row in symbols]
    torch.testing.assert_close(wanted[0, ..., 0], torch.tensor(naive, dtype=torch.float64))


def test_selective_mean_is_the_mean_of_the_flagged() -> None:
    tokens, wanted = SelectiveMean().draw(5, 8, 0, "test")
    for sequence, values in zip(tokens, wanted[0], strict=True):
        flagged = sequence[sequence[:, 1] == 1, 0]
        torch.testing.assert_close(values[:, 0], flagged.mean().expand(8))


def test_list_operations_are_scored_by_wrong_answers() -> None:
    task = ListOperations()
    tokens, wanted = task.draw(5, 12, 0, "test")
    read = [value_of([SYMBOLS[k] for k in row]) for row in tokens[..., : len(SYMBOLS)].argmax(-1).tolist()]
    assert read == wanted[0].tolist()
    right = torch.nn.functional.one_hot(wanted, 10).double()[:, :, None].expand(1, 5, 12, 10)
    assert float(task.error(right, wanted)) == 0
    assert float(task.error(-right, wanted)) == 1
    assert float(task.loss(50 * right, wanted, torch.ones(1))) < 1e-6
