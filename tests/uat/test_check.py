"""``uat check``: keys, exit codes, selection, counterexamples, pictures, and the proof for one run."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from proofs_check.dag import proof_order
from proofs_check.kernel import Status
from proofs_check.steps import all_steps
from tests.proofs_check.test_run_files import edit, rehash
from tests.uat.conftest import Uat
from uat import check
from uat.check import WIDTH
from uat.proof_drawing import svg

FAST = ("--profile", "fast", "--jobs", "1")
SMALL = ("--target", "x*mean(y)", "--eps", "1/4", "--samples", "0", "--out", "run", "--json")
KEYS = {"id", "status", "expected", "method", "cases", "seconds", "depends_on", "inherited"}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_record_has_the_documented_keys_and_a_second_run_comes_from_the_cache(uat: Uat) -> None:
    first = uat("check", "--upto", "product", *FAST, "--json")
    assert (first.code, first.err) == (0, "")
    rows = first.json["steps"]
    assert [row["id"] for row in rows] == ["interpolation-error", "square-sawtooth", "product"]
    assert all(set(row) >= KEYS for row in rows)
    assert rows[2]["depends_on"] == ["square-sawtooth"]
    assert not any(row["cached"] for row in rows)
    assert all(row["cached"] for row in uat("check", "--upto", "product", *FAST, "--json").json["steps"])
    assert not uat("check", "product", *FAST, "--no-cache", "--json").json["steps"][0]["cached"]


def test_the_table_fits_100_columns_and_shows_counterexamples_by_hand(uat: Uat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    answer = uat("check", "printed-linformer-pooling", "linformer-pooling", "one-dimensional-latent-transformer", *FAST)
    assert answer.code == 0
    assert max(map(len, answer.out.splitlines())) <= WIDTH
    assert "k = 2: every slot of F X W_V is (3/2) Sigma, the head returns 21/2" in answer.out
    assert "3 steps: 1 proved, 2 refuted; all as expected" in answer.out


def test_the_exit_code_is_1_when_a_step_is_not_as_expected(uat: Uat, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = dict(all_steps())
    steps["product"] = dataclasses.replace(steps["product"], expected=Status.CERTIFIED)
    monkeypatch.setattr(check, "all_steps", lambda: steps)
    answer = uat("check", "product", *FAST)
    assert answer.code == 1
    assert "product: proved, expected certified" in answer.out


@pytest.mark.parametrize(("arguments", "message"), [
    (("linformer-poling",), "did you mean linformer-pooling"), (("--upto", "x"), "no step 'x'"),
    (("--profile", "slow"), "expected fast or full"), (("--jobs", "0"), "at least 1"), (("--jobs", "two"), "whole number"),
    (("--device", "tpu"), "auto, cpu or cuda"), (("--phi", "none.safetensors"), "cannot be read"),
    (("--phi", "math:sinn"), "did you mean"), (("--run", "nowhere"), "nowhere"),
    (("--run", "nowhere", "--svg", "proof.svg"), "takes no STEP"),
    (("product", "--svg", "no/such/folder.svg"), "folder.svg")])
def test_a_mistake_is_answered_in_one_message(uat: Uat, arguments: tuple[str, ...], message: str) -> None:
    answer = uat("check", *arguments, *(FAST if "--profile" not in arguments and "--jobs" not in arguments else ()))
    assert answer.code == 2
    assert message in answer.message


def test_a_feature_map_of_the_user_is_refuted_with_two_sequences(uat: Uat) -> None:
    answer = uat("check", "--phi", "tests.proofs_check.test_collisions:steep", *FAST)
    text = " ".join(answer.out.split())
    assert answer.code == 0
    assert "phi = tests.proofs_check.test_collisions:steep, n = 3: 2 phi(t) = phi(0) + phi(1) at t in 0." in text
    assert "every psi errs by at least 1" in text
    assert "assuming: " in text


def test_several_relu_features_of_the_user_are_confused_on_their_longest_piece(uat: Uat, tmp_path: Path) -> None:
    arrays = {"0.weight": np.ones((2, 1)), "0.bias": np.array([0.0, -0.25]), "2.weight": np.eye(2)}
    save_file(arrays, tmp_path / "phi.safetensors")
    answer = uat("check", "--phi", "phi.safetensors", *FAST)
    text = " ".join(answer.out.split())
    assert answer.code == 0
    assert "d' = 2, P = 2 linear pieces on [0, 1], the longest [1/4, 1]" in text
    assert "errs by at least b - a >= 0.75 >= 1/2" in text
    refused = uat("check", "one-dimensional-latent-transformer", "--phi", "phi.safetensors", *FAST)
    assert refused.code == 2
    assert "is about one" in refused.message
    save_file({"0.weight": np.ones((2, 3))}, tmp_path / "plane.safetensors")
    assert "d = 1" in uat("check", "--phi", "plane.safetensors", *FAST).message


def test_the_picture_has_a_box_for_every_step_and_names_its_status(uat: Uat, tmp_path: Path) -> None:
    assert uat("check", "--upto", "printed-latent-dimension", *FAST, "--svg", "proof.svg").code == 0
    picture = ET.parse(tmp_path / "proof.svg").getroot()
    texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    for name in ("power-sums-generate", "latent-dimension", "printed-latent-dimension"):
        assert name in texts
    assert texts.count("proved") == 5 + 1  # and the legend


def test_the_picture_says_what_a_proved_step_rests_on() -> None:
    drawn = ("power-sums-generate", "semi-invariant-form", "latent-dimension")
    statuses = {**dict.fromkeys(drawn, Status.PROVED), drawn[0]: Status.ASSUMED}
    picture = ET.fromstring(svg(all_steps(), statuses, dict.fromkeys(drawn, Status.ASSUMED)))
    texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("proved, rests on assumed") == 2


def test_the_mermaid_text_has_nodes_edges_and_corrections(uat: Uat) -> None:
    lines = uat("check", "--upto", "printed-latent-dimension", *FAST, "--mermaid").out.splitlines()
    assert lines[0] == "graph LR"
    assert '  latent-dimension["latent-dimension<br/>proved"]:::proved' in lines
    assert "  power-sums-generate --> latent-dimension" in lines
    assert "  printed-latent-dimension -.->|corrected by| latent-dimension" in lines


@pytest.mark.parametrize("method", ["grid", "sum-decomposition"])
def test_a_run_shows_every_constant_of_its_proof_beside_the_general_status(uat: Uat, method: str) -> None:
    built = uat("construct", *SMALL, "--method", method)
    answer = uat("check", "--run", "run", *FAST, "--json")
    assert (answer.code, answer.err) == (0, "")
    values = {(row["step"], row["name"]): row["value"] for row in answer.json["constants"]}
    assert values["theorem-linformer", "linformer: ||f - T|| <="] == answer.json["certified_bound"]
    assert values["error-budget", "eps"] == "0.250000"
    assert {row["general"] for row in answer.json["constants"]} <= {"proved", "assumed"}
    if method == "grid":
        # L = 2.02 and eps = 1/4: ceil(2.02/(1/2)) = 5 cells; R = binom(6, 2) multisets of the two others
        assert values["quantiser-covers", "N"] == "5"
        assert values["sum-code-injective", "code, d', K, R"] == "bose-chowla, 1, 5, 15"
        assert values["sum-code-injective", "different sums of n - 1 codes"] == "15"
        assert values["decode-left-inverse", "K R pairs followed"] == "75"
        assert values["linformer-pooling", "linformer: head = c sum over tokens, c"] == "1"
    else:
        assert values["softmax-pooling", "transformer: head = c sum over tokens, c"] == "1/3"
        assert float(values["linformer-pooling", "linformer: head = c sum over tokens, c"]) == 1 / 3  # not rounded up: no bound
        assert values["sum-decomposition", "d', holds for"].endswith("every n >= 2")
        assert "certified" in next(name for step, name in values if step == "modulus")
    assert built.code == 0


def test_a_run_about_a_callable_imports_it_only_when_told_to(uat: Uat) -> None:
    target = ("--target", "tests.uat.callables:target_squared", "--eps", "1/2", "--lipschitz", "2")
    assert uat("construct", *target, "--samples", "0", "--out", "run", "--json").code == 0
    refused = uat("check", "--run", "run", *FAST)
    assert refused.code == 2
    assert "--import-callable" in refused.message
    answer = uat("check", "--run", "run", "--import-callable", *FAST, "--json")
    values = {row["name"]: row["value"] for row in answer.json["constants"]}
    assert values["L"] == "2.00000 (declared)"


def test_a_run_that_is_not_certified_leaves_1_and_the_reason(uat: Uat, tmp_path: Path) -> None:
    uat("construct", *SMALL, "--method", "grid")
    edit(tmp_path / "run", "plan.json", lambda plan: plan.update(lipschitz="1/2"))
    rehash(tmp_path / "run")
    answer = uat("check", "--run", "run", *FAST)
    assert answer.code == 1
    assert "not certified" in answer.out
    status = uat("certify", "run", "--json").json["status"]
    assert uat("check", "--run", "run", *FAST, "--json").json["status"] == status == "refuted"


def test_every_step_can_be_named(uat: Uat) -> None:
    assert {row["id"] for row in uat("check", *FAST, "identity-channel", "--only", "product", "--json").json["steps"]} == {
        "identity-channel", "product"}
    assert len(proof_order(all_steps())) == len(all_steps())


@pytest.mark.gpu
def test_sampled_checks_run_unchanged_on_a_gpu(uat: Uat) -> None:
    answer = uat("check", "ramp-exception-set", "theorem-sumformer", *FAST, "--device", "cuda", "--json")
    assert answer.code == 0
    shown = [check["shown"] for row in answer.json["steps"] for check in row["checks"] if check["method"] == "sampled"]
    assert sum("on cuda" in text for text in shown) == 2
