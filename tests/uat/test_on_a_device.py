"""What takes --device runs on a second device: no tensor is left on the processor, no name of torch.cuda is misspelt."""

from __future__ import annotations

import inspect
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from constructions.adapters import CompiledMeanSumformer, CompiledSumformer
from constructions.adapters.torch_architecture import TorchArchitecture
from constructions.continuous import compile_target
from constructions.progress import silent
from constructions.targets.target import Target
from proofs_check import witness
from proofs_check.bandwidth import copy_bandwidth
from proofs_check.draws import Space
from proofs_check.kernel import Status
from proofs_check.repeated import Repeated
from proofs_check.runner import Settings, run_one
from proofs_check.sampling import sample
from proofs_check.streamed import stream
from proofs_check.witness import thresholds_of
from tests.constructions.adapters import test_compiled, test_torch_architecture
from tests.pretend_device import PretendModule, pretend_device
from tests.uat.conftest import Uat
from uat import devices, experiments
from uat.benchmarks import measuring
from uat.experiments import figure_2, length
from uat.request import Request

CPU = torch.device("cpu")
# Registered while tests are collected: torch counts its devices at the first gradient that is asked for in a process, and takes
# none that comes later.
PRETEND = pretend_device()


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, one_torch_thread: None) -> torch.device:
    """The pretend device, in the place of the first GPU."""
    def chosen(name: str) -> torch.device:
        return CPU if name == "cpu" else PRETEND

    monkeypatch.setattr(witness, "choose_device", chosen)
    monkeypatch.setattr(measuring, "choose_device", chosen)
    monkeypatch.setattr(devices, "check_device", lambda name: None)
    return PRETEND


@cache
def continuous(text: str, n: int) -> tuple[Target, Any]:
    target = Request(text, "1/10", n=n).resolved(n)[0]
    assert isinstance(target, Target)
    return target, compile_target(target, Fraction(1, 10), "sum-decomposition")[1].sumformer


@pytest.mark.parametrize(("text", "n"), [("f", 3), ("standardise", 3), ("x*mean(y)", 9)])
def test_the_search_finds_the_same_there(text: str, n: int, there: torch.device) -> None:
    """All phases: uniform, Sobol, corners, boundaries, ties, two values, ascent, refinement."""
    target, network = continuous(text, n)
    here, found = (sample(target, CompiledMeanSumformer(network, device), target.box, n, thresholds_of(network, target), 2000,
                          device, 1) for device in (CPU, there))
    assert found.maximum == pytest.approx(here.maximum, rel=1e-12)
    assert np.allclose(found.witness, here.witness, atol=1e-12)
    assert found.found_by == here.found_by


def test_repeated_tokens_are_searched_there(there: torch.device) -> None:
    target, network = continuous("x*mean(y)", 1000)
    here, found = (sample(target, CompiledMeanSumformer(network, device), target.box, 4, thresholds_of(network, target), 2000,
                          device, 1, repeated=Repeated(1000)) for device in (CPU, there))
    assert found.maximum == pytest.approx(here.maximum, rel=1e-12)
    assert found.counts == here.counts


def test_a_long_sequence_is_streamed_there(there: torch.device) -> None:
    target, network = continuous("x*mean(y)", 50_000)
    spaces = (Space.of(target.box, 1, [np.zeros(0)], device, torch.float64) for device in (CPU, there))
    here, found = (stream(target, CompiledMeanSumformer(network, space.points.device), space, 50_000, 0) for space in spaces)
    assert found.maximum == pytest.approx(here.maximum, rel=1e-9)


@pytest.mark.parametrize("case", test_compiled.CASES[:4])
def test_look_ups_are_the_same_there(case: Any, there: torch.device) -> None:
    target, sumformer = test_compiled.build(*case)
    tokens = test_compiled.probes(target, sumformer)
    values = CompiledSumformer(sumformer, target.box, there)(torch.from_numpy(tokens).to(there))
    assert np.array_equal(values.cpu().numpy(), sumformer(tokens))


@pytest.mark.parametrize("name", test_torch_architecture.ARCHITECTURES)
def test_dense_architectures_are_the_same_there(name: str, there: torch.device) -> None:
    case = test_torch_architecture.CASES[0]
    sumformer = test_torch_architecture.build(case)
    tokens = torch.from_numpy(test_torch_architecture.probes(sumformer, case[3], 50))
    module = TorchArchitecture.of(test_torch_architecture.architecture(sumformer, name)).to(there)
    assert torch.equal(module(tokens.to(there)).cpu(), torch.from_numpy(sumformer(tokens.numpy())))


@pytest.mark.parametrize("step", ["theorem-sumformer", "ramp-exception-set"])
def test_sampled_checks_run_there(step: str, there: torch.device) -> None:
    found = run_one(step, Settings(device="cuda"))
    assert found.status is Status.PROVED
    assert any("on pretend" in check.what for check in found.checks if check.status is Status.SAMPLED)


@pytest.mark.parametrize(("name", "least"), [
    ("figure-2", figure_2.Settings((1,), (1,), points=20, seeds=1, epochs=1, samples=60)),
    ("length", length.Settings(4, 6, (4, 6, 12), 20, 1, 40, 1, "own-times-mean"))])
def test_experiments_train_there(name: str, least: Any, there: torch.device) -> None:
    content = experiments.run(name, device="cuda", settings=least)
    assert content["device"] == "pretend"
    assert content["rows"]


def test_a_benchmark_waits_for_the_device_and_sees_its_memory(there: torch.device) -> None:
    module: PretendModule = torch.pretend  # type: ignore[attr-defined]
    before = module.synchronized
    record = measuring.measure("fast", device="cuda", seed=0, report=silent, target="x*mean(y)", eps="1/10", lengths=[16, 32],
                               dtypes=["float64"])
    assert (record["device"], record["device_name"]) == ("pretend", "a pretend device")
    assert record["threads"] is None
    assert {row["peak_bytes"] for row in record["rows"]} == {2**20}
    assert all(row["max_deviation"] is None or row["max_deviation"] < 1e-9 for row in record["rows"])
    assert module.synchronized > before
    assert copy_bandwidth(there, 1) > 0


def test_a_run_is_certified_there_by_subdivision(uat: Uat, there: torch.device) -> None:
    uat("construct", "--target", "x*mean(y)", "--eps", "1/10", "--samples", "0", "--method", "sum-decomposition", "--out", "run")
    asked = ("certify", "run", "--method", "subdivision", "--n", "2", "--json")
    here, found = uat(*asked), uat(*asked, "--device", "cuda")
    assert (here.code, found.code) == (0, 0)
    assert (here.json["status"], found.json["status"]) == ("certified", "assumed")
    assert float(found.json["certified_bound"]) == pytest.approx(float(here.json["certified_bound"]), rel=1e-4)
    assert any("the device computes in float64" in text for text in found.json["assumptions"])
    assert not any("the device" in text for text in here.json["assumptions"])


@pytest.mark.parametrize("method", ["sum-decomposition", "grid"])
def test_construct_and_sample_search_there(method: str, uat: Uat, there: torch.device) -> None:
    asked = ("--samples", "1000", "--device", "cuda", "--json")
    built = uat("construct", "--target", "x*mean(y)", "--eps", "1/4", "--n", "3", "--method", method, "--out", "run", *asked)
    assert built.code == 0, built.err
    assert 0 < float(built.json["sampled_max"]) <= float(built.json["certified_bound"])
    found = uat("sample", "run", *asked)
    assert found.code == 0, found.err
    assert found.json["device"] == "pretend:0"
    if method != "grid":  # any number of tokens, repeated ones
        assert uat("sample", "run", *asked, "--n", "100000").json["streamed"]["tokens_per_second"] > 0


def test_the_names_that_are_used_are_those_of_torch_cuda() -> None:
    """The pretend device's module has no name that CUDA's lacks, and their first arguments agree."""
    for name, function in vars(PretendModule).items():
        if not callable(function) or name.startswith("__"):
            continue
        real = getattr(torch.cuda, name)
        arguments = list(inspect.signature(function).parameters)[1:]
        assert list(inspect.signature(real).parameters)[:len(arguments)] == arguments, name
