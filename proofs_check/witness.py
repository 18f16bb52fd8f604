"""Sampled errors that count: the witness re-evaluated with enclosures (mathematics: section 6).

A search in floating point only proposes a sequence. f is enclosed there by balls, T is evaluated exactly, and what is reported
is a number certainly below |f - T|. Agreement of architectures is measured on the same kind of sequences.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from constructions.adapters import CompiledSumformer, TorchArchitecture
from constructions.architectures import Architecture
from constructions.errors import BadInput, Refused
from constructions.sumformers import Sumformer
from constructions.targets.target import AnyTarget, Target
from proofs_check.kernel import SampledEstimate
from proofs_check.sampling import SampleResult
from proofs_check.workers import one_thread


def choose_device(name: str) -> torch.device:
    """Return the device to sample on; ``auto`` takes CUDA where there is one.

    Raises:
        BadInput: an unknown name, or CUDA asked for where there is none.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise BadInput(f"--device {name!r}: expected auto, cpu or cuda")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise BadInput("--device cuda: no CUDA device is available here; use --device cpu or auto")
    return torch.device("cuda" if name != "cpu" and available else "cpu")


def confirmed(target: AnyTarget, sumformer: Sumformer, found: SampleResult) -> SampledEstimate:
    """Return the lower bound of ||f - T|| that the witness proves (for a callable target: that float64 evaluation shows)."""
    tokens = np.asarray(found.witness, dtype=np.float64)
    network = float(sumformer(tokens)[found.own, found.output])
    if isinstance(target, Target):
        from flint import arb

        balls = np.frompyfunc(lambda v: arb(float(v)), 1, 1)(tokens)
        gap = abs(target.balls(balls)[found.own, found.output] - arb(network))
        maximum = np.nextafter(float(gap.abs_lower()), 0.0)
    else:
        maximum = abs(target.numpy(tokens)[found.own, found.output] - network)
    return SampledEstimate(float(maximum), tuple(tuple(token) for token in tokens.tolist()), found.samples)


def evaluator(sumformer: Sumformer, target: AnyTarget, device: torch.device) -> CompiledSumformer | _ByObjects:
    """Return T as a function of token tensors: by look-up, or over exact integers where codes exceed int64."""
    try:
        return CompiledSumformer(sumformer, target.box, device)
    except Refused:
        return _ByObjects(sumformer)


class _ByObjects:
    """A Sumformer with integer codes of any size, evaluated by numpy over Python integers: slow, and exact."""

    def __init__(self, sumformer: Sumformer) -> None:
        self.sumformer = sumformer

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        values = self.sumformer(tokens.detach().cpu().numpy()).astype(np.float64)
        return torch.as_tensor(values).to(tokens)


def largest_deviation(architecture: Architecture, sumformer: Sumformer, tokens: np.ndarray, dtype: torch.dtype) -> float:
    """Return max |T_architecture - S| over the given (batch, n, d) sequences, the architecture run densely in torch."""
    module = TorchArchitecture.of(architecture, dtype)
    with torch.no_grad(), one_thread():
        values = module(torch.as_tensor(tokens).to(dtype)).numpy().astype(np.float64)
    return float(np.abs(values - sumformer(tokens)).max())


def probing_sequences(sumformer: Sumformer, target: AnyTarget, count: int, seed: int, dtype: torch.dtype,
                      witness: Sequence[Sequence[float]] = ()) -> np.ndarray:
    """Return sequences that strain an architecture: random ones, thresholds from both sides, corners, equal tokens."""
    rng = np.random.default_rng(seed)
    floats = np.float32 if dtype == torch.float32 else np.float64
    columns = [np.concatenate(list(_interesting(sumformer, target, c, rng, count, floats))) for c in range(target.d)]
    mixed = np.stack([rng.choice(column, (count, target.n)) for column in columns], axis=-1)
    equal = np.repeat(mixed[: max(1, count // 4), :1], target.n, axis=1)
    extra = [np.asarray(witness, dtype=np.float64)[None]] if len(witness) and floats is np.float64 else []
    return np.concatenate([mixed, equal, *extra])


def _interesting(sumformer: Sumformer, target: AnyTarget, c: int, rng: np.random.Generator, count: int,
                 floats: type[np.float32] | type[np.float64]) -> Iterator[np.ndarray]:
    low, high = float(target.box.lower[c]), float(target.box.upper[c])
    drawn = (low + (high - low) * rng.random(count)).astype(floats).astype(np.float64)
    yield np.clip(drawn, low, high)
    for node in sumformer.phi.nodes:
        if node.reads == ((f"x.{c}", 1),):
            thresholds = node.table.thresholds.astype(floats)
            yield thresholds.astype(np.float64)
            yield np.nextafter(thresholds, floats(-np.inf)).astype(np.float64)


def thresholds_of(sumformer: Sumformer, d: int) -> list[np.ndarray]:
    """Return the cell boundaries of every token coordinate."""
    found = {node.reads: node.table.thresholds for node in sumformer.phi.nodes}
    return [np.asarray(found[((f"x.{c}", 1),)], dtype=np.float64) for c in range(d)]
