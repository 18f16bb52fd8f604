"""A trained Sumformer, read from a state dict, with exactly its weights: ReLU layers, before them monomials where phi is those.

Expected are two stacks of torch's ``nn.Linear`` with ReLU between them, as ``nn.Sequential`` names them:

    phi.0.weight, phi.0.bias, phi.2.weight, ..    from d token coordinates to d' features
    psi.0.weight, psi.0.bias, psi.2.weight, ..    from the own token and the pooled features, in this order, to the output

A weight has shape (out, in); a missing bias is 0. The numbers of the modules say nothing but their order. Of a *polynomial*
Sumformer the file holds psi alone: phi is the first d' monomials of the token in graded order, d' what psi reads beside it.
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
from constructions.network.monomials import factors
from constructions.network.relu import MeanSumformer, ReluLayer, mean_of
from proofs_check.onnx_stack import Linear, read_onnx

POOLINGS = ("mean", "sum")
FEATURES = ("file", "monomials")
READING = "the linear maps of the file have ReLU between them and nothing else, which a state dict does not say"
MOST_MONOMIALS = 1024
TOLD = 8  # monomials that an assumption lists


def read_trained(path: Path, *, d: int, d_out: int, n: int, pooling: str, phi: str = "file") -> MeanSumformer:
    """Return S(X)_i = psi(x_i, pooled phi(x_k)).

    Args:
        path: a safetensors file, or two ONNX files with a comma between them: phi, then psi; one where phi is monomials.
        d, d_out: features of a token and of the output.
        n: number of tokens; a sum is n means.
        pooling: ``mean`` or ``sum``.
        phi: ``file`` where the file holds it, ``monomials`` where it is the first of the token in graded order.

    Raises:
        BadInput: the file cannot be read, or holds another network.
    """
    for option, given, known in (("--pooling", pooling, POOLINGS), ("--phi", phi, FEATURES)):
        if given not in known:
            raise BadInput(f"{option} {given!r}: expected {' or '.join(known)}")
    tokens, monomials, layers = tuple(f"x.{c}" for c in range(d)), dict[str, tuple[int, ...]](), tuple[ReluLayer, ...]()
    if phi == "monomials":
        psi = _psi_alone(path)
        features = {"*".join(tokens[c] for c in own): own for own in factors(d, _monomials_of(path, psi, d))}
        monomials = {channel: own for channel, own in features.items() if channel not in tokens}
        pooled = tuple(features)
    else:
        maps, psi = _two_stacks(path)
        layers, pooled = _of_file(path, maps, tokens)
    _fits(path, "psi", psi, d + len(pooled), d_out)
    if pooling == "sum":
        psi = _of_means(path, psi, d, n)
    after, read = _hidden(psi[:-1], (*tokens, *map(mean_of, pooled)), "psi")
    W_out, b_out = psi[-1]
    return MeanSumformer(tokens, layers, pooled, after, read, W_out, b_out, monomials)


def assumed(path: Path, phi: str, network: MeanSumformer) -> tuple[str, ...]:
    """Return what reading a network from its file rests on, for the certificate."""
    reading = () if is_onnx(path) else (READING,)
    return (*reading, _told(len(network.tokens), network.d_latent)) if phi == "monomials" else reading


def _told(d: int, count: int) -> str:
    """Say what phi is, and in which order."""
    def power(c: int, own: tuple[int, ...]) -> str:
        return (f"x[{c}]" if d > 1 else "x") + (f"^{own.count(c)}" if own.count(c) > 1 else "")

    names = [" ".join(power(c, own) for c in sorted(set(own))) for own in factors(d, count)]
    listed = [*names[:TOLD - 2], "..", names[-1]] if count > TOLD else names
    return (f"phi is the first {f'{count:,} monomials' if count > 1 else 'monomial'} of the token in graded order, "
            f"{', '.join(listed)}, which the file does not say")


def is_onnx(path: Path) -> bool:
    """Whether the name is that of ONNX files, which say themselves what stands between the linear maps."""
    return path.suffix.lower() == ".onnx"


def _two_stacks(path: Path) -> tuple[list[Linear], list[Linear]]:
    """Return phi and psi."""
    if is_onnx(path):
        names = str(path).split(",")
        if len(names) != 2:
            raise BadInput(f"--network {path}: expected two ONNX files with a comma between them, phi.onnx,psi.onnx; or psi.onnx "
                           "alone and --phi monomials")
        phi, psi = (_chained(Path(name.strip()), read_onnx(Path(name.strip()))) for name in names)
        return phi, psi
    arrays = _arrays(path)
    psi = _stack(path, arrays, "psi")
    if not any(name.startswith("phi.") for name in arrays):
        raise BadInput(f"{path}: holds no phi.K.weight; where phi is monomials of the token, --phi monomials says so")
    return _stack(path, arrays, "phi"), psi


def _psi_alone(path: Path) -> list[Linear]:
    """Return psi from a file without phi."""
    if is_onnx(path):
        if "," in str(path):
            raise BadInput(f"--network {path}: expected one ONNX file, that of psi: with --phi monomials there is none of phi")
        return _chained(path, read_onnx(path))
    arrays = _arrays(path)
    psi = _stack(path, arrays, "psi")
    if held := next((name for name in arrays if name.startswith("phi.")), None):
        raise BadInput(f"{path}: holds {held}, so phi is no monomials of the token: --phi file reads it")
    return psi


def _monomials_of(path: Path, psi: Sequence[Linear], d: int) -> int:
    """Return d', which the number of psi's inputs says."""
    inputs = psi[0][0].shape[0]
    if not d < inputs <= d + MOST_MONOMIALS:
        raise BadInput(f"{path}: psi reads {inputs} features; with --phi monomials it has to read the {d} of the own token and "
                       f"1 to {MOST_MONOMIALS:,} pooled ones")
    return inputs - d


def _of_file(path: Path, phi: Sequence[Linear], tokens: tuple[str, ...]) -> tuple[tuple[ReluLayer, ...], tuple[str, ...]]:
    """Return phi's layers, and the channels that hold its features."""
    W, b = phi[-1]
    _fits(path, "phi", phi, len(tokens), len(b))
    before, last = _hidden(phi[:-1], tokens, "phi")
    pooled, one = tuple(f"phi.{k}" for k in range(len(b))), np.eye(len(b))
    affine = ReluLayer(last, np.hstack([W, -W]), np.concatenate([b, -b]), pooled, np.vstack([one, -one]))  # u = u+ - u-
    return (*before, affine), pooled


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
