"""Ascent from the worst sequences found: by whole cells, then by steps of any size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from proofs_check.search import CANDIDATES, Found, Job, Search, even

CLIMBERS = 8
STEPS = 16  # of a climber, about
SURVIVORS = 16  # of all climbers, for refinement: with more, what was found elsewhere is crowded out (measured)
TRIALS = 2**15
REFINERS = 4
NEAR = 8  # least trials of a candidate
TURNS = 45
FEWEST = 6  # candidates at the end
HALVED = 8  # turns from one halving of the candidates to the next
WIDEST, OCTAVES = 0.25, 16  # trials move by 2^-2 to 2^-18 box widths


def climbers(search: Search, budget: int) -> Iterator[Job]:
    """Share the worst sequences found and the budget among independent ascents."""
    space = search.space
    moved = STEPS * (search.chunk if search.repeated is None else CANDIDATES * space.n_moves)
    several = max(1, min(CLIMBERS, budget // moved))  # few with many candidates: large batches are faster
    best = list(search.found)
    starts = space.nearest_ends(torch.stack([one.tokens for one in best]))
    for number in range(several):
        yield partial(_ascend, ends=starts[number::several], budget=budget // several, survivors=max(1, SURVIVORS // several),
                      number=number, counts=_counts(search, best[number::several]))


@torch.no_grad()
def _ascend(search: Search, ends: Tensor, budget: int, survivors: int, number: int, counts: Tensor | None) -> int:
    """Make the best move of one coordinate for every candidate until none helps, then start again from random corners.

    The candidates are the given ones and random corners; their number shrinks when the budget runs out.
    """
    space, generator, spent = search.space, search.generator("ascent", number), 0
    width = even(min(max(CANDIDATES, budget // (STEPS * space.n_moves)), max(1, TRIALS // space.n_moves)))
    ends, height = torch.cat([ends, space.random_ends(generator, width, space.n)]), torch.full((), -1.0)
    if search.repeated is not None and counts is not None:
        counts = torch.cat([counts, search.repeated.draw(space, generator, width)])
    while budget - spent >= space.n_moves and not search.stopped:
        ends = ends[: min(width, (budget - spent) // space.n_moves)]
        counts = None if counts is None else counts[: len(ends)]
        places = space.moves(generator, ends)
        often = None if counts is None else counts.repeat(space.n_moves, 1)
        errors = search.errors(space.moved(ends, places), "ascent", often)
        spent = spent + len(errors)
        gain, move = errors.view(-1, len(ends)).max(dim=0)
        height = height[: len(ends)] if height.ndim else torch.full_like(gain, -1.0)
        better = gain > height
        if not bool(better.any()):
            _enter_highest(search, ends, height, survivors, number, counts)
            ends, height = space.random_ends(generator, width, space.n), torch.full((), -1.0)
            counts = None if search.repeated is None else search.repeated.draw(space, generator, width)
            continue
        ends = space.moved_to(ends, places, move, better)
        height = torch.maximum(height, gain)
    if height.ndim:
        _enter_highest(search, ends, height, survivors, number, counts)
    return spent


def _enter_highest(search: Search, ends: Tensor, height: Tensor, survivors: int, number: int, counts: Tensor | None) -> None:
    best = height.topk(min(len(height), survivors)).indices
    search.enter(search.space.at(ends[best]), "ascent", number, None if counts is None else counts[best])


def refiners(search: Search, budget: int) -> Iterator[Job]:
    """Share the worst sequences found and the budget among independent refinements."""
    best = list(search.found)
    moved = TURNS * (search.chunk if search.repeated is None else CANDIDATES)
    several = max(1, min(REFINERS, budget // moved))
    for number in range(several):
        own = best[number::several]
        yield partial(_refine, tokens=torch.stack([one.tokens for one in own]), budget=budget // several, number=number,
                      counts=_counts(search, own))


@torch.no_grad()
def _refine(search: Search, tokens: Tensor, budget: int, number: int, counts: Tensor | None) -> int:
    """Move every candidate a little, and how often its tokens occur, wherever its error grows: deeper kinks are on no list.

    Every trial has a scale of its own, and the worse half of the candidates is given up again and again: what is left gets the
    more trials. A few wide turns find as much as many narrow ones, and large batches are faster.
    """
    space, generator, spent, turn = search.space, search.generator("refinement", number), 0, 0
    height = torch.full((len(tokens),), -1.0, dtype=tokens.dtype, device=tokens.device)
    together = max(budget // TURNS, NEAR)
    while budget - spent >= NEAR and not search.stopped:
        kept = max(FEWEST, int(CANDIDATES * 0.5 ** (turn // HALVED)))
        kept = min(len(tokens), kept, min(together, budget - spent) // NEAR)
        best = height.argsort(descending=True, stable=True)[:kept]
        tokens, height, counts = tokens[best], height[best], None if counts is None else counts[best]
        near = even(min(together, budget - spent) // kept)
        scale = WIDEST * torch.exp2(-OCTAVES * torch.rand(near, generator=generator, dtype=torch.float64)).to(tokens)
        trials, often = space.near(generator, tokens, near, scale), None
        if search.repeated is not None and counts is not None:
            often = search.repeated.near(space, generator, counts, near, scale)
        gain, move = search.errors(trials, "refinement", often).view(kept, near).max(dim=1)
        better, place = gain > height, torch.arange(kept, device=tokens.device) * near + move
        tokens = torch.where(better[:, None, None], trials[place], tokens)
        if counts is not None and often is not None:
            counts = torch.where(better[:, None], often[place], counts)
        height = torch.maximum(height, gain)
        spent, turn = spent + len(trials), turn + 1
    search.enter(tokens, "refinement", number, counts)
    return spent


def _counts(search: Search, found: Sequence[Found]) -> Tensor | None:
    rows = [one.counts for one in found if one.counts is not None]
    return torch.tensor(rows, device=search.space.points.device) if rows else None
