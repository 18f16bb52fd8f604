"""A small network for an average with exponential weights, written straight from its description; nothing of the builder's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from constructions.network.relu import MeanSumformer
from constructions.network.wiring import Wiring
from tests.proofs_check.structure.handmade import TOKEN, entry, form

Floats = np.ndarray
Curve = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Recipe:
    """k(u, v) = u p(v) + r(v) and s(v) on [low, high], v and u the token; how fine the tables are."""

    p: Curve
    r: Curve
    s: Curve
    k: str
    values: str
    low: float = 0.0
    high: float = 1.0
    hats: int = 9
    delta: float = 1e-6
    step: float = 0.125
    copied: bool = True
    turned: bool = False

    @property
    def text(self) -> str:
        """The target."""
        weight, s = (text.replace("x[0]", "x").replace("x[1]", "y") for text in (self.k, self.values.replace("x[0]", "y")))
        return f"sum(exp({weight})*({s}))/sum(exp({weight}))"


@dataclass(frozen=True)
class Affine:
    """constant + sum of coefficient * channel."""

    channels: Mapping[str, float]
    constant: float = 0.0

    def plus(self, other: Affine, factor: float = 1.0) -> Affine:
        """Add a multiple."""
        names = dict.fromkeys((*self.channels, *other.channels))
        total = {c: self.channels.get(c, 0.0) + factor * other.channels.get(c, 0.0) for c in names}
        return Affine({c: w for c, w in total.items() if w}, self.constant + factor * other.constant)


@dataclass
class Writer:
    """Lays out psi; ``places`` says which units belong to a table, for tests that change one."""

    recipe: Recipe
    psi: Wiring
    out: str = ""
    tables: dict[str, list[str]] = field(default_factory=lambda: {"log": [], "softplus": [], "sigmoid": [], "copy": []})

    def hinges(self, kind: str, reads: Affine, knots: Floats, values: Floats, channel: str, factor: float = 1.0) -> None:
        """Write a table that is linear between its knots, 0 before the first, and after the last but one as before it."""
        slopes = np.diff(values) / np.diff(knots)
        for knot, jump in zip(knots[:-1], np.diff(slopes, prepend=0.0), strict=True):
            self.psi.unit(reads.channels, reads.constant - float(knot), {channel: factor * float(jump)})
        self.tables[kind].append(channel)

    def copied(self, D: Affine) -> Affine:
        """Copy a difference to a channel of its own."""
        if not self.recipe.copied:
            return D
        channel, low = self.psi.channel(), -200.0
        self.psi.unit(D.channels, D.constant - low, {channel: 1.0})
        self.tables["copy"].append(channel)
        return Affine({channel: 1.0}, low)

    def merge(self, X: Affine, Y: Affine) -> Affine:
        """Return the logarithm of e^X + e^Y."""
        if self.recipe.turned:
            X, Y = Y, X
        D, T = self.copied(X.plus(Y, -1.0)), self.psi.channel()
        knots = np.arange(-16.0, 16.0 + self.recipe.step, self.recipe.step)
        values = np.logaddexp(0.0, knots) - self.recipe.step**2 / 64
        values[0] = 0.0
        self.hinges("softplus", D, np.append(knots, knots[-1] + 1), np.append(values, values[-1] + 1), T)
        return Y.plus(Affine({T: 1.0}))

    def total(self, terms: Sequence[Affine]) -> Affine:
        """Return the logarithm of a sum of exponentials, in a balanced tree."""
        if len(terms) == 1:
            return terms[0]
        middle = len(terms) // 2
        return self.merge(self.total(terms[:middle]), self.total(terms[middle:]))

    def step(self, D: Affine, height: float) -> None:
        """Add a multiple of the logistic function of D to the output."""
        D = self.copied(D)
        knots = np.arange(-16.0, 16.0 + self.recipe.step, self.recipe.step)
        values = 1 / (1 + np.exp(-knots))
        values[0], values[-1] = 0.0, 1.0
        self.hinges("sigmoid", D, np.append(knots, knots[-1] + 1), np.append(values, 1.0), self.out, height)


def built(recipe: Recipe) -> tuple[MeanSumformer, dict[str, object], Writer]:
    """Return the network, its hint and who wrote it."""
    t = np.linspace(recipe.low, recipe.high, recipe.hats)
    phi, hats = Wiring.of(["x.0"], "phi"), list[str]()
    for j in range(recipe.hats):
        sides = []
        for other in (j + 1, j - 1):
            if 0 <= other < recipe.hats:
                w = 1 / (t[other] - t[j])
                sides.append(phi.channel())
                phi.unit({"x.0": w}, -w * t[j], {sides[-1]: 1.0})
        hats.append(phi.channel())
        phi.unit(dict.fromkeys(sides, -1.0), 1.0, {hats[-1]: 1.0})
    means = [f"mean.{hat}" for hat in hats]
    psi = Wiring.of(["x.0", *means], "psi")
    writer = Writer(recipe, psi)
    leaves = []
    q = np.exp(-2 * np.sqrt(2) * recipe.step / 4 * np.arange(0, int(np.log(1 / recipe.delta) / (recipe.step / np.sqrt(2))) + 2))
    knots = np.unique(np.append(np.maximum(q * (1 + recipe.delta) - recipe.delta, 0.0), [0.0, 1.0]))
    logs = np.log(knots + recipe.delta)
    for j, mean in enumerate(means):
        channel = psi.channel()
        slopes = np.diff(logs) / np.diff(knots)
        for knot, drop in zip(knots[1:], slopes - np.append(slopes[1:], 0.0), strict=True):
            psi.unit({mean: -1.0}, float(knot), {channel: -float(drop)})
        writer.tables["log"].append(channel)
        leaves.append(Affine({channel: 1.0, "x.0": float(recipe.p(t[j]))}, float(recipe.r(t[j])) + float(logs[-1])))
    writer.out = psi.channel()
    values = recipe.s(t)
    low, height = float(values.min()), float(np.ptp(values))
    parts = (values - low) / height
    above, below = (writer.total([leaf.plus(Affine({}, float(np.log(z)))) for leaf, z in zip(leaves, part, strict=True) if z > 0])
                    for part in (parts, 1 - parts))
    writer.step(above.plus(below, -1.0), height)
    in_phi, _ = phi.built(hats)
    in_psi, _ = psi.built([writer.out])
    network = MeanSumformer(("x.0",), in_phi, tuple(hats), in_psi, (writer.out,), np.ones((1, 1)), np.array([low]))
    average = entry("F", "exponential-average", {writer.out: 1}, Fraction(low), of=[form({"own": 1}), form({"own": 1})],
                    tree=recipe.k, values=recipe.values)
    return network, {"quantities": [TOKEN, average], "outputs": [form({"F": 1})]}, writer
