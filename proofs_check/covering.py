"""What a subdivision proves: a bound on each of its boxes, hence on sorted sequences, hence on all (symmetry-reduction)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from proofs_check.kernel import Status, Step, Unsound, derive
from proofs_check.propositions import Near, Scope, Symmetric
from proofs_check.sup_norm import Search

REDUCED = "symmetry-reduction"


def covering_steps(search: Search, scope: Scope, names: tuple[str, str], statement: str, assumption: str = "") -> list[Step]:
    """Return the steps from a search that has a finite bound to ||first - second|| <= bound on the scope.

    Args:
        search: as far as it went; what waits counts with its bound.
        scope: sequences of the search's length.
        names: of the two functions that were compared; both read the own token and functions of the multiset of all.
        statement: what was looked at.
        assumption: what the search rests on beside its own arithmetic, "" for nothing; then the bound is assumed.

    Returns:
        Steps that end in the bound; an undecided one if boxes were lost, as they would be from a damaged checkpoint.
    """
    bound, cases = Fraction(search.bound), search.problem.n * len(search.problem.outputs)
    on_boxes = Step("subdivision", statement, Status.ASSUMED if assumption else Status.CERTIFIED, bound, assumption,
                    Near(*names, bound, replace(scope, descending=True, part="boxes")))
    symmetric = [Step("equivariance-semi-invariance", f"{name} reads its own token and the multiset of all", Status.PROVED,
                      says=Symmetric(name)) for name in names]
    try:
        covered = derive("subdivision cover", [on_boxes], cases, search.leaves)
        return [derive("symmetry reduction", [covered, *symmetric], id=REDUCED, statement=_reduced(cases))]
    except Unsound as lost:
        return [on_boxes, Step(REDUCED, str(lost), Status.UNDECIDED)]


def unfinished(search: Search, statement: str, status: Status) -> list[Step]:
    """Return the steps of a search that proves nothing: undecided or refuted as the statement says."""
    cases = search.problem.n * len(search.problem.outputs)
    return [Step(REDUCED, _reduced(cases), Status.PROVED), Step("subdivision", statement, status)]


def _reduced(cases: int) -> str:
    return f"tokens in descending order; {cases} cases, each a rank of the own token and an output"
