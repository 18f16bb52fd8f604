"""Sampled errors that count: the witness re-evaluated with enclosures (mathematics: section 6).

A search in floating point only proposes a sequence. f is enclosed there by balls, T is evaluated exactly, and what is reported
is a number certainly below |f - T|. Agreement of architectures is measured on the same kind of sequences.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from constructions.adapters import CompiledMeanSumformer, CompiledSumformer, TorchArchitecture
from constructions.architectures import Architecture
from constructions.errors import BadInput, Refused
from constructions.network.relu import MeanSumformer, ReluLayer, mean_of
from constructions.sumformers import Sumformer
from constructions.targets.target import AnyTarget, Target
from proofs_check.kernel import SampledEstimate
from proofs_check.kinks import bends
from proofs_check.repeated import Counts, Repeated
from proofs_check.search import SampleResult
from proofs_check.workers import one_thread

AnySumformer = Sumformer | MeanSumformer
LONG = 64  # tokens: f may compare each with all others
SCORES = 2**27  # numbers that the heads of one batch may hold at once: a GiB in float64, of which softmax needs a few


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


def confirmed(target: AnyTarget, sumformer: AnySumformer, found: SampleResult) -> SampledEstimate:
    """Return the lower bound of ||f - T|| that the witness proves (for a callable target: that float64 evaluation shows).

    Raises:
        Refused: it is no sequence of the domain, or of another length: who searched is not to be believed.
    """
    from flint import arb, ctx

    tokens = np.asarray(found.witness, dtype=np.float64)
    inside = all(a <= x <= b for token in found.witness for x, (a, b) in zip(token, target.box.sides, strict=True))
    if not inside or sum(found.counts or (1,) * len(tokens)) != target.n or min(found.counts or (1,)) < 1:
        raise Refused(f"the search returned X = {found.witness}, {found.counts or 'once each'}: expected {target.n} tokens of "
                      f"{target.box}")
    with ctx.workprec(128):
        exact = np.frompyfunc(lambda v: arb(float(v)), 1, 1)
        if isinstance(sumformer, MeanSumformer):
            network = in_balls(sumformer, exact(tokens), found.counts)[found.own, found.output]
        else:
            network = arb(float(sumformer(tokens)[found.own, found.output]))
        wanted = (target.balls(exact(tokens), counts=found.counts) if isinstance(target, Target) else exact(target.numpy(tokens)))
        gap = abs(wanted[found.own, found.output] - network)
        maximum = np.nextafter(float(gap.abs_lower()), 0.0)
    return SampledEstimate(max(0.0, float(maximum)), tuple(tuple(token) for token in tokens.tolist()), found.samples)


def in_balls(sumformer: MeanSumformer, tokens: np.ndarray, counts: Counts | None = None) -> np.ndarray:
    """Evaluate a continuous Sumformer on an (n, d) array of balls by loops over its weights; results contain the true values.

    ``counts`` says how often each token occurs, once unless told.
    """
    from flint import arb

    zero = arb(0)
    rows = [sumformer.start(token) for token in tokens]

    def through(layers: Sequence[ReluLayer], known: dict[str, Any]) -> None:
        for layer in layers:
            stream = [known.get(channel, zero) for channel in layer.reads]
            hidden = []
            for unit in range(layer.units):
                column = layer.W_1[:, unit]
                total = sum((stream[i] * float(column[i]) for i in np.flatnonzero(column)), arb(float(layer.bias[unit])))
                hidden.append(total.max(zero))
            for k, channel in enumerate(layer.writes):
                column = layer.W_2[:, k]
                added = sum((hidden[i] * float(column[i]) for i in np.flatnonzero(column)), zero)
                known[channel] = known.get(channel, zero) + added

    for known in rows:
        through(sumformer.phi, known)
    for channel in sumformer.pooled:
        often = counts or (1,) * len(rows)
        mean = sum((known[channel] * times for known, times in zip(rows, often, strict=True)), zero) / sum(often)
        for known in rows:
            known[mean_of(channel)] = mean
    values = np.empty((len(rows), sumformer.d_out), dtype=object)
    for i, known in enumerate(rows):
        through(sumformer.psi, known)
        for k in range(sumformer.d_out):
            weights = zip(sumformer.readout, sumformer.W_out[:, k], strict=True)
            values[i, k] = sum((known[channel] * float(w) for channel, w in weights), arb(float(sumformer.b_out[k])))
    return values


def evaluator(sumformer: AnySumformer, target: AnyTarget, device: torch.device) -> Evaluator:
    """Return T as a function of token tensors: by look-up, layer by layer, or over exact integers where codes exceed int64."""
    if isinstance(sumformer, MeanSumformer):
        return CompiledMeanSumformer(sumformer, device)
    try:
        return CompiledSumformer(sumformer, target.box, device)
    except Refused:
        return _ByObjects(sumformer)


def repetition(target: AnyTarget, sumformer: AnySumformer) -> Repeated | None:
    """Return how to make long sequences of few different tokens, None where sequences are to be drawn token by token.

    That is where they are short, and where f looks at the order of the tokens or only exists as code.
    """
    if not isinstance(sumformer, MeanSumformer) or not isinstance(target, Target) or target.n < LONG:
        return None
    return None if target.ordered else Repeated(target.n)


def is_exact(evaluate: Evaluator) -> bool:
    """Whether T is evaluated over Python integers, a hundred thousand times slower than in torch."""
    return isinstance(evaluate, _ByObjects)


class _ByObjects:
    """A Sumformer with integer codes of any size, evaluated by numpy over Python integers: slow, and exact."""

    def __init__(self, sumformer: Sumformer) -> None:
        self.sumformer = sumformer

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        values = self.sumformer(tokens.detach().cpu().numpy()).astype(np.float64)
        return torch.as_tensor(values).to(tokens)


Evaluator = CompiledSumformer | CompiledMeanSumformer | _ByObjects


def runs_densely(n: int) -> bool:
    """Whether the n x n weights of a softmax head, for one sequence, are few enough to be written out."""
    return n * n <= SCORES


def run_densely(architecture: Architecture, tokens: np.ndarray, dtype: torch.dtype) -> np.ndarray:
    """Evaluate the dense torch module on (batch, n, d) tokens, as many sequences at once as its head has memory for.

    Raises:
        Refused: a weight is an integer beyond machine arithmetic, or the dtype does not hold it.
    """
    module, n = TorchArchitecture.of(architecture, dtype), tokens.shape[1]
    heads = [block.attention for block in architecture.blocks if block.attention is not None]
    widest = max([n, *(max(array.shape) for arrays in heads for array in arrays.values())])
    with torch.no_grad(), one_thread():
        parts = torch.split(torch.as_tensor(tokens).to(dtype), max(1, SCORES // (n * widest)))
        return np.asarray(torch.cat([module(part) for part in parts]).numpy().astype(np.float64))


def largest_deviation(architecture: Architecture, sumformer: AnySumformer, tokens: np.ndarray, dtype: torch.dtype) -> float:
    """Return max |T_architecture - S| over the given (batch, n, d) sequences, the architecture run densely in torch."""
    return float(np.abs(run_densely(architecture, tokens, dtype) - sumformer(tokens)).max())


def probing_sequences(sumformer: AnySumformer, target: AnyTarget, count: int, seed: int, dtype: torch.dtype,
                      witness: Sequence[Sequence[float]] = ()) -> np.ndarray:
    """Return sequences that strain an architecture: random ones, thresholds from both sides, corners, equal tokens."""
    rng = np.random.default_rng(seed)
    floats = np.float32 if dtype == torch.float32 else np.float64
    columns = [np.concatenate(list(_interesting(sumformer, target, c, rng, count, floats))) for c in range(target.d)]
    mixed = np.stack([rng.choice(column, (count, target.n)) for column in columns], axis=-1)
    equal = np.repeat(mixed[: max(1, count // 4), :1], target.n, axis=1)
    extra = [np.asarray(witness, dtype=np.float64)[None]] if len(witness) and floats is np.float64 else []
    return np.concatenate([mixed, equal, *extra])


def _interesting(sumformer: AnySumformer, target: AnyTarget, c: int, rng: np.random.Generator, count: int,
                 floats: type[np.float32] | type[np.float64]) -> Iterator[np.ndarray]:
    low, high = float(target.box.lower[c]), float(target.box.upper[c])
    drawn = (low + (high - low) * rng.random(count)).astype(floats).astype(np.float64)
    yield np.clip(drawn, low, high)
    if isinstance(sumformer, MeanSumformer):
        yield np.linspace(low, high, 17).astype(floats).astype(np.float64)
        return
    for node in sumformer.phi.nodes:
        if node.reads == ((f"x.{c}", 1),):
            thresholds = node.table.thresholds.astype(floats)
            yield thresholds.astype(np.float64)
            yield np.nextafter(thresholds, floats(-np.inf)).astype(np.float64)


def thresholds_of(sumformer: AnySumformer, target: AnyTarget) -> list[np.ndarray]:
    """Return the points of every token coordinate that a search should look at from both sides.

    These are the cell boundaries of a discretised construction, and where a continuous one bends.
    """
    if isinstance(sumformer, MeanSumformer):
        return bends(sumformer, target.box)
    found = {node.reads: node.table.thresholds for node in sumformer.phi.nodes}
    return [np.asarray(found[((f"x.{c}", 1),)], dtype=np.float64) for c in range(target.d)]
