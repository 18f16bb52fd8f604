"""What theorems 4.3 to 4.5 have in common: the shares of eps, and whole architectures against their Sumformer, exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import sympy

from constructions.architectures import assemble_mean
from constructions.continuous import construct_continuous
from constructions.domains import Box
from constructions.network.relu import MeanSumformer
from constructions.pooling import pooling_head
from constructions.pooling.head import NotExact
from constructions.targets.target import Target
from proofs_check.evidence import every
from proofs_check.inequalities import follows
from proofs_check.proof import Evidence, Given

Change = Callable[[dict[str, np.ndarray]], None]
N = 4  # 1/4 is a float64 number: the heads' weights are exact
SEQUENCES = ((0, 0, 0, 0), (0, 1, 0, 1), (Fraction(1, 3), Fraction(2, 7), 1, 0), (1, 1, 1, Fraction(1, 9)))


def shares_add_up(given: Given) -> Evidence:
    """||f - S|| <= eps/2 and FC layers realise phi, psi to within eps/2 (error-budget); attention is exactly the mean."""
    eps, first, second, attention = sympy.symbols("eps p s a", nonnegative=True)
    share = sympy.Rational(given["share"])
    hypotheses = [(1, share * eps - first), (1, share * eps - second), (1, -attention)]  # attention adds nothing
    return follows({"eps - ||f - T||": (eps - (first + second + attention), hypotheses)}, "the shares add up to eps")


@cache
def small_sumformer(text: str = "x*mean(y)") -> MeanSumformer:
    """Return the built network of a small target at tolerance 1/100."""
    target = Target.from_text(text, n=N, box=Box.parse("0,1", 1))
    return construct_continuous(target, Fraction(1, 100), "sum-decomposition", ()).sumformer


def assembled_architecture(architecture: str) -> Callable[[Given], Evidence]:
    """Return the check that the architecture equals its Sumformer; the constant ``change`` damages its attention's weights."""
    def check(given: Given) -> Evidence:
        names = [architecture, *(["performer-normalised"] if architecture == "performer" else [])]
        cases = [(name, X) for name in names for X in SEQUENCES[: given.effort(3, 4)]]
        return every(cases, lambda case: _differs(case[0], case[1], given["change"]), "{} sequences: T = S exactly, one head")
    return check


def _differs(name: str, X: tuple[Fraction | int, ...], change: Change | None) -> str:
    sumformer = small_sumformer()
    network = assemble_mean(sumformer, pooling_head(name, linformer_k=2), N)
    attention = [block.attention for block in network.blocks if block.attention is not None]
    if len(attention) != 1:
        return f"{name}: {len(attention)} attention layers are not zero, expected one"
    if change is not None:
        weights = {key: array.copy() for key, array in attention[0].items()}
        change(weights)
        blocks = tuple(replace(block, attention=weights) if block.attention is not None else block for block in network.blocks)
        network = replace(network, blocks=blocks)
    tokens = np.array([[Fraction(x)] for x in X], dtype=object)
    try:
        gap = np.abs(network.reference(tokens) - sumformer(tokens)).max()
    except NotExact as problem:
        return f"{name}: {problem}"
    return "" if gap == 0 else f"{name}, X = ({', '.join(map(str, X))}): T and S differ by {float(gap):.6g}"
