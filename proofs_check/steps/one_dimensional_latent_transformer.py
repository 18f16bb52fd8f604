"""one-dimensional-latent-transformer: d' = 1 does not suffice in the sup norm, whatever continuous phi is taken."""

from __future__ import annotations

import sympy

from proofs_check.collisions import Collision, find_collision
from proofs_check.evidence import refuted
from proofs_check.feature_maps import FeatureMap, built_in, load_feature_map
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def any_phi(given: Given) -> Evidence:
    """g(t) = (n-1) phi(t) - (n-2) phi(0) - phi(1) has g(1) = -(n-2) g(0): a root, for every continuous phi."""
    n = given["lengths"][0]
    zero, one = sympy.symbols("phi_0 phi_1", real=True)
    at_0 = (n - 1) * zero - (n - 2) * zero - one
    at_1 = (n - 1) * one - (n - 2) * zero - one
    changes = sympy.expand(at_1 + (n - 2) * at_0) == 0
    spread = 1 if n >= 3 else 0  # max - min of the others {0, .., 0, 1}; of {t, .., t} it is 0
    forced = sympy.Rational(abs((2 * spread - 1) - (2 * 0 - 1)), 2)
    if not changes or forced == 0:
        return Evidence(Status.PROVED, f"no obstruction for n = {n}: the one other token is Sigma - phi(x_1) itself, phi = id")
    return refuted("the intermediate value theorem gives t for every continuous phi", (
        f"n = {n}, d = 1, f_i(X) = 2 (max - min of the others) - 1, phi continuous with one feature",
        f"g(t) = {n - 1} phi(t) - {_times(n - 2)}phi(0) - phi(1) has g(1) = -{_times(n - 2)}g(0): g(t) = 0 for some t in [0, 1]",
        f"(x_1, {'0, ' * (n - 2)}1) and (x_1{', t' * (n - 1)}): same x_1, same Sigma; targets +1 and -1; error >= {forced}"))


def _times(factor: int) -> str:
    return "" if factor == 1 else f"{factor} "


def given_phi(given: Given) -> Evidence:
    """Bisect for t: the user's phi, or one of each kind."""
    maps = [load_feature_map(given.phi)] if given.phi else built_in(given.seed)
    found = [(phi, n, find_collision(phi, n)) for phi in maps for n in given["lengths"]]
    collisions = [collision for _, _, collision in found if collision]
    if not collisions:
        return Evidence(Status.UNDECIDED if given["lengths"][0] >= 3 else Status.PROVED, "no collision was found", len(found))
    missed = [f"{phi.name}, n = {n}: no sign of g is certain" for phi, n, collision in found if not collision]
    lines = _lines(maps[0], collisions) if given.phi else [collision.brief() for collision in collisions if collision.n == 3]
    return refuted(f"collisions for {len(collisions)} of {len(found)} pairs of phi and n", (*lines, *missed), len(found))


def _lines(phi: FeatureMap, collisions: list[Collision]) -> list[str]:
    assumed = [f"assuming: {phi.assumption}"] if phi.assumption else []
    return [line for collision in collisions for line in collision.lines()] + assumed


STEP = ProofStep(
    id="one-dimensional-latent-transformer", section=2,
    plain="For every continuous equivariant f and eps some continuous phi with d' = 1 gives ||f - S|| <= eps in the sup norm.",
    latex=r"\forall f,\varepsilon\ \exists\,\varphi\in C([0,1]^d,\mathbb R^{1}),\psi:\ \|f-S\|_\infty\le\varepsilon",
    source="paper, theorems 4.3 to 4.5, discontinuous branch (\"d' = 1 is possible\")", expected=Status.REFUTED,
    hypotheses=("phi is continuous, as a ReLU or GELU Transformer is", "n >= 3"),
    constants={"lengths": (3, 4, 5)}, corrects="theorem-transformer",
    checks=(Check("some continuous scalar phi suffices", Method.SYMBOLIC, any_phi),
            Check("a phi handed to the checker suffices", Method.ENCLOSURE, given_phi)),
    mutations=(Mutation("n = 2", {"lengths": (2,)}),))
