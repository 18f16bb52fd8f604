"""Ascent from the worst sequences found: by whole cells, then by steps of any size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from proofs_check.search import CANDIDATES, Found, Search

CLIMBERS = 8
STEPS = 16  # of a climber, about
TRIALS = 2**15
REFINERS = 4
NEAR = (8, 512)  # least and most trials of a candidate at one scale
SCALES = range(3, 18)  # refinement moves by 2^-3, 2^-4, .. box widths, in turn
Job = Callable[[], int]


def climbers(search: Search, budget: int) -> Iterator[Job]:
    """Share the worst sequences found and the budget among independent ascents."""
    space = search.space
    moved = STEPS * (search.chunk if search.repeated is None else CANDIDATES * space.n_moves)
    several = max(1, min(CLIMBERS, budget // moved))  # few with many candidates: large batches are faster
    best = list(search.found)
    starts = space.nearest_ends(torch.stack([one.tokens for one in best]))
    for number in range(several):
        yield partial(_ascend, search, starts[number::several], budget // several, number, _counts(search, best[number::several]))


@torch.no_grad()
def _ascend(search: Search, ends: Tensor, budget: int, number: int, counts: Tensor | None) -> int:
    """Make the best move of one coordinate for every candidate until none helps, then start again from random corners.

    The candidates are the given ones and random corners; their number shrinks when the budget runs out.
    """
    space, generator, spent, step = search.space, search.generator("ascent", number), 0, 0
    width = min(max(CANDIDATES, budget // (STEPS * space.n_moves)), max(1, TRIALS // space.n_moves))
    ends, height = torch.cat([ends, space.random_ends(generator, width, space.n)]), torch.full((), -1.0)
    if search.repeated is not None and counts is not None:
        counts = torch.cat([counts, search.repeated.draw(generator, width).to(counts)])
    while budget - spent >= space.n_moves:
        ends = ends[: min(width, (budget - spent) // space.n_moves)]
        trials = space.moves(generator, ends)
        counts = None if counts is None else counts[: len(ends)]
        often = None if counts is None else counts.repeat_interleave(space.n_moves, dim=0)
        errors = _errors(search, space.at(trials.flatten(0, 1)), "ascent", (number, step), often)
        spent, step = spent + len(errors), step + 1
        gain, move = errors.view(len(ends), -1).max(dim=1)
        height = height[: len(ends)] if height.ndim else torch.full_like(gain, -1.0)
        better = gain > height
        if not bool(better.any()):
            ends, height = space.random_ends(generator, width, space.n), torch.full((), -1.0)
            counts = None if search.repeated is None else search.repeated.draw(generator, width).to(ends.device)
            continue
        ends = torch.where(better[:, None, None], trials[torch.arange(len(ends), device=ends.device), move], ends)
        height = torch.maximum(height, gain)
    return spent


def refiners(search: Search, budget: int) -> Iterator[Job]:
    """Share the worst sequences found and the budget among independent refinements."""
    best = list(search.found)
    moved = 4 * len(SCALES) * (search.chunk if search.repeated is None else CANDIDATES)
    several = max(1, min(REFINERS, budget // moved))
    for number in range(several):
        own = best[number::several]
        yield partial(_refine, search, torch.stack([one.tokens for one in own]), budget // several, number, _counts(search, own))


@torch.no_grad()
def _refine(search: Search, tokens: Tensor, budget: int, number: int, counts: Tensor | None) -> int:
    """Move every candidate a little, and how often its tokens occur, wherever its error grows: deeper kinks are on no list.

    Each scale has about four turns; fewer, larger steps would find less, more and smaller ones take longer.
    """
    space, generator, spent, step = search.space, search.generator("refinement", number), 0, 0
    height = torch.full((len(tokens),), -1.0, dtype=tokens.dtype, device=tokens.device)
    near = min(max(budget // (4 * len(SCALES) * len(tokens)), NEAR[0]), NEAR[1])
    while budget - spent >= near:
        tokens, height = (part[: (budget - spent) // near] for part in (tokens, height))
        trials = space.near(generator, tokens, near, 0.5 ** SCALES[step % len(SCALES)])
        often = None
        if search.repeated is not None and counts is not None:
            counts = counts[: len(tokens)]
            often = search.repeated.near(generator, counts, near, 0.5 ** SCALES[step % len(SCALES)])
        gain, move = _errors(search, trials, "refinement", (number, step), often).view(len(tokens), -1).max(dim=1)
        better, place = gain > height, torch.arange(len(tokens), device=tokens.device) * near + move
        tokens = torch.where(better[:, None, None], trials[place], tokens)
        if counts is not None and often is not None:
            counts = torch.where(better[:, None], often[place], counts)
        height = torch.maximum(height, gain)
        spent, step = spent + len(trials), step + 1
    return spent


def _errors(search: Search, trials: Tensor, phase: str, job: tuple[int, int], counts: Tensor | None) -> Tensor:
    """Return the largest error of every sequence, chunk by chunk."""
    parts = torch.split(trials, search.chunk)
    often = [None] * len(parts) if counts is None else torch.split(counts, search.chunk)
    found = [search.observe(part, phase, *job, times).amax((1, 2)) for part, times in zip(parts, often, strict=True)]
    return found[0] if len(found) == 1 else torch.cat(found)


def _counts(search: Search, found: Sequence[Found]) -> Tensor | None:
    rows = [one.counts for one in found if one.counts is not None]
    return torch.tensor(rows, device=search.space.points.device) if rows else None
