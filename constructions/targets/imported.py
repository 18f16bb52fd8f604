"""A function the user wrote in Python, named on the command line as ``package.module:function``."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from constructions.errors import BadInput, nearest


def imported_callable(name: str, what: str) -> Callable[..., Any]:
    """Import the function; ``what`` says in a message where the name was given.

    Raises:
        BadInput: the module cannot be imported, or has no such callable (with the nearest names).
    """
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the user's module may fail in any way while it is imported
        raise BadInput(f"{what} {name!r}: cannot import {module_name!r} ({type(error).__name__}: {error})") from None
    function: Any = getattr(module, attribute, None)
    if not callable(function):
        known = [k for k in vars(module) if not k.startswith("_")] or ["nothing"]
        raise BadInput(f"{what} {name!r}: {module_name} has no callable {attribute!r}, {nearest(attribute, known)}")
    return function
