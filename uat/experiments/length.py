"""Sequences longer than in training: a trained and a constructed network on one target, four architectures on four tasks.

All four get the same loop, the same examples and about as many parameters. The constructed network's bound holds for every n.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from constructions.adapters import CompiledMeanSumformer
from constructions.continuous import ContinuousConstruction
from proofs_check.kernel import Certificate
from uat import pipeline, show
from uat.experiments.context import Context, Row
from uat.experiments.data import Examples
from uat.experiments.sequence_models import ARCHITECTURES, sequence_model
from uat.experiments.tasks import Counting, ListOperations, SelectiveMean, TargetTask, Task
from uat.experiments.training import Schedule, train
from uat.request import Request

TITLE = "Sequences longer than in training"
COLUMNS = ("task", "model", "n_train", "n", "n_parameters", "measure", "error", "ignorant", "largest_error", "certified")
VALIDATION = 500
TOKENS_AT_ONCE = 2**15


@dataclass(frozen=True)
class Settings:
    """Lengths of training and test, sequences, epochs.

    Attributes:
        target, eps: what is also constructed, and to which tolerance; a target for every n.
        target_length, task_length: of training, on the target and on the tasks.
        lengths: of the tests.
        training: sequences to train on.
        epochs: at most; training stops early where no network gets better.
        tokens: of each test set together.
        seeds: networks of each architecture.
    """

    target_length: int = 8
    task_length: int = 32
    lengths: tuple[int, ...] = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
    training: int = 20_000
    epochs: int = 200
    tokens: int = 2**20
    seeds: int = 3
    target: str = "f"
    eps: str = "1e-2"


SETTINGS = {"small": Settings(8, 16, (8, 16, 64, 512, 4096), 1000, 40, 2**15, 1), "full": Settings()}


def tasks(target: str) -> list[Task]:
    """Return the target, then the synthetic tasks."""
    return [TargetTask(target), Counting(), SelectiveMean(), ListOperations()]


def rows(settings: Settings, context: Context) -> list[Row]:
    """Test the constructed network, then train every architecture on every task and test it at all lengths."""
    found = context.unit("constructed", partial(_constructed, settings, context))
    for task in tasks(settings.target):
        for architecture in ARCHITECTURES:
            found += context.unit(f"{task.name}-{architecture}", partial(_trained, task, architecture, settings, context))
    return found


def _constructed(settings: Settings, context: Context, checkpoint: Path | None) -> list[Row]:
    request = Request(settings.target, settings.eps, architecture="sumformer")
    outcome = pipeline.run(request, None, (), samples=0, device="cpu", report=context.report)
    construction, verdict = outcome.construction, outcome.verdict
    assert isinstance(construction, ContinuousConstruction)  # of a target made of means
    network = CompiledMeanSumformer(construction.sumformer, context.device)
    proved = isinstance(verdict, Certificate) and verdict.claim.every_n
    certified = float(show.bound_text(verdict.claim.bound)) if proved else None
    common = {"task": settings.target, "model": "constructed", "n_train": None, "seed": None,
              "n_parameters": construction.sumformer.n_nonzero, "certified": certified, "seconds": sum(outcome.seconds.values())}
    task = TargetTask(settings.target)
    return [{**common, **_tested(task, lambda tokens: network(tokens)[None], n, 0, settings, context, torch.float64)}
            for n in settings.lengths if n >= settings.target_length]


def _trained(task: Task, architecture: str, settings: Settings, context: Context, checkpoint: Path | None) -> list[Row]:
    n = settings.target_length if isinstance(task, TargetTask) else settings.task_length
    names = [f"{task.name} seed={seed}" for seed in range(settings.seeds)]
    data = Examples.of(*task.draw(settings.training + VALIDATION, n, context.seed, "training"), settings.training, context.device)
    stack = sequence_model(architecture, names, task.d, task.d_out, n, context.seed)
    if data.wanted.is_floating_point():
        stack.standardise(*(part.cpu() for part in data.spread()))
    stack.to(context.device)
    schedule = Schedule(settings.epochs, batch=50, learning_rate=5e-3, patience=5)
    done = train(stack, data, schedule, seed=context.seed, name=f"{task.name}, {architecture}", report=context.report,
                 checkpoint=checkpoint, loss=task.loss, error=task.error)
    return [{"task": task.name, "model": architecture, "n_train": n, "seed": e, "n_parameters": stack.parameters_of(e),
             "certified": None, "seconds": done.seconds / settings.seeds,
             **_tested(task, lambda tokens: stack(*stack.prepared(tokens)), length, e, settings, context, torch.float32)}
            for length in settings.lengths if length >= n for e in range(settings.seeds)]


@torch.no_grad()
def _tested(task: Task, network: Callable[[Tensor], Tensor], n: int, e: int, settings: Settings, context: Context,
            dtype: torch.dtype) -> Row:
    """Return the errors of member e at one length; all networks see the same sequences."""
    tokens, wanted = task.draw(max(32, settings.tokens // n), n, context.seed, "test")
    predicted = torch.cat([network(part.to(context.device, dtype))[e:e + 1].cpu().double()
                           for part in torch.split(tokens, max(1, TOKENS_AT_ONCE // n))], dim=1)
    largest = float((predicted - wanted).abs().max()) if wanted.is_floating_point() else None
    context.report(f"{task.name} at n = {n}", 1, 1)
    return {"n": n, "measure": task.measure, "error": float(task.error(predicted, wanted)),
            "ignorant": task.ignorant(wanted, wanted), "largest_error": largest}


def reduced(settings: Settings) -> list[str]:
    """Say what a profile leaves out of the full one."""
    full = SETTINGS["full"]
    if settings == full:
        return []
    return [f"{settings.training:,} training sequences instead of {full.training:,}", f"{settings.epochs} epochs instead of "
            f"{full.epochs}", f"tasks trained at n = {settings.task_length} instead of {full.task_length}",
            f"{settings.seeds} seed instead of {full.seeds}",
            f"test sets of {settings.tokens:,} tokens instead of {full.tokens:,}"]


def finding(found: Sequence[Row]) -> str:
    """Compare, task by task, the error at the length of training with the worst one at a longer length."""
    longest = max(row["n"] for row in found)
    target = found[0]["task"]
    sentences = [f"On {target} the constructed network is off by at most {show.bound_text(Fraction(str(row['certified'])), 3)} "
                 f"at every length; largest error seen at n = {longest:,}: {show.found_text(row['largest_error'], 3)}."
                 for row in found if row["model"] == "constructed" and row["n"] == longest and row["certified"] is not None]
    for task in dict.fromkeys(row["task"] for row in found):
        what, parts, length = ("largest_error" if task == target else "error"), list[str](), 0
        for model in ARCHITECTURES:
            own = [row for row in found if row["task"] == task and row["model"] == model and row["seed"] == 0]
            if own:
                length = own[0]["n_train"]
                longer = max(row[what] for row in own if row["n"] > length)
                parts.append(f"{model} {next(row[what] for row in own if row['n'] == length):.2g} -> {longer:.2g}")
        measure = "largest error" if task == target else next(row["measure"] for row in found if row["task"] == task)
        if parts:
            sentences.append(f"{task}, {measure} at the trained n = {length} -> the worst longer one: {', '.join(parts)}.")
    return " ".join(sentences)
