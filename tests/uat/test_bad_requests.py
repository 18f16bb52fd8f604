"""Bad input of construct and plan: one message with what was given and expected, and nothing half-written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.uat.conftest import GRID, SMALL, Uat

E = ("--eps", "1/4")
T = ("--target", "x*mean(y)")
BAD = [
    (("--target", "f", "--eps", "0"), ["--eps 0", "> 0"]),
    (("--target", "f", "--eps", "-1e-2"), ["--eps -1e-2", "> 0"]),
    (("--target", "f", "--eps", "nan"), ["'nan'", "finite decimal number"]),
    (("--target", "f", "--eps", "inf"), ["'inf'", "finite decimal number"]),
    (("--target", "f", "--eps", "small"), ["'small'", "finite decimal number"]),
    (("--target", "f", "--eps", "1e-999"), ["'1e-999'", "between"]),
    (("--target", "f", "--eps", "1/0"), ["'1/0'", "fraction"]),
    (("--target", "f", "--eps", ""), ["''", "finite decimal number"]),
    (("--target", "f"), ["--eps"]),
    (E, ["--target"]),
    (("--target", "medain", *E), ["'medain'", "did you mean median"]),
    (("--target", "figure2", *E), ["'figure2'", "figure-2"]),
    (("--target", "", *E), ["expression"]),
    (("--target", "x*", *E), ["x*", "column"]),
    (("--target", "x*mean(y", *E), ["column"]),
    (("--target", "x.real", *E), ["x.real", "column"]),
    (("--target", "__import__('os').getpid()", *E), ["__import__", "column"]),
    (("--target", "eval('1')", *E), ["eval", "column"]),
    (("--target", "x*mean(z)", *E), ["z", "column"]),
    (("--target", "y + x", *E), ["y", "column"]),
    (("--target", "lambda: x", *E), ["column"]),
    (("--target", "order(4)", *E), ["order(4)", "column"]),
    (("--target", "x[1]", "--d", "1", *E), ["x[1]", "column"]),
    (("--target", "x[0]", "--d", "0", *E), ["d = 0", ">= 1"]),
    (("--target", "f", "--d", "2", *E), ["d = 2", "'f'"]),
    (("--target", "gravity-2d", "--d", "3", *E), ["d = 3", "gravity-2d"]),
    (("--target", "figure-2", "--n", "4", *E), ["n = 4", "n = 3"]),
    (("--target", "f", "--n", "1", *E), ["--n 1", "n >= 2"]),
    (("--target", "f", "--n", "-3", *E), ["--n -3", "n >= 2"]),
    (("--target", "f", "--n", "three", *E), ["--n three", "whole number"]),
    ((*T, *E, "--domain", "1,0"), ["1,0", "LO < HI"]),
    ((*T, *E, "--domain", "1,1"), ["1,1", "LO < HI"]),
    ((*T, *E, "--domain", "0"), ["'0'", "LO,HI"]),
    ((*T, *E, "--domain", "0,1;0,1"), ["'0,1;0,1'", "LO,HI"]),
    ((*T, *E, "--domain", "0,nan"), ["'nan'", "finite decimal number"]),
    ((*T, *E, "--method", "magic"), ["--method 'magic'", "auto, fit, grid"]),
    ((*T, *E, "--code", "bose"), ["--code 'bose'", "bose-chowla"]),
    ((*T, *E, "--architecture", "transfromer"), ["'transfromer'", "did you mean transformer"]),
    ((*T, *E, "--architecture", ""), ["--architecture ''", "known"]),
    ((*T, *E, "--precision", "float16"), ["--precision 'float16'", "float32"]),
    ((*T, *E, "--linformer-k", "0"), ["k = 0", ">= 1"]),
    ((*T, *E, "--performer-features", "0"), ["features = 0", "at least 1"]),
    ((*T, *E, "--performer-features", "1000000000"), ["features = 1000000000", "at most 65536"]),
    ((*T, *E, "--max-table", "0"), ["--max-table 0", "at least 1"]),
    ((*T, *E, "--lipschitz", "-1"), ["--lipschitz -1", ">= 0"]),
    ((*T, *E, "--lipschitz", "steep"), ["'steep'", "finite decimal number"]),
    (("--target", "math:sin", *E), ["math:sin"]),
    (("--target", "tests.uat.callables:target_squared", *E), ["target_squared", "--lipschitz"]),
    (("--target", "tests.uat.callables:target_square", "--lipschitz", "2", *E), ["target_square'", "target_squared"]),
    (("--target", "tests.uat.callables:first_token", "--lipschitz", "1", *E), ["not permutation-equivariant", "permutation ["]),
    (("--target", "tests.uat.callables:broken", "--lipschitz", "1", *E), ["RuntimeError: out of order"]),
    (("--target", "no_such_module:f", "--lipschitz", "1", *E), ["cannot import 'no_such_module'"]),
]
REFUSED = [
    (("--target", "log(x)", *E), ["log(x)"]),
    (("--target", "1/(x-1/2)", *E), ["x"]),
    (("--target", "1/sqrt(x)", *E), ["sqrt(x", "vanishes"]),
    (("--target", "f", "--eps", "1e-6", *GRID), ["--max-table", "table entries", "fits"]),
    (("--target", "f", *E, *GRID, "--max-table", "10"), ["--max-table 10", "fits"]),
    (("--target", "own-times-mean", "--n", "2", "--eps", "1/60", "--code", "positional"),
     ["positional", "--architecture sumformer"]),
    (("--target", "f", "--n", "999", *E, *GRID), ["999"]),
    (("--target", "x*mean(y)", *E, *GRID, "--linformer-k", "9" * 20), ["no code", "survives pooling"]),
]


def _name(options: object) -> str:
    return " ".join(options) if isinstance(options, tuple) else ""


@pytest.mark.parametrize(("options", "words"), BAD, ids=_name)
def test_bad_input_is_one_message_with_what_was_given_and_expected(options: tuple[str, ...], words: list[str], uat: Uat,
                                                                  tmp_path: Path) -> None:
    answers = [uat("construct", *options, "--samples", "10", "--out", "run"), uat("plan", *options)]
    for answer in answers:
        assert answer.code == 2
        assert answer.out == ""
        assert "Traceback" not in answer.err
        for word in words:
            assert word in answer.message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("options", "words"), REFUSED, ids=_name)
def test_what_the_mathematics_refuses_ends_in_1_with_the_reason(options: tuple[str, ...], words: list[str], uat: Uat,
                                                               tmp_path: Path) -> None:
    answer = uat("construct", *options, "--samples", "10", "--out", "run", "--json")
    assert answer.code == 1
    assert answer.out == ""
    assert answer.err.startswith("refused: ")
    for word in words:
        assert word in answer.message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("options", "code", "words"), [
    (("--target", "x*mean(y)", "--eps", "1e-17"), 1, ["below what these weights can certify"]),
    (("--target", "max", "--eps", "1e-4", "--max-latent", "50", "--method", "sum-decomposition"), 1, ["--max-latent 50"]),
    (("--target", "x", "--eps", "1/10", "--n", "2,three"), 2, ["--n 2,three", "whole number"]),
    (("--target", "x", "--eps", "1/10", "--n", "2,1"), 2, ["--n 1", "n >= 2"]),
    (("--target", "x", "--eps", "1/10", "--max-latent", "0"), 2, ["--max-latent 0", "at least 1"])])
def test_what_a_continuous_construction_cannot_do_has_one_message(options: tuple[str, ...], code: int, words: list[str],
                                                                 uat: Uat) -> None:
    answer = uat("construct", *options, "--samples", "0")
    assert answer.code == code
    for word in words:
        assert word in answer.message


@pytest.mark.parametrize(("options", "words"), [
    (("--samples", "-1"), ["--samples -1", ">= 0"]), (("--samples", "many"), ["--samples", "'many'", "whole number"]),
    (("--device", "tpu"), ["--device 'tpu'", "auto, cpu or cuda"]), (("--seed", "x"), ["--seed", "'x'", "whole number"]),
    (("--nonsense",), ["--nonsense"]), (("extra",), ["extra"]),
    (("--out", "x" * 300), ["--out", "too long"])], ids=_name)
def test_bad_options_of_construct_are_bad_input(options: tuple[str, ...], words: list[str], uat: Uat, tmp_path: Path) -> None:
    answer = uat("construct", *T, *E, *options)
    assert answer.code == 2
    assert all(word in answer.message for word in words), answer.message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seed", ["-1", str(2**63), "9" * 30])
@pytest.mark.parametrize("command", [
    ("construct", *T, *E), ("sample", "run"), ("check",), ("tables", "codes"), ("experiment", "figure-1"), ("bench",)],
    ids=lambda command: str(command[0]))
def test_a_seed_that_numpy_or_torch_would_not_take_is_bad_input(
        command: tuple[str, ...], seed: str, uat: Uat, tmp_path: Path) -> None:
    answer = uat(*command, "--seed", seed)
    assert (answer.code, answer.out) == (2, "")
    assert f"--seed {seed}: expected a whole number from 0 to 2^63 - 1" in answer.message
    assert not list(tmp_path.iterdir())


def test_no_cuda_is_bad_input_before_anything_is_built(uat: Uat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    answer = uat("construct", *SMALL, "--device", "cuda", "--out", "run")
    assert answer.code == 2
    assert "no CUDA device is available here; use --device cpu or auto" in answer.message
    assert not list(tmp_path.iterdir())


def test_an_existing_out_is_bad_input_and_stays_as_it_is(uat: Uat, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").write_text("keep")
    answer = uat("construct", *SMALL, "--out", "run")
    assert answer.code == 2
    assert "exists already" in answer.message
    assert (tmp_path / "run" / "mine").read_text() == "keep"
