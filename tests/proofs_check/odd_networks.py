"""Random small Sumformers that no builder makes, and what they compute, by fractions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from constructions.network.relu import MeanSumformer, ReluLayer, mean_of

EXTREMES = (1e-300, 1e300, 1e-160, 1e160, 5e-324, 1e9, 1e-9, 0.0)


@dataclass
class Maker:
    """Draws layers: dense or sparse ones, pairs that make units straight, chains of folds, kinks closer than a float32.

    Attributes:
        extreme: whether weights far from 1 are among them.
    """

    rng: np.random.Generator
    tokens: tuple[str, ...]
    extreme: bool
    known: list[str] = field(default_factory=list)
    number: int = 0

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def some(self, names: Sequence[str], most: int) -> tuple[str, ...]:
        size = min(len(names), int(self.rng.integers(0, most + 1)))
        return tuple(map(str, self.rng.choice(list(names), size=size, replace=False)))

    def weights(self, *shape: int) -> np.ndarray:
        values = self.rng.normal(size=shape)
        values = np.round(4 * values) / 4 if self.chance(0.3) else values
        values = np.where(self.rng.random(shape) < self.rng.choice([0.0, 0.3, 0.6]), 0.0, values)
        return values * self.rng.choice([1.0, 1.0, *EXTREMES], size=shape) if self.extreme and self.chance(0.5) else values

    def layers(self, count: int) -> tuple[ReluLayer, ...]:
        found: list[ReluLayer] = []
        for _ in range(count):
            self.number += 1
            kind = self.rng.random()
            found += [self.plain()] if kind < 0.6 else self.chain() if kind < 0.85 else [self.spike()]
            self.known += [name for layer in found for name in layer.writes if name not in self.known]
            self.known = list(dict.fromkeys(self.known))
        return tuple(found)

    def plain(self) -> ReluLayer:
        reads, units, name = self.some(self.known, 4), int(self.rng.choice([0, 1, 2, 3, 5])), f"c{self.number}"
        writes = tuple(dict.fromkeys([f"{name}a", *self.some(self.known[len(self.tokens):], 1)]))
        W_1, bias, W_2 = self.weights(len(reads), units), self.weights(units), self.weights(units, len(writes))
        if self.chance(0.4):
            return ReluLayer(reads, np.hstack([W_1, -W_1]), np.concatenate([bias, -bias]), writes, np.vstack([W_2, -W_2]))
        if self.chance(0.2):
            return ReluLayer(reads, W_1, bias, tuple(f"{name}.{k}" for k in range(units)), np.eye(units))
        return ReluLayer(reads, W_1, bias, writes, W_2)

    def chain(self) -> list[ReluLayer]:
        t, name = f"t{self.number}", f"s{self.number}"
        targets = tuple(dict.fromkeys([name, *self.some(self.known[len(self.tokens):], 1)]))
        reads = self.some(self.known, 2) or self.tokens[:1]
        start = self.rng.choice([0.0, 1.0, 0.5, 2.0], size=1)
        found = [ReluLayer(reads, self.weights(len(reads), 1), start, (t, *targets),
                           np.hstack([[[1.0]], self.weights(1, len(targets))]))]
        folds = int(self.rng.choice([1, 2, 3, 6, 14]))
        for s in range(folds):
            slip = self.rng.choice([0.0] * 8 + [1e-3, 2.0**-52])
            ended = s == folds - 1 and self.chance(0.5)
            added = self.weights(1, len(targets)) * 0.5**s
            found.append(ReluLayer((t,), np.ones((1, 1)), np.array([slip - 0.5**s]), targets if ended else (t, *targets),
                                   added if ended else np.hstack([[[-2.0]], added])))
        return found

    def spike(self) -> ReluLayer:
        place, width = self.rng.random(), self.rng.choice([1e-9, 1e-3, 0.1, 1e-12])
        return ReluLayer((str(self.rng.choice(self.known)),), np.ones((1, 3)), -np.array([place - width, place, place + width]),
                         (f"hat{self.number}",), np.array([[1.0], [-2.0], [1.0]]) * self.rng.choice([0.1, 1.0]) / width)


def odd_network(seed: int, d: int, d_out: int, *, extreme: bool, monomials: int = 0) -> MeanSumformer:
    """Draw one; phi, the pooled channels, psi and the readout may each be empty; monomials have up to six factors."""
    rng, tokens = np.random.default_rng(seed), tuple(f"x.{c}" for c in range(d))
    products = {f"m{k}": tuple(map(int, rng.integers(0, d, rng.integers(1, 7)))) for k in range(monomials)}
    maker = Maker(rng, tokens, extreme, [*tokens, *products])
    phi = maker.layers(int(rng.integers(0, 4)))
    pooled = tuple(name for name in maker.known if maker.chance(0.6))
    maker.known += map(mean_of, pooled)
    psi = maker.layers(int(rng.integers(0, 5)))
    readout = maker.some(maker.known, 3)
    return MeanSumformer(tokens, phi, pooled, psi, readout, maker.weights(len(readout), d_out), maker.weights(d_out), products)


def exact_output(network: MeanSumformer, tokens: Sequence[Sequence[Fraction]], own: int) -> list[Fraction]:
    """Evaluate at one own token, by the definition of a monomial, a layer and of pooling alone."""
    rows = [dict(zip(network.tokens, token, strict=True)) for token in tokens]
    for row, token in zip(rows, tokens, strict=True):
        row |= {name: math.prod((token[c] for c in own), start=Fraction(1)) for name, own in network.monomials.items()}
        _through(network.phi, row)
    known = dict(rows[own])
    for name in network.pooled:
        known[mean_of(name)] = sum((row[name] for row in rows), Fraction(0)) / len(rows)
    _through(network.psi, known)
    return [sum((known[name] * Fraction(float(w)) for name, w in zip(network.readout, column, strict=True)), Fraction(float(b)))
            for column, b in zip(network.W_out.T, network.b_out, strict=True)]


def _through(layers: Sequence[ReluLayer], known: dict[str, Fraction]) -> None:
    for layer in layers:
        before = [sum((known[name] * Fraction(float(w)) for name, w in zip(layer.reads, column, strict=True) if w),
                      Fraction(float(b))) for column, b in zip(layer.W_1.T, layer.bias, strict=True)]
        hidden = [max(p, Fraction(0)) for p in before]
        for name, column in zip(layer.writes, layer.W_2.T, strict=True):
            added = sum((h * Fraction(float(w)) for h, w in zip(hidden, column, strict=True) if w), Fraction(0))
            known[name] = known.get(name, Fraction(0)) + added
