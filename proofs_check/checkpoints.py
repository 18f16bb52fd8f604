"""A subdivision written down and taken up again: plain arrays, no pickle, replaced in one move."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from uuid import uuid4

import numpy as np

from constructions.errors import BadInput
from proofs_check.boxes import Boxes, Comparison
from proofs_check.sup_norm import Search

FORMAT = "uat-subdivision/2"
DEEPEST = 5000  # cuts of a coordinate: each leaves at most 3/4, and the largest float is (4/3)^4990 of the smallest
# what numpy, zipfile and zlib raise where bytes were changed
UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, ArithmeticError, RuntimeError, MemoryError,
              zipfile.BadZipFile, zlib.error)


class NotKept(BadInput):
    """The state cannot be written; an earlier file is as it was."""


def store(search: Search, path: Path) -> None:
    """Write the state of a search; an interruption or a full disk leaves the earlier file as it was.

    Raises:
        NotKept: the file cannot be written.
    """
    # a name of its own: another run may write to the same checkpoint
    waiting, beside = search.waiting, path.with_name(f"{path.name}.{uuid4().hex[:8]}.part")
    try:
        with beside.open("wb") as file:
            np.savez(file, format=FORMAT, problem=search.problem.digest, limit=search.limit, settled=search.settled,
                     judged=search.judged, occurs=search.occurs, lower=waiting.lower, upper=waiting.upper, bound=waiting.bound,
                     case=waiting.case, level=waiting.level,
                     done=np.array([(*kind, boxes) for kind, boxes in search.done.items()], dtype=np.int64).reshape(-1, 3))
        os.replace(beside, path)
    except OSError as error:
        raise NotKept(f"{path}: the checkpoint cannot be written ({error.strerror or error})") from None
    finally:  # Ctrl-C leaves nothing beside it either
        beside.unlink(missing_ok=True)


def resume(problem: Comparison, limit: float, path: Path) -> Search:
    """Read a state back.

    Raises:
        BadInput: the file cannot be read, is not a checkpoint, or belongs to another network, target, length or bound.
    """
    try:
        if not zipfile.is_zipfile(path):
            raise BadInput(f"{path}: cannot be read as a checkpoint of a subdivision (it is no npz file)")
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            state = {name: stored[name] for name in stored.files}
        boxes = Boxes(state["lower"], state["upper"], state["bound"], state["case"], state["level"])
        done = Counter({(int(case), int(level)): int(count) for case, level, count in state["done"]})
        found = Search(problem, float(state["limit"]), boxes, float(state["settled"]), int(state["judged"]),
                       float(state["occurs"]), done=done)
        about = str(state["format"]), str(state["problem"])
        sound = all(number >= 0 for number in (found.settled, found.occurs, found.judged)) and _well_formed(boxes, problem)
    except BadInput:
        raise
    except UNREADABLE as error:
        raise BadInput(f"{path}: cannot be read as a checkpoint of a subdivision ({error})") from None
    if about != (FORMAT, problem.digest):
        raise BadInput(f"{path}: the checkpoint belongs to another network, target, domain or length; name a new file")
    if found.limit != limit:
        raise BadInput(f"{path}: the checkpoint is about the bound {found.limit:g}, not {limit:g}; name a new file")
    deepest = DEEPEST * problem.n * problem.d  # a level is an exponent in the rule that counts boxes
    if not sound or not all(0 <= level <= deepest for _, level in [*done, *boxes.leaves()]):
        raise BadInput(f"{path}: the checkpoint holds boxes that do not fit the domain")
    return found


def _well_formed(boxes: Boxes, problem: Comparison) -> bool:
    count, dtypes = boxes.bound.size, {"lower": np.float64, "upper": np.float64, "bound": np.float64, "case": np.int64,
                                       "level": np.int64}
    shapes = {"lower": (count, problem.n * problem.d), "upper": (count, problem.n * problem.d)}
    arrays = {name: getattr(boxes, name) for name in dtypes}
    if any((array.dtype, array.shape) != (dtypes[name], shapes.get(name, (count,))) for name, array in arrays.items()):
        return False
    sorted_ends = [np.all(np.diff(ends[:, ::problem.d], axis=1) <= 0) for ends in (boxes.lower, boxes.upper)]
    start = problem.start()
    inside = np.all(boxes.lower >= start.lower.min(axis=0)) and np.all(boxes.upper <= start.upper.max(axis=0))
    return bool(all(sorted_ends) and inside and (boxes.lower <= boxes.upper).all() and not np.isnan(boxes.bound).any()
                and ((boxes.case >= 0) & (boxes.case < problem.n * len(problem.outputs))).all())
