"""Stacks exported by torch are read as torch's function; other graphs are refused; the command line certifies two files."""

from __future__ import annotations

import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from constructions.errors import BadInput
from constructions.targets.library import resolve
from proofs_check.kernel import Certificate, Refuted
from proofs_check.onnx_stack import read_onnx
from proofs_check.subdivision import certify_by_subdivision, problem_of_trained
from proofs_check.trained import READING, read_trained
from tests.proofs_check.test_trained import forward, stack

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.usefixtures("one_torch_thread")


def exported(module: torch.nn.Module, inputs: int, path: Path) -> Path:
    """Write a module with torch's own exporter (the one that needs no package beyond onnx)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), (torch.rand(5, inputs, dtype=torch.float64),), str(path), dynamo=False)
    return path


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("widths", [(2, 3), (2, 5, 4, 1)])
def test_an_exported_stack_is_the_same_function(widths: tuple[int, ...], bias: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = stack(*widths)
    if not bias:
        for part in module:
            if isinstance(part, torch.nn.Linear):
                part.register_parameter("bias", None)  # torch writes a MatMul then
    found = read_onnx(exported(module, widths[0], tmp_path / "stack.onnx"))
    x = torch.randn(50, widths[0], dtype=torch.float64)
    value = x.numpy()
    for k, (W, b) in enumerate(found):
        value = value @ W + b
        value = np.maximum(value, 0) if k < len(found) - 1 else value
    np.testing.assert_allclose(value, module(x).detach().numpy(), rtol=1e-13, atol=1e-13)


def test_two_files_are_a_sumformer_that_is_certified_or_refuted(tmp_path: Path) -> None:
    torch.manual_seed(1)
    phi, psi = stack(1, 4, 2), stack(3, 5, 1)
    both = Path(f"{exported(phi, 1, tmp_path / 'phi.onnx')},{exported(psi, 3, tmp_path / 'psi.onnx')}")
    tokens = torch.rand(2000, 2, 1, dtype=torch.float64)
    found = read_trained(both, d=1, d_out=1, n=2, pooling="mean")
    with torch.no_grad():
        np.testing.assert_allclose(found(tokens.numpy()), forward(phi, psi, tokens, "mean").numpy(), rtol=1e-12, atol=1e-12)
        largest = float((forward(phi, psi, tokens, "mean") - tokens).abs().max())
    target = resolve("x", n=2, d=None, domain="0,1")
    above, _ = certify_by_subdivision(*problem_of_trained(target, both, "mean", Fraction(largest) * Fraction(3, 2)), seconds=60)
    assert isinstance(above, Certificate)
    assert READING not in above.assumptions
    below, _ = certify_by_subdivision(*problem_of_trained(target, both, "mean", Fraction(largest) / 2), seconds=60)
    assert isinstance(below, Refuted)


@pytest.mark.parametrize(("modules", "words"), [
    ([torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1)], "Tanh is not understood"),
    ([torch.nn.Linear(2, 3), torch.nn.Linear(3, 1)], "two linear maps without Relu"),
    ([torch.nn.Linear(2, 3), torch.nn.ReLU()], "expected a linear map at the end"),
    ([torch.nn.ReLU(), torch.nn.Linear(2, 3)], "Relu is not understood"),
])
def test_another_network_is_bad_input(modules: list[torch.nn.Module], words: str, tmp_path: Path) -> None:
    path = exported(torch.nn.Sequential(*modules).double(), 2, tmp_path / "other.onnx")
    with pytest.raises(BadInput, match=words):
        read_onnx(path)


def test_a_second_path_through_the_graph_is_bad_input(tmp_path: Path) -> None:
    class Skip(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = torch.nn.Linear(2, 2, dtype=torch.float64)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.as_tensor(x + self.inner(x))

    with pytest.raises(BadInput, match="no constant"):
        read_onnx(exported(Skip(), 2, tmp_path / "skip.onnx"))


@pytest.mark.parametrize(("attribute", "value"), [("alpha", 0.5), ("beta", 2.0), ("transA", 1)])
def test_a_scaled_map_is_bad_input(attribute: str, value: float, tmp_path: Path) -> None:
    path = exported(stack(2, 2), 2, tmp_path / "stack.onnx")
    model = onnx.load(str(path))
    kept = [a for a in model.graph.node[0].attribute if a.name != attribute]
    del model.graph.node[0].attribute[:]
    model.graph.node[0].attribute.extend([*kept, onnx.helper.make_attribute(attribute, value)])
    onnx.save(model, str(path))
    with pytest.raises(BadInput, match="alpha, beta 1"):
        read_onnx(path)


W = np.array([[1.0, 2.0], [3.0, 4.0]])
COLUMN = np.array([[1.0], [2.0]])


@pytest.mark.parametrize(("nodes", "constants", "words"), [
    ([("Gemm", ["x", "W", "x"], "")], {}, "expected a chain"),  # x W + x
    ([("Gemm", ["x", "W", "b"], "")], {"b": COLUMN}, "a bias of shape"),  # row k of x gets b[k]
    ([("MatMul", ["x", "W"], ""), ("Add", ["v0", "b"], "")], {"b": COLUMN}, "a bias of shape"),
    ([("Gemm", ["x", "W", "b"], "elsewhere")], {"b": COLUMN[:, 0]}, "not the operation of that name"),
])
def test_what_looks_like_a_linear_map_and_is_none_is_bad_input(
        nodes: list[tuple[str, list[str], str]], constants: dict[str, np.ndarray], words: str, tmp_path: Path) -> None:
    helper, double = onnx.helper, onnx.TensorProto.DOUBLE
    made = [helper.make_node(kind, reads, [f"v{k}"], domain=domain) for k, (kind, reads, domain) in enumerate(nodes)]
    ends = [[helper.make_tensor_value_info(name, double, ["batch", 2])] for name in ("x", f"v{len(nodes) - 1}")]
    stored = [onnx.numpy_helper.from_array(array, name) for name, array in {"W": W, **constants}.items()]
    onnx.save(helper.make_model(helper.make_graph(made, "g", *ends, stored)), str(tmp_path / "odd.onnx"))
    with pytest.raises(BadInput, match=words):
        read_onnx(tmp_path / "odd.onnx")


def test_a_bias_may_be_a_row(tmp_path: Path) -> None:
    path = exported(stack(2, 3), 2, tmp_path / "stack.onnx")
    plain, model = read_onnx(path), onnx.load(str(path))
    (bias,) = (tensor for tensor in model.graph.initializer if len(tensor.dims) == 1)
    bias.dims.insert(0, 1)
    onnx.save(model, str(path))
    np.testing.assert_array_equal(read_onnx(path)[0][1], plain[0][1])


def test_numbers_that_are_not_finite_are_bad_input(tmp_path: Path) -> None:
    module = stack(2, 3, 1)
    with torch.no_grad():
        next(module.parameters())[0, 0] = float("nan")
    with pytest.raises(BadInput, match="finite"):
        read_onnx(exported(module, 2, tmp_path / "nan.onnx"))


def test_files_that_are_not_onnx_and_a_single_one_are_bad_input(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"not a model")
    with pytest.raises(BadInput, match="cannot be read as ONNX"):
        read_onnx(tmp_path / "no.onnx")
    with pytest.raises(BadInput, match="cannot be read as ONNX"):
        read_onnx(tmp_path / "missing.onnx")
    with pytest.raises(BadInput, match="two ONNX files"):
        read_trained(tmp_path / "phi.onnx", d=1, d_out=1, n=2, pooling="mean")
