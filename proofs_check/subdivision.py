"""Certify a stored ReLU Sumformer by subdivision: from its weights and the target text, for one length, nothing else used.

The route (b) of mathematics section 6: neither the decomposition nor the error analysis of the builder is run again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from constructions.errors import BadInput, Refused
from constructions.storage import MEAN_FORMAT, load_mean_sumformer
from constructions.targets.target import AnyTarget, Target
from proofs_check.certify import is_about, read_target
from proofs_check.checkpoints import NotKept, resume, store
from proofs_check.companions import SUMFORMER
from proofs_check.covering import covering_steps, unfinished
from proofs_check.definedness import defined_by
from proofs_check.executors import Cluster
from proofs_check.kernel import Claim, Status, Step, Verdict, conclude
from proofs_check.propositions import TARGET
from proofs_check.run_files import RunFiles, understanding
from proofs_check.sup_norm import ErrorWitness, Problem, Search
from proofs_check.trained import read_trained

if TYPE_CHECKING:
    import torch

    from proofs_check.boxes import Comparison

TRUST = (
    "the parser and syntax tree of the target language give the text its meaning",
    "IEEE 754 double precision; numpy's elementary functions err by less than the ulps stated in docs/trust.md",
    "matrix products are sums of products in some order, each operation rounded once (or fused)",
)
MOST_COORDINATES = 24


def problem_of(run: RunFiles, n: int | None, bound: Fraction) -> tuple[Claim, Problem]:
    """Read what is to be compared, and claim the bound for it.

    Args:
        run: contents of a run directory whose hashes agree.
        n: length of the sequences; the run's own if None.
        bound: of the error at that length.

    Raises:
        BadInput: the run is about another length alone or claims something else than it holds, or its files do not have the
            documented structure.
        Refused: subdivision does not apply to this run.
    """
    with understanding("run directory"):
        claim = Claim.from_json(run.certificate["claim"])
        if run.network.get("format") != MEAN_FORMAT:
            raise Refused("subdivision is for ReLU networks; a step-network is followed exactly, input by input, by uat certify")
        if n is not None and n != claim.n and not claim.every_n:
            raise BadInput(f"--n {n}: the run is about n = {claim.n} alone")
        length = claim.n if n is None else n
        target = read_target({**run.plan, "n": length}, import_callable=False)
        target = _coverable(target)
        claim = replace(claim, n=length, networks=(SUMFORMER,), every_n=False, bound=bound)
        if not is_about(claim, target):
            raise BadInput("the run's claim is about another target or domain than the one stored")
        problem = Problem.of(target.outputs, load_mean_sumformer(run.arrays, run.network), length, target.box.sides)
    return claim, problem


def problem_of_trained(target: AnyTarget, path: Path, pooling: str, bound: Fraction, phi: str = "file") -> tuple[Claim, Problem]:
    """Read a trained Sumformer as :func:`read_trained` does, to be compared with a target at the target's length.

    Raises:
        BadInput: the file cannot be read or holds another network.
        Refused: too many dimensions.
    """
    target = _coverable(target)
    network = read_trained(path, d=target.d, d_out=target.d_out, n=target.n, pooling=pooling, phi=phi)
    claim = Claim(target.name, target.text, target.n, target.d, target.d_out, target.box.sides, ("sumformer",), bound)
    return claim, Problem.of(target.outputs, network, target.n, target.box.sides)


def _coverable(target: AnyTarget) -> Target:
    if not isinstance(target, Target) or target.positional:
        raise Refused("subdivision sorts the tokens: it needs an expression without positions")
    if target.n * target.d > MOST_COORDINATES:
        raise Refused(f"{target.n} tokens with {target.d} coordinates are {target.n * target.d} dimensions, more than "
                      f"subdivision can cover ({MOST_COORDINATES}); --n asks for shorter sequences of the same network")
    return target


def certify_by_subdivision(claim: Claim, problem: Problem, *, seconds: float = math.inf, boxes: float = math.inf,
                           checkpoint: Path | None = None, executor: Executor | None = None, device: torch.device | None = None,
                           assumptions: Sequence[str] = (),
                           after_round: Callable[[Search], None] = lambda _: None) -> tuple[Verdict, Search]:
    """Return a certificate of ``||f - S|| <= bound`` at one length, or the best bound so far, or a witness against it.

    Args:
        claim, problem: as :func:`problem_of` returns them; the claim's bound is what to prove.
        seconds, boxes: time, and number of boxes, after which the best bound so far is reported.
        checkpoint: file the state is kept in; if it exists the search goes on from there. Where it cannot be written the search
            ends, and ``unkept`` of it says why.
        executor: where boxes are judged.
        device: where they are judged if that is no processor; what is assumed of it is assumed by the certificate.
        assumptions: what reading the network rests on, for the certificate.
        after_round: called after every round of boxes.

    Raises:
        Refused: the device does not compute as a bound has to assume.
    """
    comparison, trusted = (problem, []) if device is None else _on_device(problem, device)
    search = Search.begin(comparison, claim.bound)
    if checkpoint is not None and checkpoint.exists():
        search = resume(comparison, search.limit, checkpoint)
        trusted.append(f"{checkpoint} holds what an earlier run of this check left there")
    if isinstance(executor, Cluster):
        trusted.append(executor.trusted)

    def keep(state: Search) -> None:
        if checkpoint is not None and state.witness is None:  # a witness is no box: from the earlier state it is found again
            store(state, checkpoint)
        after_round(state)

    try:
        with suppress(KeyboardInterrupt, MemoryError):  # what was proved so far is reported
            search.run(seconds, keep, executor, boxes)
    except NotKept as error:  # and so it is where the disk is full: going on would lose more
        search.unkept = str(error)
    trust = (*assumptions, *TRUST)
    return conclude(claim, _steps(search, claim, "; ".join(trusted)), trust, floating_point=False), search


def _on_device(problem: Problem, device: torch.device) -> tuple[Comparison, list[str]]:
    """Return the problem as judged on the device, and what that assumes; torch takes seconds to import."""
    from proofs_check.device_arithmetic import ASSUMED
    from proofs_check.on_device import OnDevice

    return OnDevice.of(problem, device), [ASSUMED]


def _steps(search: Search, claim: Claim, trusted: str) -> list[Step]:
    if search.witness is not None:
        return unfinished(search, _told(search.witness), Status.REFUTED)
    if not math.isfinite(search.bound):
        return unfinished(search, f"no finite bound after {search.judged:,} boxes", Status.UNDECIDED)
    waiting = search.waiting.bound.size
    left = f", {waiting:,} of them to be divided further" if waiting else ""
    covered = f"{search.judged:,} boxes{left}; over the reals, for the stored weights"
    steps = covering_steps(search, claim.scope, (TARGET, SUMFORMER), covered, trusted)
    return [*steps, defined_by(steps[-1], "the values of f were enclosed on every box", claim.scope)]


def _told(witness: ErrorWitness) -> str:
    tokens = ", ".join("(" + ", ".join(str(float(value)) for value in token) + ")" for token in witness.tokens)
    return (f"the error is at least {float(witness.error_at_least)} in output {witness.output + 1} of token {witness.own + 1} of "
            f"X = [{tokens}]")
