"""Our interval arithmetic beside crival's (PyPI, MIT, module ``ival``): time, width, and whether balls lie inside.

Run ``pip install crival`` and ``python -m tests.benchmarks.enclosures [boxes]``. Both sides work on the same float64 arrays,
measured in turn in one run, the shortest of many; ``time`` and ``width`` are theirs over ours. The balls are python-flint's, on
random boxes with infinite ends, signed zeros, subnormal and huge numbers among them (tests/proofs_check/test_interval.py).
``missed`` counts boxes where the enclosure does not contain a value at one of three points; ``not whole`` those of them where the
operation is undefined at the point: the standard 1788 drops such points, and the checker needs the whole line there.
"""

from __future__ import annotations

import importlib
import math
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from flint import arb, ctx

from proofs_check.enclosures import functions
from proofs_check.enclosures.interval import Interval
from tests.proofs_check.test_interval import BINARY, PRECISION, UNARY, boxes, is_nan, missed

BOXES, REPETITIONS, SIZES = 5000, 25, (256, 2048, 65536)
Unary = Callable[[Any], Any]


def shortest(call: Callable[[], Any]) -> float:
    """Return the shortest of many times."""
    seen = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        call()
        seen.append(time.perf_counter() - start)
    return min(seen)


def operations(ival: Any) -> dict[str, tuple[int, Callable[..., Any], Callable[..., Any], Callable[..., Any]]]:
    """Return for each operation the number of arguments, ours, theirs, and that of balls."""
    def sigmoid(a: Any) -> Any:
        return 1.0 / (1.0 + ival.exp(-a))

    theirs: dict[str, Callable[..., Any]] = {
        **{name: getattr(ival, name) for name in ("exp", "log", "sqrt", "sin", "cos", "tanh")}, "abs": abs, "sigmoid": sigmoid,
        "relu": lambda a: ival.max(a, ival.Interval(0.0)), "+": lambda a, b: a + b, "-": lambda a, b: a - b,
        "*": lambda a, b: a * b, "/": lambda a, b: a / b, "maximum": ival.max, "minimum": ival.min}
    found: dict[str, tuple[int, Callable[..., Any], Callable[..., Any], Callable[..., Any]]] = {}
    for name, (ours, ball) in BINARY.items():
        found[name] = 2, ours, theirs[name], ball
    for k in (2, 3):
        found[f"**{k}"] = 1, lambda a, k=k: a**k, lambda a, k=k: ival.pown(a, k), lambda t, k=k: t**k
    for name, ball in UNARY.items():
        found[name] = 1, functions.FUNCTIONS[name], theirs[name], ball
    return found


def arguments(count: int, size: int, width: float, name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return positive boxes of a relative width, where every operation is defined."""
    rng = np.random.default_rng(len(name))
    low = [rng.uniform(0.5, 2.0, size) for _ in range(count)]
    return [(part, part * (1 + width)) for part in low]


def times(ours: Callable[..., Any], theirs: Callable[..., Any], pairs: list[tuple[np.ndarray, np.ndarray]], ival: Any) -> float:
    """Return the ratio of the times on arrays that both sides wrapped before."""
    mine, other = [Interval(*pair) for pair in pairs], [ival.Interval(*pair) for pair in pairs]
    return shortest(lambda: theirs(*other)) / shortest(lambda: ours(*mine))


def widths(ours: Callable[..., Any], theirs: Callable[..., Any], pairs: list[tuple[np.ndarray, np.ndarray]], ival: Any) -> float:
    """Return the ratio of the mean widths."""
    mine, other = ours(*(Interval(*pair) for pair in pairs)), theirs(*(ival.Interval(*pair) for pair in pairs))
    width = float(mine.width().mean())
    return float((other.sup - other.inf).mean()) / width if width else math.nan


def unsound(count: int, theirs: Callable[..., Any], ball: Callable[..., Any], ival: Any, several: int) -> tuple[int, int]:
    """Count the boxes whose enclosure misses a ball, and those of them where the value is undefined."""
    given = [boxes(seed, several) for seed in range(11, 11 + count)]
    for k, (box, _) in enumerate(given):
        box.lower[k::20], box.upper[k + 7::20] = -np.inf, np.inf  # the points stay where they are
    with np.errstate(all="ignore"):
        found = theirs(*(ival.Interval(box.lower, box.upper) for box, _ in given))
    with ctx.workprec(PRECISION * 2):
        expected = [[ball(*(arb(float(v)) for v in values)) for values in zip(*points, strict=True)]
                    for points in zip(*(points for _, points in given), strict=True)]
        bad = missed(Interval(np.asarray(found.inf), np.asarray(found.sup)), expected)
    return len(bad), sum(any(is_nan(row[index]) for row in expected) for index, *_ in bad)


def main(arguments_: list[str]) -> None:
    """Print the table, or what is missing."""
    try:
        ival: Any = importlib.import_module("ival")
    except ImportError:
        print("crival is not installed: no comparison of enclosures")
        return
    several = int(arguments_[0]) if arguments_ else BOXES
    print(f"crival, libival {ival.version()}; {several:,} boxes against balls; time and width: theirs / ours")
    print("operation   " + "".join(f"time, {size:6,d}  " for size in SIZES) + "width, points  width, 1e-3  missed  not whole")
    for name, (count, ours, theirs, ball) in operations(ival).items():
        ratios = [times(ours, theirs, arguments(count, size, 1e-3, name), ival) for size in SIZES]
        thin, wide = (widths(ours, theirs, arguments(count, 2048, width, name), ival) for width in (0.0, 1e-3))
        bad, undefined = unsound(count, theirs, ball, ival, several)
        shown = "".join(f"{ratio:12.2f}  " for ratio in ratios)
        print(f"{name:10s}  {shown}{thin:13.3f}  {wide:11.6f}  {bad:6d}  {undefined:9d}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
