"""printed-residual-layout: blocks X + FC(X + Att(X)) whose width changes."""

from __future__ import annotations

from proofs_check.evidence import counterexample
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def widths_agree(given: Given) -> Evidence:
    """Compare the width of X with that of what a printed block writes, for small d, d'."""
    cases = [(d, latent) for d in (1, 2, 3) for latent in (1, 2, 3)]
    return counterexample(cases, lambda case: _mismatch(*case, given["embedded_first"]), "X and FC(..) have one width")


def _mismatch(d: int, latent: int, embedded_first: bool) -> tuple[str, ...]:
    wide = 1 + d + 2 * latent
    before = wide if embedded_first else d
    if before == wide:
        return ()
    return (f"d = {d}, d' = {latent}: X is n x {before}, the block's output [1 | x | phi | Sigma] is n x {wide}",
            f"X + FC(X + Att(X)) adds an n x {before} matrix to an n x {wide} one, which is not defined")


STEP = ProofStep(
    id="printed-residual-layout", section=5, corrects="residual-layout",
    plain="A block X + FC(X + Att(X)) maps the tokens of width d to the stream of width 1 + d + 2 d'.",
    latex=r"X\in\mathbb R^{n\times d}\mapsto X+\mathrm{FC}(X+\mathrm{Att}(X))\in\mathbb R^{n\times(1+d+2d')}",
    source="paper, equations 42-47, as printed", expected=Status.REFUTED, constants={"embedded_first": False},
    checks=(Check("both sides of the sum have one width", Method.EXACT, widths_agree),),
    mutations=(Mutation("the tokens are embedded into the full width first", {"embedded_first": True}),))
