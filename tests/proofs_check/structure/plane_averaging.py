"""A small network for an average with exponential weights over two coordinates, written straight from its description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from constructions.network.relu import MeanSumformer
from constructions.network.wiring import Wiring
from tests.proofs_check.structure.averaging import Affine, Curve, Floats, Writer
from tests.proofs_check.structure.handmade import entry, form

Side = tuple[float, float]
TOKENS = [entry(f"own{c}", "token", {f"x.{c}": 1}, coordinate=c) for c in range(2)]


def nothing(v: Floats) -> Floats:
    """Return 0."""
    return 0 * v


@dataclass(frozen=True)
class PlaneRecipe:
    """k = u1 p1(v1) + r1(v1) + u2 p2(v2) + r2(v2), s = s1(v1) + s2(v2); u1 = x[u[0]], v1 = y[v[0]] and so on.

    Attributes:
        k: the exponent in x[0] = u1, x[1] = v1, x[2] = u2, x[3] = v2.
        values: s in x[0] = v1, x[1] = v2.
        weight, value: k and s in tokens x and y.
        sides: of v1 and v2.
        turned: which diagonal cuts the cells.
        of_mean: coordinates u of the mean of the sequence, not of the own token.
    """

    p: tuple[Curve, Curve]
    s: tuple[Curve, Curve]
    k: str
    values: str
    weight: str
    value: str
    r: tuple[Curve, Curve] = (nothing, nothing)
    u: tuple[int, int] = (0, 1)
    v: tuple[int, int] = (0, 1)
    sides: tuple[Side, Side] = ((0.0, 1.0), (0.0, 1.0))
    cells: tuple[int, int] = (4, 4)
    turned_cells: int = -1
    delta: float = 1e-6
    step: float = 0.5
    copied: bool = True
    turned: bool = False
    of_mean: bool = False

    @property
    def domain(self) -> str:
        """As the command line takes it, by coordinates of the token."""
        sides = dict(zip(self.v, self.sides, strict=True))
        return ";".join(",".join(f"{end:g}" for end in sides[c]) for c in range(2))

    @property
    def target(self) -> str:
        """Return the text."""
        return f"sum(exp({self.weight})*({self.value}))/sum(exp({self.weight}))"

    def __call__(self, X: Floats) -> Floats:
        """Evaluate on (sequences, n, 2)."""
        whole, y = X.mean(axis=1, keepdims=True) if self.of_mean else X, [X[:, None, :, c] for c in self.v]
        u = [whole[:, :, None, c] for c in self.u]
        k = sum(u[a] * self.p[a](y[a]) + self.r[a](y[a]) for a in range(2))
        weights = np.exp(k - k.max(axis=-1, keepdims=True))
        values = (weights * (self.s[0](y[0]) + self.s[1](y[1]))).sum(axis=-1) / weights.sum(axis=-1)
        return np.broadcast_to(values, X.shape[:2])


@dataclass
class PlaneWriter(Writer):
    """Knows also the hinges and the hats of phi."""

    hinges_of_phi: dict[tuple[str, int], str] = field(default_factory=dict)
    hats: list[str] = field(default_factory=list)


def ideal(recipe: PlaneRecipe) -> tuple[Floats, Floats]:
    """Return the knots of both coordinates."""
    one, other = (np.linspace(*side, count + 1) for side, count in zip(recipe.sides, recipe.cells, strict=True))
    return one, other


def histogram(recipe: PlaneRecipe, phi: Wiring) -> tuple[dict[tuple[str, int], str], list[str]]:
    """Write shared hinges and hats, knots row by row; at borders the hinges that are never active are left out."""
    (m, n), o = recipe.cells, recipe.turned_cells
    steep = [count / (high - low) for (low, high), count in zip(recipe.sides, recipe.cells, strict=True)]
    at = [low * w for (low, _), w in zip(recipe.sides, steep, strict=True)]
    one, other = (f"x.{c}" for c in recipe.v)
    made: dict[tuple[str, int], str] = {}

    def hinge(kind: str, k: int, reads: Mapping[str, float], bias: float) -> None:
        made[kind, k] = phi.channel()
        phi.unit(reads, bias, {made[kind, k]: 1.0})

    for i in range(1, m + 1):
        hinge("left", i, {one: -steep[0]}, at[0] + i)
    for j in range(n) if o > 0 else range(1, n + 1):
        hinge("above", j, {other: o * steep[1]}, -o * (at[1] + j))
    for k in sorted({i - o * j for i in range(m + 1) for j in range(n + 1)})[:-1]:
        hinge("across", k, {one: steep[0], other: -o * steep[1]}, -at[0] + o * at[1] - k)
    hats = []
    for i in range(m + 1):
        for j in range(n + 1):
            hats.append(phi.channel())
            reads = [made[key] for key in (("left", i), ("above", j), ("across", i - o * j)) if key in made]
            phi.unit(dict.fromkeys(reads, -1.0), 1.0, {hats[-1]: 1.0})
    return made, hats


def built(recipe: PlaneRecipe) -> tuple[MeanSumformer, dict[str, object], PlaneWriter]:
    """Return the network, its hint and who wrote it."""
    t = ideal(recipe)
    phi = Wiring.of(["x.0", "x.1"], "phi")
    made, hats = histogram(recipe, phi)
    extra = []
    if recipe.of_mean:
        for c in recipe.u:
            extra.append(phi.channel())
            phi.unit({f"x.{c}": 1.0}, -dict(zip(recipe.v, recipe.sides, strict=True))[c][0], {extra[-1]: 1.0})
    means = [f"mean.{hat}" for hat in hats]
    psi = Wiring.of(["x.0", "x.1", *means, *(f"mean.{c}" for c in extra)], "psi")
    writer = PlaneWriter(recipe, psi, hinges_of_phi=made, hats=hats)  # type: ignore[arg-type]  # of a recipe it asks for tables only
    u = [f"mean.{c}" for c in extra] if extra else [f"x.{c}" for c in recipe.u]
    sides = dict(zip(recipe.v, recipe.sides, strict=True))
    shifts = [sides[c][0] if extra else 0.0 for c in recipe.u]
    gaps = -2 * np.sqrt(2) * recipe.step / 4
    q = np.exp(gaps * np.arange(0, int(np.log(1 / recipe.delta) / (recipe.step / np.sqrt(2))) + 2))
    knots = np.unique(np.append(np.maximum(q * (1 + recipe.delta) - recipe.delta, 0.0), [0.0, 1.0]))
    logs = np.log(knots + recipe.delta)
    drops = np.diff(logs) / np.diff(knots)
    leaves = []
    for index, mean in enumerate(means):
        i, j = divmod(index, recipe.cells[1] + 1)
        channel = psi.channel()
        for knot, drop in zip(knots[1:], drops - np.append(drops[1:], 0.0), strict=True):
            psi.unit({mean: -1.0}, float(knot), {channel: -float(drop)})
        writer.tables["log"].append(channel)
        slopes = [float(recipe.p[0](t[0][i])), float(recipe.p[1](t[1][j]))]
        constant = float(recipe.r[0](t[0][i]) + recipe.r[1](t[1][j])) + float(np.dot(shifts, slopes))
        line = Affine({channel: 1.0}, constant + float(logs[-1]))
        for name, slope in zip(u, slopes, strict=True):
            line = line.plus(Affine({name: slope}))
        leaves.append(line)
    writer.out = psi.channel()
    values = np.add.outer(recipe.s[0](t[0]), recipe.s[1](t[1])).ravel()
    low, height = float(values.min()), float(np.ptp(values))
    parts = (values - low) / height
    above, below = (writer.total([leaf.plus(Affine({}, float(np.log(z)))) for leaf, z in zip(leaves, part, strict=True) if z > 0])
                    for part in (parts, 1 - parts))
    writer.step(above.plus(below, -1.0), height)
    in_phi, _ = phi.built([*hats, *extra])
    in_psi, _ = psi.built([writer.out])
    network = MeanSumformer(("x.0", "x.1"), in_phi, (*hats, *extra), in_psi, (writer.out,), np.ones((1, 1)), np.array([low]))
    quantities = list(TOKENS)
    names = [f"own{c}" for c in recipe.u]
    if extra:
        for c, channel, shift in zip(recipe.u, extra, map(Fraction, shifts), strict=True):
            quantities.append(entry(f"copy{c}", "renamed", {channel: 1}, shift, of=[form({f"own{c}": 1})], tree="form"))
            quantities.append(entry(f"mean{c}", "mean", {f"mean.{channel}": 1}, shift, of=[form({f"copy{c}": 1})]))
        names = [f"mean{c}" for c in recipe.u]
    of = [form({name: 1}) for pair in zip(names, [f"own{c}" for c in recipe.v], strict=True) for name in pair]
    quantities.append(entry("F", "exponential-average", {writer.out: 1}, Fraction(low), of=of, tree=recipe.k,
                            values=recipe.values))
    return network, {"quantities": quantities, "outputs": [form({"F": 1})]}, writer
