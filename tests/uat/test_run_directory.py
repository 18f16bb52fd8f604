"""A run directory appears whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import safetensors.numpy

from constructions.errors import BadInput
from proofs_check.certify import certify
from proofs_check.kernel import Certificate
from proofs_check.run_files import FILES
from tests.proofs_check.runs import built
from tests.uat.conftest import SMALL, Uat
from uat import run_directory
from uat.run_directory import choose_directory, write_run

FORMATS = (Path(__file__).parents[2] / "docs" / "formats.md").read_text("utf-8")


def write(path: Path) -> None:
    """Write a small run."""
    _, stored, run = built("product")
    verdict = certify(run)
    assert isinstance(verdict, Certificate)
    write_run(path, stored, run.plan, verdict)


def raising(error: BaseException) -> Callable[..., NoReturn]:
    def fail(*_: object, **__: object) -> NoReturn:
        raise error
    return fail


def no_space() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def rust_no_space() -> Exception:
    return safetensors.SafetensorError("I/O error: No space left on device (os error 28)")


def test_a_run_directory_holds_five_files_and_no_sibling(tmp_path: Path) -> None:
    write(tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == sorted([*FILES, "certificate.json"])
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_parents_are_made(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b" / "run")
    assert (tmp_path / "a" / "b" / "run" / "certificate.json").is_file()


@pytest.mark.parametrize("method", ["grid", "sum-decomposition"])
def test_architectures_have_the_entries_that_the_page_lists_for_their_format(method: str, uat: Uat) -> None:
    assert uat("construct", *SMALL, "--method", method, "--out", "run").code == 0
    network = json.loads(Path("run/network.json").read_text("utf-8"))
    listed = re.search(rf"^- `{network['format']}` \([a-z ]+\): `(\w+)`(.*?)(?=^- |\n\n)", FORMATS, re.MULTILINE | re.DOTALL)
    assert listed is not None
    for entry in network["architectures"].values():
        assert set(entry) == {"channels", listed[1]}
        for block in entry.get("blocks", ()):
            assert set(block) == set(re.findall(r"`(\w+)`", listed[2]))
    pooling = ([block["attention"] for block in entry["blocks"]].index(True) if method == "grid" else len(network["phi"]))
    assert entry.get("pooling_block", pooling) == pooling
    arrays = safetensors.numpy.load_file("run/weights.safetensors")
    assert {name.split(".")[2] for name in arrays if ".blocks." in name} == {str(pooling)}


FAILURES = [
    pytest.param(safetensors.numpy, "save_file", no_space, id="the disk is full at the first file"),
    pytest.param(safetensors.numpy, "save_file", rust_no_space, id="safetensors finds the disk full"),
    pytest.param(run_directory, "write_json", no_space, id="the disk is full at the second file"),
    pytest.param(os, "fsync", no_space, id="the disk is full when the files are flushed"),
    pytest.param(os, "rename", no_space, id="the disk is full at the end"),
]


@pytest.mark.parametrize(("place", "name", "error"), FAILURES)
def test_a_full_disk_is_one_message_and_leaves_nothing(place: object, name: str, error: Callable[[], Exception], tmp_path: Path,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, name, raising(error()))
    with pytest.raises(BadInput, match=r"--out .*run: the disk is full; nothing was written"):
        write(tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("place", "name"), [(safetensors.numpy, "save_file"), (run_directory, "write_json"), (os, "fsync")])
def test_ctrl_c_leaves_nothing(place: object, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, name, raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_parents_made_for_a_run_that_fails_are_removed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.setattr(os, "fsync", raising(no_space()))
    with pytest.raises(BadInput, match="the disk is full"):
        write(tmp_path / "there" / "a" / "b" / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert not list((tmp_path / "there").iterdir())


def test_another_error_of_the_system_is_passed_on_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safetensors.numpy, "save_file", raising(PermissionError(errno.EACCES, "Permission denied")))
    with pytest.raises(BadInput, match="Permission denied; nothing was written"):
        write(tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_a_defect_of_the_program_is_not_called_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safetensors.numpy, "save_file", raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        write(tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_a_run_never_replaces_what_appeared_while_it_was_built(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").write_text("keep")
    with pytest.raises(BadInput, match="nothing was written"):
        write(tmp_path / "run")
    assert (tmp_path / "run" / "mine").read_text() == "keep"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.write_text("a file")], ids=["folder", "file"])
def test_an_existing_out_is_refused(make: Callable[[Path], object], tmp_path: Path) -> None:
    make(tmp_path / "run")
    with pytest.raises(BadInput, match="exists already; expected a new directory"):
        choose_directory(str(tmp_path / "run"), "")


def test_an_out_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="is not a directory"):
        choose_directory(str(tmp_path / "file" / "run"), "")


def test_an_out_with_a_name_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--out"):
        choose_directory(str(tmp_path / ("x" * 300)), "")


def test_without_out_the_first_free_name_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = []
    for _ in range(3):
        path = choose_directory(None, "f-n3")
        path.mkdir(parents=True)
        names.append(path.name)
    assert names == ["f-n3", "f-n3-2", "f-n3-3"]
