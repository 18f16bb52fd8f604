"""The linear pieces of a ReLU feature map on [0, 1], exactly, and the two sequences that its longest piece confuses.

On a piece [a, b] every feature is affine, so {a, b} and the doubled middle have the same sum, whatever d' is; the targets
2|x_j - x_k| - 1 of the own token differ by 2 (b - a) (mathematics: lower-bounds, piece count).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

Line = tuple[Fraction, Fraction]  # value at the left end, slope
Layer = tuple[list[list[Fraction]], list[Fraction]]  # rows of weights, biases


@dataclass(frozen=True)
class Pieces:
    """Ends of the linear pieces in order, and the features on each, as lines from its left end."""

    ends: tuple[Fraction, ...]
    lines: tuple[tuple[Line, ...], ...]

    @property
    def longest(self) -> int:
        """Number of the longest piece."""
        return max(range(len(self.lines)), key=lambda k: self.ends[k + 1] - self.ends[k])

    def at(self, t: Fraction) -> list[Fraction]:
        """Evaluate the features by their pieces."""
        k = max(k for k in range(len(self.lines)) if self.ends[k] <= t)
        return [value + slope * (t - self.ends[k]) for value, slope in self.lines[k]]

    def collision(self) -> tuple[Fraction, Fraction, Fraction]:
        """Return a, b and the middle of the longest piece."""
        k = self.longest
        a, b = self.ends[k], self.ends[k + 1]
        return a, b, (a + b) / 2


def linear_pieces(stack: Sequence[tuple[Any, Any]]) -> Pieces:
    """Cut [0, 1] at every zero of every hidden unit, layer by layer, and join neighbours on which all features are one line.

    Args:
        stack: linear maps (in, out) with biases, ReLU between them; one input.
    """
    layers = exact_layers(stack)
    pieces = [(Fraction(0), Fraction(1), [(Fraction(0), Fraction(1))])]
    for k, layer in enumerate(layers):
        pieces = [(a, b, _affine(layer, lines)) for a, b, lines in pieces]
        if k + 1 < len(layers):
            pieces = [cut for piece in pieces for cut in _rectified(*piece)]
    return _joined(pieces)


def exact_layers(stack: Sequence[tuple[Any, Any]]) -> list[Layer]:
    """Return the weights, one row a unit, and the biases as the rational numbers they are."""
    return [([[Fraction(float(w)) for w in row] for row in W.T], [Fraction(float(v)) for v in b]) for W, b in stack]


def features_at(layers: Sequence[Layer], t: Fraction) -> list[Fraction]:
    """Evaluate the network itself, without its pieces."""
    stream = [t]
    for k, (rows, biases) in enumerate(layers):
        stream = [sum((w * s for w, s in zip(row, stream, strict=True)), bias) for row, bias in zip(rows, biases, strict=True)]
        stream = [max(s, Fraction(0)) for s in stream] if k + 1 < len(layers) else stream
    return stream


def _affine(layer: Layer, lines: Sequence[Line]) -> list[Line]:
    rows, biases = layer
    return [(sum((w * value for w, (value, _) in zip(row, lines, strict=True) if w), bias),
             sum((w * slope for w, (_, slope) in zip(row, lines, strict=True) if w), Fraction(0)))
            for row, bias in zip(rows, biases, strict=True)]


def _rectified(a: Fraction, b: Fraction, lines: Sequence[Line]) -> Iterator[tuple[Fraction, Fraction, list[Line]]]:
    zeros = {a - value / slope for value, slope in lines if slope}
    ends = [a, *sorted(z for z in zeros if a < z < b), b]
    for left, right in itertools.pairwise(ends):
        moved = [(value + slope * (left - a), slope) for value, slope in lines]
        middle = (right - left) / 2
        yield left, right, [line if line[0] + line[1] * middle > 0 else (Fraction(0), Fraction(0)) for line in moved]


def _joined(pieces: Sequence[tuple[Fraction, Fraction, list[Line]]]) -> Pieces:
    ends, lines = [pieces[0][0], pieces[0][1]], [tuple(pieces[0][2])]
    for _, right, own in pieces[1:]:
        if [slope for _, slope in own] == [slope for _, slope in lines[-1]]:
            ends[-1] = right  # ReLU networks are continuous: the same slopes are the same line
        else:
            ends.append(right)
            lines.append(tuple(own))
    return Pieces(tuple(ends), tuple(lines))


def confused(name: str, pieces: Pieces) -> tuple[str, ...]:
    """Return the two sequences and the error they force, in lines."""
    (a, b, middle), P = pieces.collision(), len(pieces.lines)

    def shown(t: Fraction) -> str:
        return str(t) if len(str(t)) <= 20 else f"{float(t)!r}.."

    forced = f"{_below(b - a)} >= 1/{P}"
    return (f"phi = {name}: d' = {len(pieces.lines[0])}, P = {P} linear pieces on [0, 1], the longest [{shown(a)}, {shown(b)}]",
            f"X = (x_1, {shown(a)}, {shown(b)}) and X' = (x_1, m, m), m = {shown(middle)}: the same Sigma, by exact fractions",
            f"targets 2|x_2 - x_3| - 1 of token 1 differ by 2 (b - a): every psi errs by at least b - a >= {forced}")


def _below(value: Fraction) -> str:
    return f"{int(value * 10**6) / 10**6:g}"
