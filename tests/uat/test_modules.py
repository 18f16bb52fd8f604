"""uat.modules: a stored architecture as a torch module, at the lengths and in the formats that its bound is about."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from constructions.errors import BadInput, Refused
from constructions.pooling import ARCHITECTURES
from tests.uat.conftest import Uat
from uat.modules import load_architecture
from uat.stored_run import open_run

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture
def run(uat: Uat) -> Path:
    """A run for every n, stored for n = 3."""
    assert uat("construct", "--target", "x*mean(y)", "--eps", "1e-3", "--samples", "0", "--out", "run").code == 0
    return Path("run")


def sequences(n: int, d: int = 1) -> torch.Tensor:
    return torch.rand(50, n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("n", [None, 2, 7])
def test_every_architecture_stays_within_the_certified_bound_at_every_length(run: Path, name: str, n: int | None) -> None:
    X = sequences(n or 3)
    values = load_architecture(run, name, n=n)(X)
    bound = Fraction(open_run(run).files.certificate["bound"])
    assert float((values - X * X.mean(dim=1, keepdim=True)).abs().max()) <= float(bound)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_stored_weights_are_those_of_the_module(run: Path, name: str) -> None:
    arrays, state = open_run(run).files.arrays, load_architecture(run, name).state_dict()
    stored = [key.removeprefix(f"{name}.") for key in arrays if key.startswith(f"{name}.") and ".attention." in key]
    assert stored
    for key in stored:
        assert np.array_equal(state[key].numpy(), arrays[f"{name}.{key}"])
    assert np.array_equal(state["readout.weight"].numpy().T, arrays[f"{name}.readout.weight"])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_at_another_length_a_module_is_right_or_says_that_its_weights_are_for_one(run: Path, name: str) -> None:
    module, X = load_architecture(run, name), sequences(5)
    if name in ("transformer", "performer-normalised"):
        assert module.n is None
        assert float((module(X) - X * X.mean(dim=1, keepdim=True)).abs().max()) <= 1e-3
        return
    assert module.n == 3
    with pytest.raises(BadInput, match=f"5 tokens: expected 3, the length that this {name}'s weights are for"):
        module(X)
    assert load_architecture(run, name, n=5)(X).shape == X.shape


def test_a_run_for_one_length_has_modules_for_it_alone(uat: Uat) -> None:
    assert uat("construct", "--target", "max", "--eps", "1e-1", "--samples", "0", "--out", "max").code == 0
    with pytest.raises(BadInput, match="n = 4: max is about n = 3 alone"):
        load_architecture("max", "transformer", n=4)
    for name in ARCHITECTURES:
        with pytest.raises(BadInput, match="4 tokens: expected 3"):
            load_architecture("max", name)(sequences(4))


def test_an_unknown_name_a_wrong_shape_and_a_changed_file_are_answered_in_words(run: Path) -> None:
    with pytest.raises(BadInput, match="no architecture 'linfomer': did you mean linformer"):
        load_architecture(run, "linfomer")
    with pytest.raises(BadInput, match="n = 1: expected n >= 2"):
        load_architecture(run, "linformer", n=1)
    with pytest.raises(BadInput, match=r"tokens of shape \(50, 3, 2\): expected \(\*batch, n, 1\)"):
        load_architecture(run, "transformer")(sequences(3, 2))
    (run / "plan.json").write_text((run / "plan.json").read_text() + " ")
    with pytest.raises(Refused, match="changed since the run was written"):
        load_architecture(run, "transformer")


def test_a_run_in_float32_is_loaded_in_float32_and_one_in_float64_is_not_rounded_to_it(uat: Uat, run: Path) -> None:
    assert uat("construct", "--target", "x*mean(y)", "--eps", "1e-3", "--samples", "0", "--precision", "float32", "--out",
               "single").code == 0
    module, X = load_architecture("single", "performer"), sequences(3).float()
    assert module(X).dtype == torch.float32
    assert float((module(X) - X * X.mean(dim=1, keepdim=True)).abs().max()) <= 1e-3
    with pytest.raises(Refused, match=r"not torch.float32 numbers: rounding them would change the network"):
        load_architecture(run, "linformer", dtype=torch.float32)
