"""printed-embedding: a linear map of the tokens cannot make the channel 1."""

from __future__ import annotations

import sympy

from proofs_check.evidence import counterexample
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def first_channel_is_one(given: Given) -> Evidence:
    """Any weights w, and the best bias, 1: w x + bias is 1 for every x if w = 0. A linear map has no bias: it is 0 at x = 0."""
    w, x = sympy.symbols("w x", real=True)
    channel = w * x + (1 if given["affine"] else 0)
    return counterexample([channel], lambda entry: _not_one(entry, w, x), "w = 0, bias 1")


def _not_one(channel: sympy.Expr, w: sympy.Symbol, x: sympy.Symbol) -> tuple[str, ...]:
    at_zero = channel.subs(x, 0)  # the same for every w
    if at_zero == channel.subs(w, 0) == 1:
        return ()
    return (f"d = 1, x = 0: a linear map sends the zero row to the zero row, 0 W = {at_zero}, for every W",
            "the first channel of the stream has to be 1 there")


STEP = ProofStep(
    id="printed-embedding", section=5, corrects="residual-layout",
    plain="A linear map of the tokens makes the constant channel 1 of the stream.",
    latex=r"\exists W:\ xW=[1\,|\,x\,|\,0\,|\,0]\ \ \forall x\in[0,1]^d",
    source="paper, equations 42-47, as printed", expected=Status.REFUTED, constants={"affine": False},
    checks=(Check("some linear map has the first entry 1 for every token", Method.EXACT, first_channel_is_one),),
    mutations=(Mutation("an affine map", {"affine": True}),))
