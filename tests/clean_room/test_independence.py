"""The clean room is worth something only as long as nothing of the project is used in it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
READERS = sorted(path for path in HERE.glob("*.py") if not path.name.startswith(("test_", "runs")))
ALLOWED = {"numpy", "mpmath", *sys.stdlib_module_names}


def foreign(source: str) -> set[str]:
    """What a module imports, also inside functions, beside the allowed packages and its own folder."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
        elif isinstance(node, ast.Name | ast.Attribute) and "import" in (node.id if isinstance(node, ast.Name) else node.attr):
            names.add("an import by name")
    return {name for name in names if name.partition(".")[0] not in ALLOWED and not name.startswith("tests.clean_room.")}


@pytest.mark.parametrize("path", READERS, ids=lambda path: path.stem)
def test_a_reader_imports_nothing_of_the_project(path: Path) -> None:
    assert foreign(path.read_text(encoding="utf-8")) == set()


def test_an_import_of_the_project_is_noticed() -> None:
    assert foreign("from constructions.errors import BadInput") == {"constructions.errors"}
    assert foreign("def f():\n    import uat") == {"uat"}
    assert foreign("from ..proofs_check import kernel") == {"..proofs_check"}
    assert foreign("from tests import strategies") == {"tests"}
    assert foreign("import importlib\nimportlib.import_module('uat')") == {"an import by name"}
    assert foreign("__import__('uat')") == {"an import by name"}
    assert foreign("import numpy as np\nfrom tests.clean_room.judge import judge") == set()


def test_a_process_that_reads_loads_nothing_of_the_project() -> None:
    names = ", ".join(f"tests.clean_room.{path.stem}" for path in READERS if path.stem != "__init__")
    code = (f"import sys, {names}\n"
            "print(*sorted({name.partition('.')[0] for name in sys.modules} & {'uat', 'constructions', 'proofs_check'}))")
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert found.strip() == ""
