"""Files and records are written whole or not at all, and read back only as what they say they are."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from constructions.errors import BadInput
from tests.proofs_check.test_run_files import written
from tests.uat.conftest import Uat
from uat.files import json_text, refuse_unwritable, replace_file
from uat.records import read_record, record


def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.tex"
    replace_file(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadInput, match=r"table\.tex: the disk is full; it was not written"):
        replace_file(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_replaces_the_old_one_and_makes_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "appendix" / "table.tex"
    replace_file(path, "old")
    replace_file(path, b"new")
    assert path.read_text() == "new"


def test_a_file_where_a_folder_is_needed_is_named(tmp_path: Path) -> None:
    (tmp_path / "appendix").write_text("a file")
    with pytest.raises(BadInput, match="appendix"):
        replace_file(tmp_path / "appendix" / "table.tex", "new")


def test_a_place_that_cannot_be_written_is_named_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_unwritable(tmp_path / "new" / "folder")
    monkeypatch.setattr(os, "access", lambda place, mode: False)  # as of a disk for reading only, which stops root too
    with pytest.raises(BadInput, match=r"--svg .*folder: .* cannot be written to; nothing was done"):
        refuse_unwritable(tmp_path / "new" / "folder", "--svg")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [
    ("construct", "--target", "x", "--eps", "1", "--out", "run"), ("construct", "--target", "x", "--eps", "1"),
    ("bench", "--out", "bench.json"), ("tables", "codes", "--out", "appendix"), ("experiment", "figure-1", "--out", "e"),
    ("figures", "proof", "--out", "figures"), ("check", "product", "--svg", "proof.svg"), ("report", "run"),
    ("certify", "run", "--method", "subdivision", "--checkpoint", "c.npz")], ids=lambda command: " ".join(command[::2]))
def test_commands_look_at_the_place_before_they_work(command: tuple[str, ...], uat: Uat, tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    if "run" in command[1:2]:
        written(tmp_path / "run")
    monkeypatch.setattr(os, "access", lambda place, mode: False)
    before = sorted(tmp_path.rglob("*"))
    answer = uat(*command)
    assert (answer.code, answer.out) == (2, "")
    assert "cannot be written to; nothing was done" in answer.message
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("command", [
    ("bench", "--out"), ("report", "run", "--out"), ("tables", "codes", "--out"), ("figures", "proof", "--out"),
    ("check", "product", "--svg"), ("tables", "codes", "--records"),
    ("certify", "run", "--method", "subdivision", "--checkpoint")],
    ids=lambda command: " ".join(command))
def test_a_name_that_is_too_long_is_bad_input(command: tuple[str, ...], uat: Uat, tmp_path: Path) -> None:
    if "run" in command[1:2]:
        written(tmp_path / "run")
    answer = uat(*command, "x" * 300)
    assert (answer.code, answer.out) == (2, "")
    assert "xxx" in answer.message
    assert "too long" in answer.message


def test_a_record_is_read_back_with_what_made_it(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    replace_file(path, json_text(record("bench", {"rows": [1, 2]})))
    found = read_record(path, "bench")
    assert found["rows"] == [1, 2]
    assert found["made_by"]["command"].startswith("python ")
    assert found["made_by"]["versions"]["torch"] != "unknown"


@pytest.mark.parametrize("text", ["", "[]", '{"format": "uat-tables/1"}', "{", '{"rows": []}'])
def test_another_file_is_not_a_record(tmp_path: Path, text: str) -> None:
    (tmp_path / "bench.json").write_text(text)
    with pytest.raises(BadInput, match=r"bench\.json: (expected a record of format uat-bench/1|cannot be read as JSON)"):
        read_record(tmp_path / "bench.json", "bench")


def test_numbers_that_json_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_text({"seconds": float("nan")})
