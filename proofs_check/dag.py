"""The proof as a directed acyclic graph: order, ancestors, inherited status (mathematics: section 6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import networkx as nx

from constructions.errors import BadInput, nearest
from proofs_check.kernel import Status
from proofs_check.proof import ProofStep, StepResult

THEOREMS = ("theorem-sumformer", "theorem-transformer", "theorem-linformer", "theorem-performer")


def proof_graph(steps: Mapping[str, ProofStep]) -> nx.DiGraph[str]:
    """Return the graph with an edge from every premise to what rests on it.

    Raises:
        ValueError: a premise is missing, an argument is circular, a step has no check, or a sound one rests on a refuted one.
    """
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(steps)
    for step in steps.values():
        for premise in step.depends_on:
            if premise not in steps:
                raise ValueError(f"{step.id} rests on {premise!r}, which is no step")
            if steps[premise].expected is Status.REFUTED:
                raise ValueError(f"{step.id} rests on {premise}, which is false")
            graph.add_edge(premise, step.id)
        if not any(not check.support for check in step.checks):
            raise ValueError(f"{step.id} has no check: a leaf is a citation or a computed fact")
        if step.corrects and step.corrects not in steps:
            raise ValueError(f"{step.id} is corrected by {step.corrects!r}, which is no step")
    if not nx.is_directed_acyclic_graph(graph):
        circle = " -> ".join(premise for premise, _ in nx.find_cycle(graph))
        raise ValueError(f"circular argument: {circle}")
    return graph


def proof_order(steps: Mapping[str, ProofStep]) -> list[str]:
    """Return all ids, premises first, by section and then by name."""
    graph = proof_graph(steps)
    return list(nx.lexicographical_topological_sort(graph, key=lambda name: (steps[name].section, name)))


def selected(steps: Mapping[str, ProofStep], *, named: Sequence[str] = (), upto: Sequence[str] = (),
             only: Sequence[str] = ()) -> list[str]:
    """Return ids in proof order: ``named`` and ``only`` alone, ``upto`` with everything they rest on; all if none is given.

    Raises:
        BadInput: an id that is no step, with the nearest ones.
    """
    for name in (*named, *upto, *only):
        if name not in steps:
            raise BadInput(f"no step {name!r}: {nearest(name, steps)}")
    order, graph = proof_order(steps), proof_graph(steps)
    if not (named or upto or only):
        return order
    wanted = {*named, *only, *upto}.union(*(nx.ancestors(graph, name) for name in upto))
    return [name for name in order if name in wanted]


def inherited(steps: Mapping[str, ProofStep], results: Iterable[StepResult]) -> dict[str, Status | None]:
    """Return for each result the weakest status among itself and everything it rests on, None where some of that was not run."""
    own = {result.id: result.status for result in results}
    weakest: dict[str, Status | None] = {}
    for name in proof_order(steps):
        if name in own:
            chain = [own[name], *(weakest.get(premise) for premise in steps[name].depends_on)]
            known = [status for status in chain if status is not None]
            weakest[name] = max(known, key=lambda status: status.rank) if len(known) == len(chain) else None
    return weakest
