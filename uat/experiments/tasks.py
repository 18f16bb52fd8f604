"""Synthetic tasks whose sequences can have any length: a target of the library, counting, selective mean, list operations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.draws import Space
from uat.experiments.listops import SYMBOLS, expression
from uat.experiments.stacked import derived_seed
from uat.experiments.training import relative_l2, squared_error

KINDS, WAVES = 4, 8  # symbols that are counted; wavelengths of the positions, 4, 16, ..


class Task(ABC):
    """What a network is to learn, at any length.

    Attributes:
        name: of the task.
        d, d_out: features of a token and of an output.
        measure: what :meth:`error` is.
    """

    name: str
    d: int
    d_out: int
    measure = "relative L2"

    @abstractmethod
    def draw(self, count: int, n: int, seed: int, purpose: str) -> tuple[Tensor, Tensor]:
        """Return ``count`` sequences of n tokens and what is wanted, (count, n, d) and (1, count, ..)."""

    def loss(self, predicted: Tensor, wanted: Tensor, scale: Tensor) -> Tensor:
        """Return what training minimises, for each member."""
        return squared_error(predicted, wanted, scale)

    def error(self, predicted: Tensor, wanted: Tensor) -> Tensor:
        """Return the error of each member."""
        return relative_l2(predicted, wanted)

    def ignorant(self, wanted: Tensor, unseen: Tensor) -> float:
        """Return the error on unseen examples of the best answer that does not look at the input."""
        return float(self.error(wanted.mean((1, 2), keepdim=True).expand(unseen.shape), unseen))


def _random(seed: int, purpose: str) -> np.random.Generator:
    return np.random.default_rng(derived_seed(seed, purpose))


@final
@dataclass(frozen=True)
class TargetTask(Task):
    """A library target that is defined for every length; half of the sequences uniform, half of two values and few others."""

    name: str
    d: int = 1
    d_out: int = 1

    def at(self, n: int) -> Target:
        """Return the target for one length."""
        target = resolve(self.name, n=n, d=None, domain="0,1")
        assert isinstance(target, Target)  # a library target is an expression
        return target

    def draw(self, count: int, n: int, seed: int, purpose: str) -> tuple[Tensor, Tensor]:
        """Draw sequences; means of long uniform ones hardly vary, those of two values in any proportion do."""
        target, generator = self.at(n), torch.Generator().manual_seed(derived_seed(seed, f"{self.name} {purpose} {n}"))
        space = Space.of(target.box, n, [np.zeros(0)] * target.d, "cpu", torch.float64)
        half, quarter = count - count // 2, count // 4
        parts = (space.uniform(generator, half), space.two_values(generator, quarter),
                 space.partly_equal(generator, count - half - quarter))
        tokens = torch.cat([part.contiguous() for part in parts])[torch.randperm(count, generator=generator)]
        together = max(1, 2**22 // n**2)  # f may compare each token with all others
        return tokens, torch.cat([target.torch(part) for part in torch.split(tokens, together)])[None]


@final
@dataclass(frozen=True)
class Counting(Task):
    """Which share of the sequence has the own symbol; the proportions of the symbols vary from sequence to sequence."""

    name: str = "counting"
    d: int = KINDS
    d_out: int = 1

    def draw(self, count: int, n: int, seed: int, purpose: str) -> tuple[Tensor, Tensor]:
        """Draw symbols, one-hot."""
        random = _random(seed, f"counting {purpose} {n}")
        shares = random.dirichlet(np.ones(KINDS), count).cumsum(1)
        symbols = (random.random((count, n, 1)) > shares[:, None, :-1]).sum(-1)
        one_hot = F.one_hot(torch.from_numpy(symbols), KINDS).double()
        return one_hot, (one_hot * one_hot.mean(1, keepdim=True)).sum(-1, keepdim=True)[None]


@final
@dataclass(frozen=True)
class SelectiveMean(Task):
    """The mean of the values of those tokens that carry a flag, from one of them to all."""

    name: str = "selective-mean"
    d: int = 2
    d_out: int = 1

    def draw(self, count: int, n: int, seed: int, purpose: str) -> tuple[Tensor, Tensor]:
        """Draw values and flags; values lean to a level of their sequence, so that the mean varies at every length."""
        random = _random(seed, f"selective mean {purpose} {n}")
        level, often = random.random((2, count, 1))
        flags = (random.random((count, n)) < often).astype(np.float64)
        flags[np.arange(count), random.integers(n, size=count)] = 1
        values = np.where(flags == 1, (random.random((count, n)) + level) / 2, random.random((count, n)))
        means = (values * flags).sum(1) / flags.sum(1)
        wanted = np.broadcast_to(means[None, :, None, None], (1, count, n, 1)).copy()
        return torch.from_numpy(np.stack([values, flags], axis=-1)), torch.from_numpy(wanted)


@final
@dataclass(frozen=True)
class ListOperations(Task):
    """The answer, a digit, of a nested list operation; tokens are one-hot symbols and sines of the position."""

    name: str = "list-operations"
    d: int = len(SYMBOLS) + 2 * WAVES
    d_out: int = 10
    measure: str = "wrong answers"

    def draw(self, count: int, n: int, seed: int, purpose: str) -> tuple[Tensor, Tensor]:
        """Draw expressions of nearly n symbols, filled up with ``pad``."""
        random = _random(seed, f"list operations {purpose} {n}")
        number = {symbol: k for k, symbol in enumerate(SYMBOLS)}
        rows, answers = [], []
        for _ in range(count):
            symbols, answer = expression(n, random)
            rows.append([number[symbol] for symbol in symbols] + [number["pad"]] * (n - len(symbols)))
            answers.append(answer)
        angles = torch.arange(n, dtype=torch.float64)[:, None] * (2 * torch.pi / 4.0 ** torch.arange(1, WAVES + 1))
        positions = torch.cat([angles.sin(), angles.cos()], dim=1).expand(count, n, 2 * WAVES)
        return torch.cat([F.one_hot(torch.tensor(rows), len(SYMBOLS)).double(), positions], -1), torch.tensor(answers)[None]

    def loss(self, predicted: Tensor, wanted: Tensor, scale: Tensor) -> Tensor:
        """Return the cross entropy of the mean of the tokens' outputs."""
        scores = predicted.mean(2)
        labels = wanted.expand(len(scores), -1)
        return F.cross_entropy(scores.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape).mean(1)

    def error(self, predicted: Tensor, wanted: Tensor) -> Tensor:
        """Return the share of wrong answers."""
        return (predicted.mean(2).argmax(-1) != wanted).double().mean(1)

    def ignorant(self, wanted: Tensor, unseen: Tensor) -> float:
        """Return the share of wrong answers of the most frequent answer."""
        return float((unseen != wanted.flatten().mode().values).double().mean())
