"""A run directory is read only if it is complete, of this format, and byte for byte what was written."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from constructions.errors import BadInput, Refused
from constructions.number_formats import exact_number
from constructions.storage import load_sumformer
from proofs_check.certify import certify
from proofs_check.decimals import stored_fraction
from proofs_check.kernel import Certificate
from proofs_check.run_files import FILES, digest, file_sha256, read_certificate, read_run
from tests.proofs_check.runs import built
from uat.run_directory import write_run


def written(folder: Path, name: str = "product") -> Path:
    """Write one of the small runs."""
    _, stored, run = built(name)
    verdict = certify(run)
    assert isinstance(verdict, Certificate)
    write_run(folder, stored, run.plan, verdict)
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return written(tmp_path / "run")


def rehash(folder: Path) -> None:
    """Make the hashes fit again, as someone would who damages a run on purpose."""
    document = json.loads((folder / "certificate.json").read_text(encoding="utf-8"))
    document["sha256"] = {name: file_sha256(folder / name) for name in FILES if (folder / name).exists()}
    document["digest"] = digest(document)
    (folder / "certificate.json").write_text(json.dumps(document), encoding="utf-8")


def edit(folder: Path, name: str, change: Callable[[Any], Any]) -> None:
    """Change a JSON document in place."""
    document = json.loads((folder / name).read_text(encoding="utf-8"))
    changed = change(document)
    (folder / name).write_text(json.dumps(document if changed is None else changed), encoding="utf-8")


@pytest.mark.parametrize("name", ["product", "plane", "huge integers", "float32"])
def test_what_was_written_is_read_back_and_certified(name: str, tmp_path: Path) -> None:
    construction, stored, memory = built(name)
    files = read_run(written(tmp_path / "run", name))
    assert set(files.arrays) == set(stored.arrays)
    assert all(np.array_equal(files.arrays[key], stored.arrays[key]) for key in stored.arrays)
    assert (files.exact, files.network, files.plan) == (memory.exact, memory.network, memory.plan)
    assert isinstance(certify(files), Certificate)
    tokens = np.random.default_rng(0).random((50, construction.target.n, construction.target.d))
    again = load_sumformer(files.arrays, files.exact, files.network)
    assert np.array_equal(again(tokens), construction.sumformer(tokens))


@pytest.mark.parametrize("where", ["first", "middle", "last"])
@pytest.mark.parametrize("name", [*FILES, "certificate.json"])
def test_a_flipped_bit_is_refused_and_the_file_named(name: str, where: str, run: Path) -> None:
    content = bytearray((run / name).read_bytes())
    place = {"first": 0, "middle": len(content) // 2, "last": len(content) - 1}[where]
    content[place] ^= 1
    (run / name).write_bytes(content)
    with pytest.raises((BadInput, Refused), match=name.replace(".", r"\.")):
        read_run(run)


@pytest.mark.parametrize("name", [*FILES, "certificate.json"])
def test_any_byte_that_is_edited_is_refused_and_the_file_named(name: str, run: Path) -> None:
    """Sixty places, any other byte there."""
    rng, good = np.random.default_rng(len(name)), (run / name).read_bytes()
    for place in rng.integers(len(good), size=60):
        changed = bytearray(good)
        changed[place] ^= int(rng.integers(1, 256))
        (run / name).write_bytes(changed)
        with pytest.raises((BadInput, Refused), match=name.replace(".", r"\.")):
            read_run(run)
    (run / name).write_bytes(good)
    read_run(run)


def test_a_certificate_of_another_run_does_not_fit(run: Path, tmp_path: Path) -> None:
    other = written(tmp_path / "other", "f")
    (run / "certificate.json").write_bytes((other / "certificate.json").read_bytes())
    with pytest.raises(Refused, match="SHA-256 differs"):
        read_run(run)
    rehash(run)  # on purpose: then the weights decide
    assert not isinstance(certify(read_run(run)), Certificate)


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_of_a_data_file_is_refused_for_its_hash(name: str, run: Path) -> None:
    with (run / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(Refused, match="SHA-256 differs"):
        read_run(run)


def test_a_raised_claim_does_not_fit_the_digest(run: Path) -> None:
    edit(run, "certificate.json", lambda document: document["claim"].update(bound="1/1000000"))
    with pytest.raises(Refused, match="digest"):
        read_run(run)


@pytest.mark.parametrize("name", [*FILES, "certificate.json"])
def test_a_missing_file_is_named(name: str, run: Path) -> None:
    (run / name).unlink()
    with pytest.raises(BadInput, match=name.replace(".", r"\.")):
        read_run(run)


@pytest.mark.parametrize("name", [*FILES, "certificate.json"])
def test_a_folder_in_place_of_a_file_is_named(name: str, run: Path) -> None:
    (run / name).unlink()
    (run / name).mkdir()
    with pytest.raises(BadInput, match=name.replace(".", r"\.")):
        read_run(run)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 100, -1])
def test_truncated_weights_with_fitting_hashes_are_bad_input(size: int, run: Path) -> None:
    content = (run / "weights.safetensors").read_bytes()
    (run / "weights.safetensors").write_bytes(content[:size])
    rehash(run)
    with pytest.raises(BadInput, match="cannot be read as safetensors"):
        read_run(run)


@pytest.mark.parametrize("content", ["null", "[]", "1", '"text"', "NaN"])
@pytest.mark.parametrize("name", ["exact.json", "network.json", "plan.json"])
def test_a_document_that_is_no_object_is_bad_input(name: str, content: str, run: Path) -> None:
    (run / name).write_text(content, encoding="utf-8")
    rehash(run)
    with pytest.raises(BadInput, match="expected a JSON object"):
        read_run(run)


@pytest.mark.parametrize("text", [r'"\ud800"', "[" * 900 + "]" * 900])
def test_a_certificate_that_cannot_be_hashed_is_refused(text: str, run: Path) -> None:
    document = (run / "certificate.json").read_text(encoding="utf-8")
    (run / "certificate.json").write_text('{"more": ' + text + "," + document.lstrip()[1:], encoding="utf-8")
    with pytest.raises((BadInput, Refused), match=r"certificate\.json"):
        read_certificate(run)


@pytest.mark.parametrize("read", [stored_fraction, exact_number])
@pytest.mark.parametrize("text", ["1/0", "-7/000", "1/", "/1", "1e5", "+1", " 1", "1\n", "\u0661", 1, None])
def test_exact_numbers_are_spelt_in_one_way(read: Callable[[object], Fraction], text: object) -> None:
    with pytest.raises(ValueError, match="expected a fraction"):
        read(text)
    assert read("-010/004") == Fraction(-5, 2)


def test_weights_of_another_number_type_are_bad_input(run: Path) -> None:
    from safetensors.numpy import load_file, save_file

    arrays = load_file(run / "weights.safetensors")
    save_file({key: array.astype(np.float32) for key, array in arrays.items()}, run / "weights.safetensors")
    rehash(run)
    with pytest.raises(BadInput, match="expected float64 arrays"):
        read_run(run)


@pytest.mark.parametrize("format_", ["uat-certificate/2", "uat-certificate/10", "", None, 1])
def test_another_format_is_named_with_the_one_that_is_read(format_: object, run: Path) -> None:
    edit(run, "certificate.json", lambda document: document.update(format=format_))
    with pytest.raises(BadInput, match="this version reads 'uat-certificate/1'"):
        read_certificate(run)


@pytest.mark.parametrize("text", ["", "not JSON", "{", "[" * 100_000, '{"a":' * 100_000, "1" * 5000, "\xff", "null", "[]", "3",
                                  '"text"', '{"sha256": []}', "{}"])
def test_a_certificate_that_is_no_json_object_is_bad_input(text: str, run: Path) -> None:
    (run / "certificate.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput, match=r"certificate\.json"):
        read_run(run)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".json")])
@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\xff"])
def test_a_description_that_is_no_json_is_bad_input_even_with_fitting_hashes(name: str, text: str, run: Path) -> None:
    (run / name).write_bytes(text.encode("latin-1"))
    rehash(run)
    with pytest.raises(BadInput, match=name.replace(".", r"\.")):
        read_run(run)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("a file")],
                         ids=["nothing", "an empty folder", "a file"])
def test_what_is_no_run_directory_is_bad_input(make: Callable[[Path], object], tmp_path: Path) -> None:
    make(tmp_path / "place")
    with pytest.raises(BadInput, match="not a run directory"):
        read_run(tmp_path / "place")


def test_a_name_too_long_for_a_folder_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a run directory"):
        read_run(tmp_path / ("x" * 300))


def test_numbers_of_a_format_that_numpy_lacks_are_bad_input(run: Path) -> None:
    header = b'{"a": {"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]}}'
    (run / "weights.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    rehash(run)
    with pytest.raises(BadInput, match="cannot be read as safetensors"):
        read_run(run)
