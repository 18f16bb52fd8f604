"""Running steps: in processes as here, from the cache what has not changed, and one failure stops no other step."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proofs_check import runner, step_cache
from proofs_check.kernel import Status
from proofs_check.proof import StepResult
from proofs_check.runner import Settings, in_processes, run_one, run_steps
from proofs_check.step_cache import StepCache, imported

NAMES = ["printed-quantiser-covers", "identity-channel", "product", "printed-residual-layout", "latent-dimension"]
SETTINGS = Settings()


def dying(name: str) -> StepResult:
    """Run a step, or take the process down, as running out of memory would."""
    if name == NAMES[1]:
        os._exit(3)
    return run_one(name, SETTINGS)


def shown(results: tuple[StepResult, ...]) -> list[tuple[str, Status, int]]:
    return [(result.id, result.status, result.cases) for result in results]


def test_processes_give_what_one_process_gives_in_the_order_asked_for() -> None:
    assert shown(run_steps(NAMES, SETTINGS, jobs=2).results) == shown(run_steps(NAMES, SETTINGS).results)


def test_a_second_run_takes_everything_from_the_cache_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = StepCache(tmp_path)
    first = run_steps(NAMES[:2], SETTINGS, cache=cache)
    monkeypatch.setattr(runner, "run_one", lambda *arguments: pytest.fail("it was run again"))
    second = run_steps(NAMES[:2], SETTINGS, cache=cache)
    assert (first.cached, second.cached) == (frozenset(), frozenset(NAMES[:2]))
    assert second.results == first.results


def test_a_changed_source_setting_or_feature_map_is_another_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, name = StepCache(tmp_path), "product"
    phi = tmp_path / "phi"
    phi.write_bytes(b"1")
    keys = {cache.key(name, settings) for settings in (SETTINGS, Settings(full=True), Settings(seed=1), Settings(device="cuda"),
                                                       Settings(phi=str(phi)))}
    phi.write_bytes(b"2")
    keys.add(cache.key(name, Settings(phi=str(phi))))
    before = step_cache.source
    monkeypatch.setattr(step_cache, "source", lambda module: before(module) + b"#" * (module == "proofs_check.evidence"))
    keys.add(cache.key(name, SETTINGS))
    assert len(keys) == 7
    assert cache.key(name, Settings(phi="package.module:function")) is None


def test_the_sources_of_a_step_are_what_it_imports_and_no_other_step() -> None:
    modules = imported("proofs_check.steps.linformer_pooling")
    assert {"constructions.pooling.linformer", "constructions.pooling.head", "proofs_check.proof"} <= modules
    assert [name for name in modules if name.startswith("proofs_check.steps.")] == ["proofs_check.steps.linformer_pooling"]


def test_a_damaged_entry_is_as_good_as_none(tmp_path: Path) -> None:
    cache = StepCache(tmp_path)
    run_steps(NAMES[:1], SETTINGS, cache=cache)
    (file,) = tmp_path.glob("*.json")
    for damage in ("", "{}", '{"id": 1, "status": "splendid", "checks": []}', "[1]"):
        file.write_text(damage)
        assert not run_steps(NAMES[:1], SETTINGS, cache=cache).cached


def test_a_folder_that_cannot_be_written_is_no_cache(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("")
    assert not run_steps(NAMES[:1], SETTINGS, cache=StepCache(place)).cached


def test_a_step_that_takes_its_process_down_is_undecided_and_stops_no_other() -> None:
    results: dict[str, StepResult] = {}
    in_processes(NAMES[:2], dying, 2, lambda result: results.update({result.id: result}))
    assert {name: result.status for name, result in results.items()} == {
        NAMES[0]: Status.REFUTED, NAMES[1]: Status.UNDECIDED}
    assert results[NAMES[1]].crashed
    assert "process died" in results[NAMES[1]].checks[0].what


def test_a_step_that_fails_is_undecided_not_kept_and_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(name: str, settings: Settings) -> StepResult:
        if name == NAMES[0]:
            return StepResult(name, Status.UNDECIDED, (), crashed=True)
        return run_one(name, settings)

    monkeypatch.setattr(runner, "run_one", failing)
    done = run_steps(NAMES[:2], SETTINGS, cache=StepCache(tmp_path))
    assert [result.status for result in done.results] == [Status.UNDECIDED, Status.PROVED]
    assert [file.name.split(".")[0] for file in tmp_path.glob("*.json")] == [NAMES[1]]
