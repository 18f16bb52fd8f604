"""A trained Sumformer, read from a state dict, as ReLU layers with exactly its weights.

Expected are two stacks of torch's ``nn.Linear`` with ReLU between them, as ``nn.Sequential`` names them:

    phi.0.weight, phi.0.bias, phi.2.weight, ..    from d token coordinates to d' features
    psi.0.weight, psi.0.bias, psi.2.weight, ..    from the own token and the pooled features, in this order, to the output

A weight has shape (out, in); a missing bias is 0. The numbers of the modules say nothing but their order.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from constructions.errors import BadInput
from constructions.network.relu import MeanSumformer, ReluLayer, mean_of
from proofs_check.onnx_stack import Linear, read_onnx

POOLINGS = ("mean", "sum")
READING = "the linear maps of the file have ReLU between them and nothing else, which a state dict does not say"


def read_trained(path: Path, *, d: int, d_out: int, n: int, pooling: str) -> MeanSumformer:
    """Return S(X)_i = psi(x_i, pooled phi(x_k)).

    Args:
        path: a safetensors file, or two ONNX files with a comma between them: phi, then psi.
        d, d_out: features of a token and of the output.
        n: number of tokens; a sum is n means.
        pooling: ``mean`` or ``sum``.

    Raises:
        BadInput: the file cannot be read, or holds another network.
    """
    if pooling not in POOLINGS:
        raise BadInput(f"--pooling {pooling!r}: expected mean or sum")
    if is_onnx(path):
        phi, psi = _two_stacks(path)
    else:
        arrays = _arrays(path)
        phi, psi = (_stack(path, arrays, part) for part in ("phi", "psi"))
    d_latent = phi[-1][0].shape[1]
    _fits(path, "phi", phi, d, d_latent)
    _fits(path, "psi", psi, d + d_latent, d_out)
    tokens = tuple(f"x.{c}" for c in range(d))
    before, last = _hidden(phi[:-1], tokens, "phi")
    pooled = tuple(f"phi.{k}" for k in range(d_latent))
    W, b = phi[-1]
    identity = np.eye(d_latent)
    affine = ReluLayer(last, np.hstack([W, -W]), np.concatenate([b, -b]), pooled, np.vstack([identity, -identity]))  # u = u+ - u-
    if pooling == "sum":
        psi = _of_means(path, psi, d, n)
    after, read = _hidden(psi[:-1], (*tokens, *map(mean_of, pooled)), "psi")
    W_out, b_out = psi[-1]
    return MeanSumformer(tokens, (*before, affine), pooled, after, read, W_out, b_out)


def is_onnx(path: Path) -> bool:
    """Whether the name is that of ONNX files, which say themselves what stands between the linear maps."""
    return path.suffix.lower() == ".onnx"


def _two_stacks(path: Path) -> tuple[list[Linear], list[Linear]]:
    names = str(path).split(",")
    if len(names) != 2:
        raise BadInput(f"--network {path}: expected two ONNX files with a comma between them, phi.onnx,psi.onnx")
    phi, psi = (_chained(Path(name.strip()), read_onnx(Path(name.strip()))) for name in names)
    return phi, psi


def _chained(path: Path, stack: list[Linear]) -> list[Linear]:
    for (before, _), (after, _) in itertools.pairwise(stack):
        if before.shape[1] != after.shape[0]:
            raise BadInput(f"{path}: a map of {after.shape[0]} features follows one to {before.shape[1]}")
    return stack


def _arrays(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:  # numpy lacks some formats
        raise BadInput(f"{path}: cannot be read as safetensors of float16, float32 or float64 ({error})") from None
    wrong = next((name for name, array in arrays.items() if array.dtype not in (np.float64, np.float32, np.float16)), None)
    if wrong is not None:
        raise BadInput(f"{path}: {wrong} holds {arrays[wrong].dtype}, expected float16, float32 or float64")
    return {name: array.astype(np.float64) for name, array in arrays.items()}


def _stack(path: Path, arrays: Mapping[str, np.ndarray], part: str) -> list[Linear]:
    unknown = [name for name in arrays if not re.fullmatch(r"(phi|psi)\.(0|[1-9][0-9]{0,8})\.(weight|bias)", name)]
    if unknown:
        raise BadInput(f"{path}: unexpected {unknown[0]!r}; expected phi.K.weight, phi.K.bias, psi.K.weight, psi.K.bias")
    numbers = sorted({int(name.split(".")[1]) for name in arrays if name.startswith(f"{part}.")})
    if not numbers:
        raise BadInput(f"{path}: holds no {part}.K.weight")
    found: list[Linear] = []
    for k in numbers:
        weight = arrays.get(f"{part}.{k}.weight")
        if weight is None or weight.ndim != 2:
            raise BadInput(f"{path}: {part}.{k}.weight is {'missing' if weight is None else 'no matrix'}")
        bias = arrays.get(f"{part}.{k}.bias", np.zeros(weight.shape[0]))
        if bias.shape != weight.shape[:1] or (found and found[-1][0].shape[1] != weight.shape[1]):
            raise BadInput(f"{path}: weight {weight.shape} and bias {bias.shape} of {part}.{k} do not fit what is before them")
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise BadInput(f"{path}: {part}.{k} holds a weight that is not finite")
        found.append((np.ascontiguousarray(weight.T), bias))
    return found


def _fits(path: Path, part: str, stack: Sequence[Linear], inputs: int, outputs: int) -> None:
    has = stack[0][0].shape[0], stack[-1][0].shape[1]
    if has != (inputs, outputs):
        raise BadInput(f"{path}: {part} maps {has[0]} features to {has[1]}; the target needs {inputs} to {outputs}")


def _hidden(stack: Sequence[Linear], reads: tuple[str, ...], prefix: str) -> tuple[tuple[ReluLayer, ...], tuple[str, ...]]:
    """Return one layer for each linear map followed by a ReLU, and the channels that hold the last one."""
    layers = []
    for j, (W, b) in enumerate(stack):
        writes = tuple(f"{prefix}.hidden{j}.{k}" for k in range(W.shape[1]))
        layers.append(ReluLayer(reads, W, b, writes, np.eye(W.shape[1])))
        reads = writes
    return tuple(layers), reads


def _of_means(path: Path, psi: Sequence[Linear], d: int, n: int) -> list[Linear]:
    """Let psi read means in place of sums: the weights of pooled features times n, which must round nothing."""
    (W, b), *rest = psi
    with np.errstate(over="ignore"):
        scaled = np.concatenate([W[:d], n * W[d:]])
    exactly = all(math.isfinite(s) and Fraction(s) == n * Fraction(w)
                  for s, w in zip(scaled[d:].ravel().tolist(), W[d:].ravel().tolist(), strict=True))
    if not exactly:
        raise BadInput(f"{path}: {n} times a weight of psi is no float64 number; store float32 weights, or train with a mean")
    return [(scaled, b), *rest]


def read_stack(path: Path) -> list[Linear]:
    """Return the linear maps of phi alone, from a Sumformer's file or from the state dict of one ``nn.Sequential``.

    Raises:
        BadInput: the file cannot be read, or holds another network.
    """
    arrays = _arrays(path)
    plain = all(re.fullmatch(r"\d+\.(weight|bias)", name) for name in arrays)
    return _stack(path, {f"phi.{name}": array for name, array in arrays.items()} if plain else arrays, "phi")
