"""The comparison of a GPU with the processor runs without one, and says so where a device's numbers are wrong."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.boxes import Boxes, Judged
from proofs_check.deviation import Deviation
from proofs_check.on_device import OnDevice
from tests.benchmarks import gpu

CPU = torch.device("cpu")
TINY = gpu.Effort((3_000, 3_000), (16, 16), 1, 0.1)


def comparison() -> Deviation:
    target, other = (resolve(text, n=3, d=None, domain="0,1") for text in ("f", "x"))
    assert isinstance(target, Target)
    assert isinstance(other, Target)
    return Deviation.of(target.outputs, other.outputs, 3, target.box.sides)


@pytest.mark.usefixtures("one_torch_thread")
@pytest.mark.parametrize(("method", "n"), [("grid", 3), ("sum-decomposition", 3)])
def test_sampling_is_compared_on_the_same_sequences(method: str, n: int) -> None:
    line = gpu.sampling("f", method, n, CPU, TINY)
    assert line.sound
    assert line.apart == 0.0
    assert line.ratio > 0
    assert f"{method}, eps = 1e-2, n = {n}" in str(line)


def test_subdivision_is_compared_on_the_same_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadPoolExecutor(1) as pool:
        line = gpu.judging("boxes", comparison(), CPU, TINY, pool)
        assert line.sound
        assert line.apart < 1e-12
        assert "NOT SOUND" not in str(line)
        text = gpu.proving("proof", comparison(), Fraction(2), CPU, gpu.FAST, pool)
        assert text.startswith("proof")
        assert "there the same" in text or " of it" in text

        judge = OnDevice.judge

        def half(self: OnDevice, batch: Boxes) -> Judged:
            found = judge(self, batch)
            return replace(found, upper=found.upper * 1e-9)

        monkeypatch.setattr(OnDevice, "judge", half)
        wrong = gpu.judging("boxes", comparison(), CPU, TINY, pool)
    assert not wrong.sound
    assert "NOT SOUND" in str(wrong)


def test_boxes_are_sorted_and_inside_the_domain() -> None:
    boxes = gpu.boxes_of(comparison(), 50)
    assert (np.diff(boxes.lower, axis=1) <= 0).all()
    assert boxes.lower.min() >= 0
    assert boxes.upper.max() <= 1


def test_without_a_gpu_it_says_so() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(Exception, match="no CUDA device is available"):
        gpu.main([])


@pytest.mark.slow
def test_all_of_it_runs_on_the_processor(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main(["--device", "cpu", "--fast"]) == 0
    shown = capsys.readouterr().out
    assert "asked: at least 20 times" in shown
    assert shown.count("subdivision, f and") == 3
    assert shown.count("proof ") == 4
