"""``certify --network FILE --phi monomials``: what is read, what the certificate assumes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from tests.proofs_check.test_trained_monomials import state
from tests.uat.conftest import Uat

ASKED = ("certify", "--network", "psi.safetensors", "--target", "x + mean(y*y)", "--n", "2")


@pytest.fixture
def psi(tmp_path: Path) -> torch.nn.Sequential:
    """psi(x, m_1, m_2) = relu(x + m_2), as torch writes it: the second monomial is the square."""
    module = torch.nn.Sequential(torch.nn.Linear(3, 1, bias=False), torch.nn.ReLU(), torch.nn.Linear(1, 1, bias=False))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1.0, 0.0, 1.0]]))
        module[2].weight.fill_(1.0)
    save_file(state(module), tmp_path / "psi.safetensors")
    return module


@pytest.mark.usefixtures("psi")
def test_a_file_of_torch_is_certified_and_says_what_phi_is(uat: Uat) -> None:
    found = uat(*ASKED, "--phi", "monomials", "--bound", "1/50", "--json").json
    assert found["status"] == "certified"
    assert float(found["error_at_least"]) <= float(found["certified_bound"]) <= 0.02
    assert ("phi is the first 2 monomials of the token in graded order, x, x^2, which the file does not say"
            in found["assumptions"])
    shown = uat(*ASKED, "--phi", "monomials", "--bound", "1/50", "--executor", "processes:1")
    assert shown.code == 0, shown.err
    assert "the first 2 monomials" in shown.out.replace("\n", " ")


def test_sums_are_another_function(psi: torch.nn.Sequential, uat: Uat, tmp_path: Path) -> None:
    sums = uat("certify", "--network", "psi.safetensors", "--target", "x + sum(y*y)", "--n", "2", "--phi", "monomials",
               "--pooling", "sum", "--bound", "1/20")
    assert sums.code == 0, sums.out
    assert "refuted" in uat(*ASKED, "--phi", "monomials", "--pooling", "sum", "--bound", "1/20").out
    save_file({**state(psi), "psi.0.weight": np.array([[1.0, 1.0, 0.0]])}, tmp_path / "psi.safetensors")
    refuted = uat(*ASKED, "--phi", "monomials", "--bound", "1/5")  # y - y^2 is 1/4 at 1/2
    assert refuted.code == 1
    assert "X = [(" in refuted.out


@pytest.mark.usefixtures("psi")
def test_an_interrupted_search_goes_on_and_belongs_to_its_file(uat: Uat) -> None:
    asked = (*ASKED, "--phi", "monomials", "--checkpoint", "state.npz", "--json", "--bound")
    first = uat(*asked, "1/100", "--seconds", "1/1000")
    assert (first.code, first.json["status"]) == (1, "undecided")
    second = uat(*asked, "1/100")
    assert second.code == 0, second.err
    assert second.json["boxes"] > first.json["boxes"]
    assert any("state.npz" in text for text in second.json["assumptions"])
    assert uat(*asked, "1/50").code == 2


@pytest.mark.usefixtures("psi")
@pytest.mark.parametrize(("options", "words"), [
    ((), "holds no phi.K.weight; where phi is monomials of the token, --phi monomials says so"),
    (("--phi", "guess"), "--phi 'guess': expected file or monomials"),
    (("--phi", "monomials", "--network", "both.safetensors"), "holds phi.0.weight, so phi is no monomials of the token"),
    (("--phi", "monomials", "--network", "own.safetensors"), "psi reads 1 features; with --phi monomials it has to read the 1"),
    (("--phi", "monomials", "--network", "phi.onnx,psi.onnx"), "expected one ONNX file, that of psi"),
    (("--network", "psi.onnx"), "psi.onnx alone and --phi monomials"),
    (("--phi", "monomials", "--target", "x[0]", "--d", "3"), "psi reads 3 features; with --phi monomials it has to read the 3"),
])
def test_another_network_or_option_is_bad_input(options: tuple[str, ...], words: str, uat: Uat, tmp_path: Path) -> None:
    one = np.ones((1, 1))
    save_file({"phi.0.weight": one, "psi.0.weight": np.ones((1, 2))}, tmp_path / "both.safetensors")
    save_file({"psi.0.weight": one}, tmp_path / "own.safetensors")
    answer = uat(*ASKED, "--bound", "1", *options)
    assert answer.code == 2
    assert words in answer.message


@pytest.mark.parametrize(("option", "value"), [("--phi", "monomials"), ("--pooling", "mean"), ("--d", "1"), ("--domain", "0,1")])
@pytest.mark.parametrize("method", ["auto", "subdivision"])
def test_what_is_about_a_network_is_refused_beside_a_run(method: str, option: str, value: str, uat: Uat) -> None:
    answer = uat("certify", "run", "--method", method, option, value)
    assert (answer.code, answer.message) == (2, f"error: {option} {value}: is about --network, a run has its own")
