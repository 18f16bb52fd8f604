"""A stack of linear maps with ReLU between them, read from an ONNX file: ``Gemm``, ``MatMul`` with or without ``Add``, ``Relu``.

The graph must be a chain from its one input to its one output. Unlike a state dict it names the activations, so nothing about
them is assumed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from constructions.errors import BadInput
from proofs_check.enclosures.interval import Floats

Linear = tuple[Floats, Floats]  # (in, out) and (out,)
STANDARD = ("", "ai.onnx")  # the domains whose operations the words Gemm, MatMul, Add and Relu mean
OLDEST = 7  # operation set: before that an Add may have an axis, along which a bias belongs to rows


def read_onnx(path: Path) -> list[Linear]:
    """Return the linear maps in order, rows are inputs.

    Raises:
        BadInput: the file cannot be read, holds another operation or another order of them, or onnx is not installed.
    """
    graph, constants = _graph(path)
    found: list[Linear] = []
    value, expected = _only(path, "input", [i.name for i in graph.input if i.name not in constants]), "linear"
    for node in graph.node:
        reads = [name for name in node.input if name]
        if reads.count(value) != 1:
            raise BadInput(f"{path}: {node.op_type} reads {reads}, expected a chain that goes on from {value!r}")
        if node.domain not in STANDARD:
            raise BadInput(f"{path}: {node.op_type} of {node.domain!r} is not the operation of that name in ONNX")
        others = [_constant(path, constants, name) for name in reads if name != value]
        if node.op_type in ("Gemm", "MatMul"):
            if expected != "linear":
                raise BadInput(f"{path}: two linear maps without Relu between them")
            found.append(_linear(path, node, others, reads.index(value)))
            expected = "relu"
        elif node.op_type == "Add" and expected == "relu" and len(others) == 1:
            W, b = found[-1]
            if b.any():
                raise BadInput(f"{path}: an Add that is not the bias of the MatMul before it")
            found[-1] = W, _bias(path, others[0], W.shape[1])
        elif node.op_type == "Relu" and expected == "relu":
            expected = "linear"
        else:
            raise BadInput(f"{path}: {node.op_type} is not understood here; expected linear maps (Gemm, MatMul, Add) with Relu "
                           f"between them")
        value = node.output[0]
    if expected != "relu" or value != _only(path, "output", [o.name for o in graph.output]):
        raise BadInput(f"{path}: expected a linear map at the end, and its value as the output")
    return found


def _graph(path: Path) -> tuple[Any, dict[str, Any]]:
    try:
        import onnx
    except ImportError:
        raise BadInput(f"{path}: reading ONNX needs the extra: pip install 'uat[onnx]'") from None
    try:
        model = onnx.load(str(path), load_external_data=False)
        onnx.checker.check_model(model)  # names used once, attributes of the types that the operations have
    except Exception as error:  # protobuf's own errors have no common type
        raise BadInput(f"{path}: cannot be read as ONNX ({_first_line(error)})") from None
    versions = [one.version for one in model.opset_import if one.domain in STANDARD]
    if len(versions) != 1 or versions[0] < OLDEST or model.functions:
        raise BadInput(f"{path}: operation sets {versions} and {len(model.functions)} functions of its own; expected one set, "
                       f"from {OLDEST} on, and no functions")
    return model.graph, {tensor.name: tensor for tensor in model.graph.initializer}


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _constant(path: Path, constants: dict[str, Any], name: str) -> Floats:
    from onnx import TensorProto, numpy_helper

    tensor = constants.get(name)
    if tensor is None or tensor.data_location == TensorProto.EXTERNAL:
        raise BadInput(f"{path}: {name!r} is no constant stored in the file")
    try:
        array = numpy_helper.to_array(tensor)
    except Exception as error:  # whatever a number format that numpy does not know leads to
        raise BadInput(f"{path}: {name!r} is no array of numbers ({_first_line(error)})") from None
    if array.dtype not in (np.float64, np.float32, np.float16) or not np.isfinite(array).all():
        raise BadInput(f"{path}: {name!r} holds {array.dtype}, expected finite float16, float32 or float64 numbers")
    return array.astype(np.float64)


def _linear(path: Path, node: Any, others: list[Floats], place: int) -> Linear:
    """Return x W + b of a Gemm or MatMul; alpha and beta other than 1 would round."""
    attributes = {a.name: a.f if a.name in ("alpha", "beta") else a.i for a in node.attribute}
    plain = attributes.get("alpha", 1.0) == attributes.get("beta", 1.0) == 1.0 and not attributes.get("transA", 0)
    if not others or others[0].ndim != 2 or place != 0 or not plain:
        raise BadInput(f"{path}: {node.op_type} is not x W + b with a matrix W (alpha, beta 1, x not transposed)")
    W = others[0].T if attributes.get("transB", 0) else others[0]
    b = _bias(path, others[1], W.shape[1]) if len(others) > 1 else np.zeros(W.shape[1])
    return np.ascontiguousarray(W), b


def _bias(path: Path, array: Floats, outputs: int) -> Floats:
    """Return a bias that every row gets; a column would be broadcast over rows, each of which would get another number."""
    if array.shape[-1:] != (outputs,) or array.size != outputs:
        raise BadInput(f"{path}: a bias of shape {array.shape} does not fit {outputs} outputs")
    return array.reshape(-1)


def _only(path: Path, what: str, names: Iterable[str]) -> str:
    found = list(names)
    if len(found) != 1:
        raise BadInput(f"{path}: expected one {what}, found {found}")
    return found[0]
