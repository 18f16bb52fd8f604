"""The training loop: errors fall, early stop, and a killed training goes on to the same numbers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from constructions.errors import BadInput, Refused
from constructions.targets.library import resolve
from constructions.targets.target import Target
from uat.experiments.data import Examples, examples
from uat.experiments.sumformers import KINDS, Member, StackedSumformer
from uat.experiments.training import Schedule, Trained, train

pytestmark = pytest.mark.usefixtures("one_torch_thread")
SCHEDULE = Schedule(8, batch=25, learning_rate=1e-2, every=2)


def data_of(name: str = "own-times-mean", seed: int = 0) -> Examples:
    target = resolve(name, n=None, d=None, domain="0,1")
    assert isinstance(target, Target)
    return examples([target], 200, 50, seed, torch.device("cpu"))


def stack_of(data: Examples, kind: str = "mlp", seed: int = 0) -> StackedSumformer:
    stack = StackedSumformer(kind, [Member("a", 2), Member("b", 3)], 1, 1, seed, hidden=(16, 16))
    stack.standardise(*data.spread())
    return stack


class Stopped(Exception):
    """Stands for a kill."""


def stop_at(epoch: int) -> object:
    def report(stage: str, done: int, total: int) -> None:
        if done == epoch:
            raise Stopped
    return report


@pytest.mark.parametrize("kind", KINDS)
def test_the_relative_error_really_falls(kind: str) -> None:
    data = data_of()
    stack = stack_of(data, kind)
    found = train(stack, data, Schedule(40, batch=25, learning_rate=1e-2), seed=0, name="t")
    first = found.history[0]["error"]
    assert all(best < 0.5 * before for best, before in zip(found.best, first, strict=True))
    assert all(best < 0.15 for best in found.best)
    with torch.no_grad():  # the stack holds the best weights
        predicted = stack(*stack.prepared(data.unseen_tokens))
    errors = (predicted - data.unseen_wanted).flatten(1).norm(dim=1) / data.unseen_wanted.norm()
    torch.testing.assert_close(errors, torch.tensor(found.best))


def test_the_seed_decides_everything() -> None:
    runs = [train(stack_of(data, seed=seed), data, SCHEDULE, seed=seed, name="t").history
            for seed, data in ((0, data_of()), (0, data_of()), (1, data_of(seed=1)))]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize("epoch", [3, 4])
def test_a_stopped_training_goes_on_to_the_same_numbers(tmp_path: Path, epoch: int) -> None:
    data, file = data_of(), tmp_path / "state.safetensors"
    whole, again = stack_of(data), stack_of(data)
    expected = train(whole, data, SCHEDULE, seed=0, name="t")
    with pytest.raises(Stopped):
        train(stack_of(data), data, SCHEDULE, seed=0, name="t", checkpoint=file, report=stop_at(epoch))  # type: ignore[arg-type]
    found = train(again, data, SCHEDULE, seed=0, name="t", checkpoint=file)
    assert (found.history, found.best, found.steps) == (expected.history, expected.best, expected.steps)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))


KILLED = """
import os, signal, sys
from pathlib import Path
from uat.experiments import run
from uat.experiments.figure_2 import Settings

def report(stage, done, total):
    if stage.startswith("d = 1, mlp") and done == 7:
        os.kill(os.getpid(), signal.SIGKILL)

run("figure-2", device="cpu", out=Path(sys.argv[1]), settings=Settings((1,), (1, 2), 100, 1, 10, 500), report=report)
"""


def test_a_killed_experiment_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    from uat.experiments import run
    from uat.experiments.figure_2 import Settings

    folder = tmp_path / "run"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder)], capture_output=True, check=False,
                            cwd=Path(__file__).parents[3])
    assert killed.returncode == -9, killed.stderr.decode()
    assert (folder / "polynomial-d1-from1.json").exists()
    assert (folder / "mlp-d1-from1.safetensors").exists()
    settings = Settings((1,), (1, 2), 100, 1, 10, 500)
    resumed = run("figure-2", device="cpu", out=folder, resume=True, settings=settings)
    whole = run("figure-2", device="cpu", settings=settings)

    def numbers(content: dict[str, object]) -> object:
        rows = content["rows"]
        assert isinstance(rows, list)
        return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]

    assert numbers(resumed) == numbers(whole)
    assert not list(folder.glob("*.safetensors"))


def test_training_stops_where_nothing_gets_better() -> None:
    data = data_of()
    stuck = Schedule(1000, batch=100, learning_rate=1e-12, every=1, patience=3)
    assert train(stack_of(data), data, stuck, seed=0, name="t").epochs == 4


def test_a_wall_time_is_kept() -> None:
    data = data_of()
    found: Trained = train(stack_of(data), data, Schedule(0, batch=25, seconds=0.2), seed=0, name="t")
    assert 0.2 <= found.seconds < 0.4
    assert found.steps > 10


def test_a_training_that_diverges_is_refused() -> None:
    data = data_of()
    with pytest.raises(Refused, match="loss is not finite after 1 epochs; a smaller learning rate than 1e\\+30"):
        train(stack_of(data), data, Schedule(3, batch=25, learning_rate=1e30), seed=0, name="t")


def test_damaged_and_foreign_checkpoints_are_refused(tmp_path: Path) -> None:
    data, file = data_of(), tmp_path / "state.safetensors"
    train(stack_of(data), data, Schedule(2, batch=25), seed=0, name="t", checkpoint=file)
    good = file.read_bytes()

    def resume(seed: int = 0, kind: str = "mlp") -> None:
        train(stack_of(data, kind), data, Schedule(2, batch=25), seed=seed, name="t", checkpoint=file)

    resume()
    with pytest.raises(BadInput, match="belongs to another training"):
        resume(seed=1)
    with pytest.raises(BadInput, match="does not fit the network"):
        resume(kind="polynomial")
    for damaged in (b"", good[:100], good[: len(good) // 2], b"\x80\x04K\x01."):
        file.write_bytes(damaged)
        with pytest.raises(BadInput, match="cannot be read as a checkpoint"):
            resume()
