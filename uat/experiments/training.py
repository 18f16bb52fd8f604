"""One training loop for every stack: Adam with a cosine schedule, by epochs or by wall time, resumable after any epoch.

Batches are drawn anew for each epoch from (seed, epoch), so that a resumed training sees what the uninterrupted one would have
seen. A member's best weights are kept as they were when its validation error was lowest.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from constructions.errors import Refused
from constructions.progress import Report, silent
from uat.experiments import checkpoints
from uat.experiments.data import Examples
from uat.experiments.stacked import derived_seed

FINAL_RATE = 0.01  # of the learning rate, at the end of the cosine
ENOUGH = 0.999  # an error below this share of the best one counts as better
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
Error = Callable[[Tensor, Tensor], Tensor]


class Stack(Protocol):
    """What the loop needs of a stack beside being a module."""

    scale: Tensor

    def prepared(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """Return what of the input does not depend on weights, sequences first."""


@dataclass(frozen=True)
class Schedule:
    """How long and how to train.

    Attributes:
        epochs: number of epochs; 0 where ``seconds`` decides.
        batch: sequences a step.
        learning_rate: of Adam, at the start of the cosine.
        every: epochs between validations.
        patience: validations without a better error after which a member has stalled; training ends when all have. 0 for never.
        seconds: wall time to spend instead of epochs, validation not counted.
    """

    epochs: int
    batch: int = 100
    learning_rate: float = 2e-3
    every: int = 5
    patience: int = 0
    seconds: float = 0.0


@dataclass
class Trained:
    """What a training found out.

    Attributes:
        history: an entry a validation: epoch, and the error of every member.
        best: the lowest error of every member.
        epochs, steps: how many were made.
        seconds: wall time of the steps, validation and storing not counted.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    best: list[float] = field(default_factory=list)
    waited: list[int] = field(default_factory=list)
    epochs: int = 0
    steps: int = 0
    seconds: float = 0.0


def squared_error(predicted: Tensor, wanted: Tensor, scale: Tensor) -> Tensor:
    """Return the mean squared error of every member, in units of the targets' spread."""
    return ((predicted - wanted) / scale).square().flatten(1).mean(1)


def relative_l2(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Return ||predicted - wanted|| / ||wanted|| over all sequences, tokens and outputs, of every member."""
    return (predicted - wanted).flatten(1).norm(dim=1) / wanted.flatten(1).norm(dim=1)


def train(stack: nn.Module, data: Examples, schedule: Schedule, *, seed: int, name: str, report: Report = silent,
          checkpoint: Path | None = None, loss: Loss = squared_error, error: Error = relative_l2) -> Trained:
    """Train all members; afterwards the stack holds each member's best weights.

    Args:
        stack: (members, ..) parameters; a :class:`Stack`. It is on the device of the data.
        data: training and validation examples.
        schedule: how long.
        seed, name: decide the batches; ``name`` is also what the progress bar says.
        report: progress in epochs.
        checkpoint: file to go on from if it exists, and to keep the state in after every validation.
        loss: of (predicted, wanted, scale of the outputs), for each member.
        error: of (predicted, wanted), for each member.

    Raises:
        Refused: the loss is not finite.
        BadInput: the checkpoint is damaged or belongs to another training.
    """
    loop = _Loop(stack, data, schedule, seed, name, loss, error)
    if checkpoint is not None and checkpoint.exists():
        loop.resume(checkpoint)
    total = schedule.epochs if not schedule.seconds else 0
    while not loop.finished:
        loop.epoch()
        report(name, loop.found.epochs, total)
        if loop.found.epochs % schedule.every == 0 or loop.finished:
            loop.validate()
            if checkpoint is not None:
                loop.store(checkpoint)
    loop.restore_best()
    return loop.found


class _Loop:
    """The state of one training."""

    def __init__(self, stack: nn.Module, data: Examples, schedule: Schedule, seed: int, name: str, loss: Loss,
                 error: Error) -> None:
        self.stack, self.data, self.schedule, self.seed, self.name = stack, data, schedule, seed, name
        self.loss, self.error = loss, error
        self.weights = dict(stack.named_parameters())
        self.adam = torch.optim.Adam(list(self.weights.values()), lr=schedule.learning_rate)
        self.best = {key: value.detach().clone() for key, value in self.weights.items()}
        members = len(next(iter(self.weights.values())))
        self.found = Trained(best=[math.inf] * members, waited=[0] * members)
        with torch.no_grad():
            prepared = cast(Stack, stack).prepared
            self.inputs, self.unseen = prepared(data.tokens), prepared(data.unseen_tokens)
        words = json.dumps({"schedule": asdict(schedule), "seed": seed, "name": name, "data": data.digest})
        self.about = hashlib.sha256(words.encode()).hexdigest()

    @property
    def share(self) -> float:
        """The part of the training that is done."""
        if self.schedule.seconds:
            return self.found.seconds / self.schedule.seconds
        return self.found.epochs / self.schedule.epochs

    @property
    def finished(self) -> bool:
        stalled = bool(self.schedule.patience) and min(self.found.waited) >= self.schedule.patience
        return stalled or self.share >= 1

    def epoch(self) -> None:
        self.stack.train()
        generator = torch.Generator().manual_seed(derived_seed(self.seed, f"{self.name} batches {self.found.epochs}"))
        order = torch.randperm(len(self.data.tokens), generator=generator).to(self.data.tokens.device)
        start, before, last = time.perf_counter(), self.found.seconds, None
        batches = torch.split(order, self.schedule.batch)
        first = self.share
        for number, rows in enumerate(batches):
            done = self.share if self.schedule.seconds else first + number / (len(batches) * self.schedule.epochs)
            if done >= 1:
                break
            rate = FINAL_RATE + (1 - FINAL_RATE) * (1 + math.cos(math.pi * done)) / 2
            self.adam.param_groups[0]["lr"] = self.schedule.learning_rate * rate
            predicted = self.stack(*(part[rows] for part in self.inputs))
            last = self.loss(predicted, self.data.wanted[:, rows], cast(Tensor, self.stack.scale)).sum()
            self.adam.zero_grad()
            last.backward()  # type: ignore[no-untyped-call]
            self.adam.step()
            self.found.steps += 1
            self.found.seconds = before + time.perf_counter() - start
        if last is not None and not math.isfinite(float(last.detach())):
            raise Refused(f"{self.name}: the loss is not finite after {self.found.epochs + 1} epochs; a smaller learning rate "
                          f"than {self.schedule.learning_rate:g} is needed")
        self.found.seconds = before + time.perf_counter() - start
        self.found.epochs += 1

    @torch.no_grad()
    def validate(self) -> None:
        self.stack.eval()
        parts = [self.stack(*(part[rows] for part in self.unseen))
                 for rows in torch.split(torch.arange(len(self.data.unseen_tokens)), 10 * self.schedule.batch)]
        errors = self.error(torch.cat(parts, dim=1), self.data.unseen_wanted).tolist()
        better = [now < ENOUGH * before for now, before in zip(errors, self.found.best, strict=True)]
        lower = torch.tensor([now < before for now, before in zip(errors, self.found.best, strict=True)])
        for key, value in self.weights.items():
            mask = lower.to(value.device).view(-1, *[1] * (value.ndim - 1))
            self.best[key] = torch.where(mask, value.detach(), self.best[key])
        self.found.best = [min(pair) for pair in zip(errors, self.found.best, strict=True)]
        self.found.waited = [0 if good else waited + 1 for good, waited in zip(better, self.found.waited, strict=True)]
        self.found.history.append({"epoch": self.found.epochs, "error": errors})

    def restore_best(self) -> None:
        with torch.no_grad():
            for key, value in self.weights.items():
                value.copy_(self.best[key])
        self.stack.eval()

    def _tensors(self) -> dict[str, Tensor]:
        moments = {f"adam.{kind}.{key}": self.adam.state[value][kind] if value in self.adam.state else torch.zeros_like(value)
                   for key, value in self.weights.items() for kind in ("exp_avg", "exp_avg_sq")}
        return {**{f"weights.{key}": value.detach() for key, value in self.weights.items()}, **moments,
                **{f"best.{key}": value for key, value in self.best.items()}}

    def store(self, path: Path) -> None:
        checkpoints.store(path, self._tensors(), asdict(self.found), self.about)

    def resume(self, path: Path) -> None:
        tensors, state = checkpoints.load(path, self._tensors(), self.about)
        self.found = Trained(**state)
        with torch.no_grad():
            for key, value in self.weights.items():
                value.copy_(tensors[f"weights.{key}"])
                self.best[key] = tensors[f"best.{key}"].to(value.device)
                self.adam.state[value] = self._moments(key, value, tensors)

    def _moments(self, key: str, value: Tensor, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"step": torch.tensor(float(self.found.steps)),
                **{kind: tensors[f"adam.{kind}.{key}"].to(value.device) for kind in ("exp_avg", "exp_avg_sq")}}
