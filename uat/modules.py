"""A stored architecture as a torch module, to be used in a program of one's own (docs/how-to/torch.md)."""

from __future__ import annotations

from pathlib import Path

import torch

from constructions.adapters import TorchArchitecture
from constructions.errors import BadInput
from uat.stored_run import open_run


def load_architecture(run: str | Path, name: str, *, n: int | None = None, dtype: torch.dtype | None = None,
                      fused: bool = False, import_callable: bool = False) -> TorchArchitecture:
    """Return an architecture of a run directory as a torch module with the stored weights; nothing is proved again.

    The run's hashes are compared. What the bound of its certificate says of the module: docs/how-to/torch.md.

    Args:
        run: a run directory that construct wrote.
        name: transformer, linformer, performer or performer-normalised, as far as the run has them.
        n: number of tokens, by default the run's; another one only where the bound holds for every n.
        dtype: by default the run's number format. No weight is rounded.
        fused: evaluate softmax attention by torch's own kernel, which holds no n x n scores.
        import_callable: import the Python callable that the run may name as its target.

    Raises:
        BadInput: not a run directory, no such architecture in it, or a bound for one length and another one asked for.
        Refused: a file changed since the run was written, or the dtype does not hold a weight.
    """
    opened = open_run(run, import_callable=import_callable)
    if n is not None and n != opened.claim.n:
        if not opened.claim.every_n:
            raise BadInput(f"n = {n}: {run} is about n = {opened.claim.n} alone")
        if n < 2:
            raise BadInput(f"n = {n}: expected n >= 2 tokens")
        opened = opened.at(n)
    kind = dtype or (torch.float32 if opened.single else torch.float64)
    architecture = opened.architecture(name)
    only = opened.claim.n if opened.is_for_one_length(name) else None
    return TorchArchitecture.of(architecture, kind, fused=fused, n=only)
