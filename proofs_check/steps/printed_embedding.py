"""printed-embedding: a linear map of the tokens cannot make the channel 1."""

from __future__ import annotations

from fractions import Fraction

from proofs_check.evidence import counterexample
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def first_channel_is_one(given: Given) -> Evidence:
    """Look for weights w and a bias with w x + bias = 1 at x = 0 and x = 1; a linear map has no bias."""
    weights = [Fraction(k, 4) for k in range(-8, 9)]
    biases = weights if given["affine"] else [Fraction(0)]
    found = [(w, bias) for w in weights for bias in biases if bias == 1 and w + bias == 1]
    return counterexample([found], _no_map, "w = 0, bias 1")


def _no_map(found: list[tuple[Fraction, Fraction]]) -> tuple[str, ...]:
    if found:
        return ()
    return ("d = 1, x = 0: a linear map sends the zero row to the zero row, 0 W = 0",
            "the first channel of the stream has to be 1 there")


STEP = ProofStep(
    id="printed-embedding", section=5, corrects="residual-layout",
    plain="A linear map of the tokens makes the constant channel 1 of the stream.",
    latex=r"\exists W:\ xW=[1\,|\,x\,|\,0\,|\,0]\ \ \forall x\in[0,1]^d",
    source="paper, equations 42-47, as printed", expected=Status.REFUTED, constants={"affine": False},
    checks=(Check("some linear map has the first entry 1 for every token", Method.EXACT, first_channel_is_one),),
    mutations=(Mutation("an affine map", {"affine": True}),))
