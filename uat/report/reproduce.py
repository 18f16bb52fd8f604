"""The commands that make a run again, prove it again and search it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from constructions.pooling import ARCHITECTURES
from constructions.targets.library import LIBRARY


def commands(run: Path, plan: Mapping[str, Any], networks: Sequence[str], seed: int) -> list[tuple[str, str]]:
    """Return pairs of what a command does and the command."""
    trusted = ["--import-callable"] if plan["callable"] else []
    return [
        ("Prove the bound again from the files of the run", _line("certify", str(run), *trusted)),
        ("Search for a larger error", _line("sample", str(run), "--samples", "10000000", "--seed", str(seed), *trusted)),
        ("Build the run again", _line("construct", *_construct(plan, networks))),
        ("Make this page again", _line("report", str(run), "--seed", str(seed), *trusted)),
        ("Run the proof behind it, step by step", _line("check")),
    ]


def _line(*arguments: str) -> str:
    return shlex.join(["python", "-m", "uat", *arguments])


def _construct(plan: Mapping[str, Any], networks: Sequence[str]) -> Iterator[str]:
    """Yield the options of ``construct``, those with their default value left out."""
    positional = plan.get("positional", False) is True
    named = LIBRARY.get(str(plan["target"]))
    d = int(plan["d"]) - positional
    is_named = named is not None and not positional and named.formula(d) == plan["expression"]
    yield from ("--target", str(plan["target"]) if is_named else str(plan["expression"]))
    yield from ("--eps", str(plan["eps"]), "--n", str(plan["n"]), "--d", str(d), "--method", str(plan["method"]))
    sides = [f"{low},{high}" for low, high in plan["domain"][:d]]
    if any(side != "0,1" for side in sides):
        yield f"--domain={sides[0] if len(set(sides)) == 1 else ';'.join(sides)}"
    kept = [name for name in networks if name != "sumformer"]
    if kept != list(ARCHITECTURES):
        yield from ("--architecture", ",".join(kept) or "sumformer")
    if "code" in plan:
        yield from ("--code", str(plan["code"]))
    if plan.get("lipschitz_declared"):
        yield from ("--lipschitz", str(plan["lipschitz"]))
    if plan["number_format"] == "float32":
        yield from ("--precision", "float32")
    for option, key, usual in (("--linformer-k", "linformer_k", 1), ("--performer-features", "performer_features", 4),
                               ("--seed", "seed", 0)):
        if int(plan[key]) != usual:
            yield from (option, str(plan[key]))
    if positional:
        yield "--positional"
