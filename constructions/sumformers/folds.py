"""The fewest folds of each square that keep the bound within the tolerance (mathematics: square-sawtooth)."""

from __future__ import annotations

import numpy as np

from constructions.pieces.univariate import TooWide
from constructions.sumformers.program import Arithmetic, Program, Swept

TIGHT = 0.9  # of a bound: if as much is met, it is tight enough


def finest(program: Program) -> np.ndarray:
    """Return so many folds of every square that what is left of the bound is no square's."""
    return np.full(len(program.squares), 26)


def fewest_folds(program: Program, tolerance: float, arithmetic: Arithmetic, floor: Swept) -> Swept:
    """Give every square the same share of what is left, as large as the bound allows; then take folds away one by one.

    The bound is close to floor + rise * sum(weight * error of the square); every sweep corrects the rise.
    """
    weights, best, rise = program.square_weights(), floor, 1.0
    room, tried = tolerance - floor.bound, set[bytes]()
    for _ in range(8):
        folds = _equal_errors(weights, room / rise)
        if folds.tobytes() in tried:
            break
        tried.add(folds.tobytes())
        try:
            swept = program.swept(arithmetic, folds=folds)
        except TooWide:
            rise *= 4
            continue
        if swept.bound <= tolerance and folds.sum() < best.folds.sum():
            best = swept
        risen = max(swept.bound - floor.bound, 0.0) / _lost(weights, folds)
        rise = max(1.01 * risen, rise / 8) if swept.bound <= tolerance else max(1.02 * rise, 1.01 * risen)
        if swept.bound <= tolerance and swept.bound > tolerance - 0.1 * room:
            break
    return _without_slack(program, best, weights, tolerance, arithmetic)


def with_more_folds(found: Swept, spare: int) -> np.ndarray:
    """Add folds one by one where a square loses most, ``spare`` at most, until most of the bound is sure to be met.

    What expansions lose is met somewhere; so is what the two squares of one product lose, whose arguments are free. The larger
    of these is left as it is.
    """
    weights, folds = found.program.square_weights(), found.folds.copy()
    lost = weights * 0.5 * 0.25 ** folds.astype(float)
    groups = [square.product or square for square in found.program.squares]
    together = max((np.array([group is one for group in groups]) for one in groups), key=lambda members: float(lost @ members))
    met = max(found.floor, float(lost @ together))
    if met > found.floor:
        lost = np.where(together, 0.0, lost)
    for _ in range(spare):
        if met >= TIGHT * (met + lost.sum()):
            break
        worst = int(np.argmax(lost))
        folds[worst] += 1
        lost[worst] /= 4
    return folds


def _lost(weights: np.ndarray, folds: np.ndarray) -> float:
    return float(weights @ (0.5 * 0.25 ** folds.astype(float))) + 1e-300


def _equal_errors(weights: np.ndarray, room: float) -> np.ndarray:
    """Return the fewest folds of equal weighted errors that add up to at most ``room``."""
    low, high = -400.0, 400.0  # powers of 4

    def folds(exponent: float) -> np.ndarray:
        with np.errstate(divide="ignore"):
            needed = np.ceil(np.log2(weights / 2) / 2 - exponent)
        return np.clip(np.where(weights > 0, needed, 0.0), 0, 200).astype(int)

    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _lost(weights, folds(middle)) <= room else (low, middle)
    return folds(low)


def _without_slack(program: Program, swept: Swept, weights: np.ndarray, tolerance: float, arithmetic: Arithmetic) -> Swept:
    for _ in range(3):
        gain = weights * 1.5 * 0.25 ** swept.folds.astype(float)  # what one fold less adds
        order = np.argsort(gain)
        room, folds = tolerance - swept.bound, swept.folds.copy()
        for i in order:
            if gain[i] < 0.999 * room and folds[i] > 0:
                folds[i] -= 1
                room -= gain[i]
        if np.array_equal(folds, swept.folds):
            break
        try:
            trial = program.swept(arithmetic, folds=folds)
        except TooWide:
            break
        if trial.bound > tolerance:
            break
        swept = trial
    return swept
