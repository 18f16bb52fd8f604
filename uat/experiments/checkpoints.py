"""The state of a training run as tensors and a few words, in one safetensors file that is replaced whole; no pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from constructions.errors import BadInput
from uat.files import replace_file

FORMAT = "uat-training/1"


def store(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any], about: str) -> None:
    """Write tensors (weights, the optimiser's moments) and JSON data; ``about`` says which training it is.

    Raises:
        BadInput: the file cannot be written; the one before is still there.
    """
    from safetensors.torch import save

    words = {"format": FORMAT, "about": about, "state": json.dumps(state)}
    replace_file(path, save({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, words))


def load(path: Path, expected: Mapping[str, Tensor], about: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint back.

    Args:
        path: the file.
        expected: tensors of the same names and shapes.
        about: the training it must belong to.

    Raises:
        BadInput: it cannot be read, or belongs to another training.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            words = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, a safetensors file is no dict
        state = json.loads(words["state"])
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise BadInput(f"{path}: cannot be read as a checkpoint of a training ({error}); delete it to train from the "
                       f"start") from None
    if words.get("format") != FORMAT or words.get("about") != about:
        raise BadInput(f"{path}: the checkpoint belongs to another training; name a new directory")
    shapes = {name: (value.shape, value.dtype) for name, value in tensors.items()}
    if not isinstance(state, dict) or shapes != {name: (value.shape, value.dtype) for name, value in expected.items()}:
        raise BadInput(f"{path}: the checkpoint does not fit the network; delete it to train from the start")
    if not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
        raise BadInput(f"{path}: the checkpoint holds numbers that are not finite; delete it to train from the start")
    return tensors, state
