"""A proof step as an executed object: statement, source, hypotheses, dependencies, and checks that say what is known.

A step's status is the weakest of its checks, a conclusion inherits the weakest of its parents. A check that covers only a range
of a general statement says so: beyond the range the written proof (docs/theorem.md) is relied on, so the step is at best
``assumed``, however many cases were run. Checks marked as support can refute a step but never strengthen it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from proofs_check.kernel import Status


class Method(Enum):
    """How a check finds out; each shows something different."""

    SYMBOLIC = "symbolic"  # an identity or inequality between free symbols, by sympy
    EXHAUSTIVE = "exhaustive"  # every case of a finite range, in exact arithmetic
    EXACT = "exact"  # chosen cases over the rationals
    ENCLOSURE = "enclosure"  # balls or intervals over a whole domain
    PROPERTY = "property-based"  # hypothesis, so many drawn cases, seed recorded
    SAMPLED = "sampled"  # random cases in floating point
    CITED = "cited"  # a theorem of the literature, not checked here


@dataclass(frozen=True)
class Evidence:
    """What one check showed.

    Attributes:
        what: one line for people.
        cases: how many cases were looked at (identities count one each).
        witness: a counterexample, line by line, so that it can be checked by hand.
    """

    status: Status
    what: str
    cases: int = 1
    witness: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Given:
    """What a check may use: the constants of its statement (a mutation changes them) and how hard to try."""

    constants: Mapping[str, Any]
    full: bool = False
    device: str = "cpu"
    seed: int = 0
    phi: str | None = None

    def __getitem__(self, name: str) -> Any:
        """Return a constant of the statement."""
        return self.constants[name]

    def effort(self, fast: int, full: int) -> int:
        """Return the number of cases for the profile."""
        return full if self.full else fast


@dataclass(frozen=True)
class Check:
    """One thing that is checked.

    Attributes:
        claim: what it shows, a sentence; why that gives the statement is in docs/theorem.md.
        method: how.
        run: from the statement's constants to evidence.
        reach: the range covered where that is less than the statement, e.g. ``n <= 5``; empty when all of it is.
        support: an experiment beside the proof: it may refute, it does not count otherwise.
    """

    claim: str
    method: Method
    run: Callable[[Given], Evidence]
    reach: str = ""
    support: bool = False


@dataclass(frozen=True)
class Mutation:
    """A false variant of the statement: constants changed or a hypothesis dropped. The checks must notice."""

    name: str
    changes: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class ProofStep:
    """One step of the proof, id as in docs/theorem.md.

    Attributes:
        plain, latex: the statement.
        source: paper, equation or theorem number, or "ours".
        expected: what its checks have to come out as; ``REFUTED`` for what is printed but false.
        mutations: variants under which it must not come out as expected.
        constants: numbers of the statement that the checks use.
        corrects: id of the corrected statement, for a printed one.
    """

    id: str
    section: int
    plain: str
    latex: str
    source: str
    checks: tuple[Check, ...]
    mutations: tuple[Mutation, ...]
    hypotheses: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    expected: Status = Status.PROVED
    constants: Mapping[str, Any] = field(default_factory=dict)
    corrects: str = ""

    @property
    def method(self) -> str:
        """The methods of the checks that carry the statement, with their ranges."""
        parts = [f"{check.method.value} {check.reach}".strip() for check in self.checks if not check.support]
        return "; ".join(dict.fromkeys(parts))


@dataclass(frozen=True)
class CheckResult:
    """A check that was run."""

    claim: str
    method: str
    status: Status
    what: str
    cases: int
    witness: tuple[str, ...]
    reach: str
    support: bool
    seconds: float


@dataclass(frozen=True)
class StepResult:
    """A step that was run; ``crashed`` where a check raised, so that the result is not worth keeping."""

    id: str
    status: Status
    checks: tuple[CheckResult, ...]
    crashed: bool = False

    @property
    def cases(self) -> int:
        """Cases of all checks."""
        return sum(check.cases for check in self.checks)

    @property
    def seconds(self) -> float:
        """Time of all checks."""
        return sum(check.seconds for check in self.checks)

    @property
    def witness(self) -> tuple[str, ...]:
        """The first counterexample."""
        return next((check.witness for check in self.checks if check.witness), ())


def run_step(step: ProofStep, given: Given) -> StepResult:
    """Run all checks of a step; one that raises is undecided and does not stop the others."""
    results, crashed = [], False
    for check in step.checks:
        start = time.perf_counter()
        try:
            evidence = check.run(given)
        except Exception as error:  # whatever a check runs into is an answer about that check alone
            evidence, crashed = Evidence(Status.UNDECIDED, f"{type(error).__name__}: {error}", 0), True
        status = evidence.status
        if check.reach and status.rank < Status.ASSUMED.rank:
            status = Status.ASSUMED
        results.append(CheckResult(check.claim, check.method.value, status, evidence.what, evidence.cases, evidence.witness,
                                   check.reach, check.support, time.perf_counter() - start))
    return StepResult(step.id, concluded(results), tuple(results), crashed)


def given_for(step: ProofStep, mutation: Mutation | None = None, **settings: Any) -> Given:
    """Return the step's own constants, or those of a mutation.

    Raises:
        KeyError: the mutation changes a constant that the statement does not have.
    """
    changes = mutation.changes if mutation else {}
    unknown = set(changes) - set(step.constants)
    if unknown:
        raise KeyError(f"{step.id}: mutation {mutation.name if mutation else ''!r} changes {sorted(unknown)}, not a constant")
    return Given({**step.constants, **changes}, **settings)


def concluded(results: list[CheckResult]) -> Status:
    """Return the weakest status of the checks that carry the statement; a refuted support refutes, an undecided one weakens."""
    carrying = [result.status for result in results
                if not result.support or result.status.rank >= Status.UNDECIDED.rank]
    return max(carrying, key=lambda status: status.rank, default=Status.UNDECIDED)
