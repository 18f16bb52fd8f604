"""Small networks written down unit by unit, hints for them, and exact evaluation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from constructions.domains import Box
from constructions.network.relu import MeanSumformer, ReluLayer
from constructions.targets.target import Target
from proofs_check.kernel import Claim
from proofs_check.structure.proof import Proved, prove
from proofs_check.structure.reading import NotUnderstood

Number = int | float | Fraction
Unit = tuple[Mapping[str, float], float, Mapping[str, float]]  # what it reads, its bias, what it adds to


def layer(*units: Unit) -> ReluLayer:
    """Put units side by side."""
    reads = tuple(dict.fromkeys(channel for inputs, _, _ in units for channel in inputs))
    writes = tuple(dict.fromkeys(channel for _, _, outputs in units for channel in outputs))
    W_1 = np.array([[inputs.get(channel, 0.0) for inputs, _, _ in units] for channel in reads])
    W_2 = np.array([[outputs.get(channel, 0.0) for channel in writes] for _, _, outputs in units])
    return ReluLayer(reads, W_1, np.array([bias for _, bias, _ in units]), writes, W_2)


def folds(p: Mapping[str, float], bias: float, targets: Mapping[str, Sequence[float]], channel: str = "t") -> list[Unit]:
    """Return the units of a chain, one a layer: relu(p + bias), and one fold for each further weight."""
    lengths = {len(weights) for weights in targets.values()}
    (length,) = lengths
    heads = {target: weights[0] for target, weights in targets.items() if weights[0]}
    chain: list[Unit] = [(p, bias, {channel: 1.0, **heads})]
    for s in range(length - 1):
        adds = {target: weights[s + 1] for target, weights in targets.items()}
        chain.append(({channel: 1.0}, -(0.5**s), {**({channel: -2.0} if s < length - 2 else {}), **adds}))
    return chain


def stacked(*chains: Sequence[Unit]) -> list[ReluLayer]:
    """Run chains beside each other."""
    return [layer(*(chain[at] for chain in chains if at < len(chain))) for at in range(max(map(len, chains)))]


def square(g: float, m: int) -> list[float]:
    """Return weights of a chain of m folds that adds g (p - 1)^2 - g (1 - 4^-m) and a wave of amplitude g 4^-m / 2."""
    end = 0.5**m
    return [-g * (2 - 2 * end), *(4 * g * (0.5**s - end) for s in range(m))]


def sumformer(phi: Sequence[ReluLayer], pooled: Sequence[str], psi: Sequence[ReluLayer], readout: Mapping[str, float], *,
              b: float = 0.0, d: int = 1) -> MeanSumformer:
    """Return a network with one output."""
    return MeanSumformer(tuple(f"x.{c}" for c in range(d)), tuple(phi), tuple(pooled), tuple(psi), tuple(readout),
                         np.array(list(readout.values())).reshape(len(readout), 1), np.array([b]))


def exact(network: MeanSumformer, tokens: Any) -> np.ndarray:
    """Evaluate on a (.., n, d) array of numbers, in Fractions."""
    return network(np.frompyfunc(Fraction, 1, 1)(np.asarray(tokens)))


def entry(name: str, kind: str, channels: Mapping[str, Number], constant: Number = 0, **more: object) -> dict[str, object]:
    """Return one quantity of a hint."""
    held = {"channels": {channel: str(Fraction(weight)) for channel, weight in channels.items()},
            "constant": str(Fraction(constant))}
    return {"name": name, "kind": kind, "held": held, **more}


def form(terms: Mapping[str, Number], constant: Number = 0, exact: Mapping[str, object] | None = None) -> dict[str, object]:
    """Return a form of quantities; ``exact``: {"terms": {name: text}, "constant": text} of what coefficients stand for."""
    return {"terms": {name: str(Fraction(c)) for name, c in terms.items()}, "constant": str(Fraction(constant)),
            **({} if exact is None else {"exact": exact})}


TOKEN = entry("own", "token", {"x.0": 1}, coordinate=0)
# a copy of the token made by phi, and its mean
COPY = layer(({"x.0": 1.0}, 0.0, {"c": 1.0}))
HELD = entry("copy", "renamed", {"c": 1}, of=[form({"own": 1})], tree="form")
MEAN = entry("m", "mean", {"mean.c": 1}, of=[form({"copy": 1})])


def bounded(network: MeanSumformer, text: str, quantities: Sequence[Mapping[str, object]], output: Mapping[str, object], *,
            n: int = 3, every_n: bool = False, domain: str = "0,1", d: int = 1, eps: Fraction = Fraction(1, 100)) -> Proved:
    """Prove a bound of ||f - S||."""
    target = Target.from_text(text, n=n, box=Box.parse(domain, d), name="made by hand")
    claim = Claim("made by hand", text, n, d, 1, target.box.sides, ("sumformer",), eps, every_n=every_n)
    return prove(network, {"quantities": list(quantities), "outputs": [output]}, target, claim)


def bound_or_infinity(prove: Callable[..., Proved], *given: Any) -> float:
    """Return the bound that is proved, inf where nothing is."""
    try:
        found = prove(*given)
    except NotUnderstood:
        return math.inf
    return found.bound if found.identities else math.inf


def worst(network: MeanSumformer, f: Callable[[Fraction, Sequence[Fraction]], Fraction], n: int = 2, steps: int = 16) -> Fraction:
    """Return the largest error over all sequences of a grid."""
    grid = [Fraction(k, steps) for k in range(steps + 1)]
    sequences = np.array(list(itertools.product(grid, repeat=n)), dtype=object)[..., None]
    values = exact(network, sequences)[..., 0]
    return max(abs(value - f(own, row)) for row, outputs in zip(sequences[..., 0].tolist(), values.tolist(), strict=True)
               for own, value in zip(row, outputs, strict=True))


def mean(_: Fraction, row: Sequence[Fraction]) -> Fraction:
    """Return the mean of a sequence, as ``worst`` asks for it."""
    return sum(row, Fraction(0)) / len(row)
