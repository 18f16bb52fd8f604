"""Stacks exported by torch are read as torch's function; other graphs are refused; the command line certifies two files."""

from __future__ import annotations

import contextlib
import itertools
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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
    reference = pytest.importorskip("onnx.reference")
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


def test_one_file_is_psi_of_monomials(tmp_path: Path) -> None:
    torch.manual_seed(1)
    psi, tokens = stack(4, 5, 1), torch.rand(2000, 2, 1, dtype=torch.float64)
    path = exported(psi, 4, tmp_path / "psi.onnx")
    found = read_trained(path, d=1, d_out=1, n=2, pooling="mean", phi="monomials")
    means = torch.cat([tokens, tokens**2, tokens**3], dim=-1).mean(1, keepdim=True).expand(-1, 2, -1)
    wanted = psi(torch.cat([tokens, means], dim=-1)).detach().numpy()
    np.testing.assert_allclose(found(tokens.numpy()), wanted, rtol=1e-12, atol=1e-12)


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
    graph, imports = helper.make_graph(made, "g", *ends, stored), [("", 17), ("elsewhere", 1)]
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid(*one) for one in imports]), str(tmp_path / "odd.onnx"))
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


def graph(nodes: list[Any], constants: list[Any], outputs: int = 2) -> Any:
    """A model from two features of ``x`` to ``v``."""
    ends = [[onnx.helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, ["batch", width])]
            for name, width in (("x", 2), ("v", outputs))]
    made = onnx.helper.make_graph(nodes, "g", *ends, constants)
    return onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)


def changed(kind: str) -> Any:
    """x W + b, then Relu, then W again, with one thing that is not as it looks."""
    helper, tensor = onnx.helper, onnx.numpy_helper.from_array
    stored = [tensor(W, "W"), tensor(COLUMN[:, 0], "b")]
    first, last = helper.make_node("Gemm", ["x", "W", "b"], ["a"]), helper.make_node("MatMul", ["r", "W"], ["v"])
    model = graph([first, helper.make_node("Relu", ["a"], ["r"]), last], stored)
    nodes, constants = model.graph.node, model.graph.initializer
    match kind:
        case "a number for a flag":
            nodes[0].attribute.append(helper.make_attribute("transB", 1.0))
        case "a flag twice":
            nodes[0].attribute.extend([helper.make_attribute("transB", 1), helper.make_attribute("transB", 0)])
        case "an axis":
            nodes[0].CopyFrom(helper.make_node("MatMul", ["x", "W"], ["m"]))
            nodes.insert(1, helper.make_node("Add", ["m", "b"], ["a"], broadcast=1, axis=0))
            model.opset_import[0].version = 6
        case "two constants of a name":
            constants.append(tensor(2 * W, "W"))
        case "a constant that is computed":
            nodes[1].output[0] = nodes[2].input[0] = "b"
        case "another Relu":
            body = [helper.make_node("Tanh", ["u"], ["t"])]
            model.functions.append(helper.make_function("", "Relu", ["u"], ["t"], body, [helper.make_opsetid("", 17)]))
        case "bytes missing":
            constants[0].raw_data = constants[0].raw_data[:-3]
        case "no format":
            constants[0].data_type = 0
        case "an unknown format":
            constants[0].data_type = 99
        case "no operation set":
            del model.opset_import[:]
    return model


@pytest.mark.parametrize("kind", ["a number for a flag", "a flag twice", "an axis", "two constants of a name",
                                  "a constant that is computed", "another Relu", "bytes missing", "no format",
                                  "an unknown format", "no operation set"])
def test_what_has_two_meanings_is_bad_input(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.onnx"
    path.write_bytes(changed("").SerializeToString())
    assert len(read_onnx(path)) == 2
    path.write_bytes(changed(kind).SerializeToString())
    with pytest.raises(BadInput) as refusal:
        read_onnx(path)
    assert len(str(refusal.value).splitlines()) == 1


@st.composite
def chains(draw: st.DrawFn) -> Any:
    """A stack written in one of the ways that are understood, of any float format."""
    helper, dtype = onnx.helper, draw(st.sampled_from([np.float64, np.float32]))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    widths = [2, *draw(st.lists(st.integers(1, 4), max_size=3)), draw(st.integers(1, 3))]
    nodes, constants, value = [], [], "x"
    for k, (before, after) in enumerate(itertools.pairwise(widths)):
        last = "v" if k == len(widths) - 2 else f"u{k}"
        turned, way = draw(st.booleans()), draw(st.sampled_from(["gemm", "gemm alone", "matmul", "add", "add first"]))
        weight, bias = rng.normal(size=(before, after)).astype(dtype), rng.normal(size=after).astype(dtype)
        names, row = [f"W{k}", f"b{k}"], draw(st.booleans())
        kept = np.ascontiguousarray(weight.T) if turned and "gemm" in way else weight
        constants += [onnx.numpy_helper.from_array(kept, names[0]),
                      onnx.numpy_helper.from_array(bias[None] if row else bias, names[1])]
        if "gemm" in way:
            nodes.append(helper.make_node("Gemm", [value, *names[: 2 if way == "gemm" else 1]], [last], transB=int(turned)))
        elif way == "matmul":
            nodes.append(helper.make_node("MatMul", [value, names[0]], [last]))
        else:
            nodes.append(helper.make_node("MatMul", [value, names[0]], [f"m{k}"]))
            ends = [f"m{k}", names[1]]
            nodes.append(helper.make_node("Add", ends if way == "add" else ends[::-1], [last]))
        value = last
        if last != "v":
            nodes.append(helper.make_node("Relu", [last], [f"r{k}"]))
            value = f"r{k}"
    model = graph(nodes, constants, widths[-1])
    for end in (model.graph.input[0], model.graph.output[0]):
        end.type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return model, dtype


@settings(max_examples=60, deadline=None)
@given(chains())
def test_stacks_are_read_as_onnx_means_them(tmp_path_factory: pytest.TempPathFactory, chain: Any) -> None:
    model, dtype = chain
    path = tmp_path_factory.getbasetemp() / "chain.onnx"
    path.write_bytes(model.SerializeToString())
    x = np.random.default_rng(0).normal(size=(20, 2)).astype(dtype)
    (wanted,) = reference.ReferenceEvaluator(model).run(None, {"x": x})
    value, stack_ = x.astype(np.float64), read_onnx(path)
    for k, (weight, bias) in enumerate(stack_):
        value = value @ weight + bias
        value = np.maximum(value, 0) if k < len(stack_) - 1 else value
    within = 1e-4 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(value, wanted, rtol=within, atol=within)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3))
def test_damaged_bytes_are_read_or_bad_input(tmp_path_factory: pytest.TempPathFactory, seed: int, changes: int) -> None:
    rng, path = np.random.default_rng(seed), tmp_path_factory.getbasetemp() / "damaged.onnx"
    content = bytearray(changed("").SerializeToString())
    for _ in range(changes):
        content[rng.integers(len(content))] = rng.integers(256)
    path.write_bytes(bytes(content))
    with contextlib.suppress(BadInput):
        stack_ = read_onnx(path)
        assert all(np.isfinite(weight).all() and np.isfinite(bias).all() for weight, bias in stack_)
