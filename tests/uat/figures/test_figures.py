"""Figures come from records alone, are the same every time, and say which command makes what is missing."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Polygon

from constructions.progress import silent
from proofs_check.kernel import Status
from proofs_check.steps import all_steps
from tests.uat.conftest import Uat
from tests.uat.searches import poor_search
from uat.figures import band, budget, command, cost, error_map, parameters, proof, training
from uat.figures.command import FIGURES, stored_record
from uat.figures.figure import Figure, Gathering, Record
from uat.figures.slices import laid_out
from uat.figures.style import drawn
from uat.proof_drawing import LEGEND, head, layout, route, svg
from uat.sampling import Sampled
from uat.stored_run import StoredRun, open_run

README = Path(__file__).parents[3] / "README.md"
TABLE_RECORDS = str(Path(__file__).parents[1] / "tables" / "records")
BENCH = [{"architecture": name, "n": n, "dtype": "float64", "device": "cpu", "n_parameters": 9, "flops": n, "seconds": n * 1e-6,
          "seconds_low": n * 9e-7, "seconds_high": n * 2e-6, "peak_bytes": n * 8 if n > 64 else None}
         for name in ("sumformer", "transformer") for n in (64, 128, 256)]
RECORDS: dict[str, dict[str, Any]] = {
    "cost": {"format": "uat-bench/1", "rows": BENCH, "break_even": [],
             "fits": [{"architecture": "sumformer", "dtype": "float64", "device": "cpu", "time_exponent": 1.0,
                       "memory_exponent": None}]},
    "figure-2": {"format": "uat-experiment/1", "name": "figure-2",
                 "rows": [{"d": d, "d_latent": latent, "relative_l2": 0.1 * d / latent, "sup_error": 1.0}
                          for d in (1, 2) for latent in (1, 8) if (d, latent) != (2, 8)]},
    "training": {"format": "uat-experiment/1", "name": "train-versus-construct",
                 "rows": [{"model": "constructed", "target": "$f", "eps": "1e-2", "seconds": 1.5, "sup_error": 0.007,
                           "certified": "9/1000"},
                          {"model": "mlp", "target": "$f", "eps": None, "seconds": 1.5, "sup_error": 0.3, "certified": None}]}}


def written(folder: Path, name: str, content: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("target", [("x*mean(y)", "--method", "grid"), ("(x[0]*mean(y[1]), x[1])", "--d", "2", "--n", "2")])
def test_figures_of_a_run_are_drawn_again_from_their_records_byte_for_byte(uat: Uat, target: tuple[str, ...]) -> None:
    assert uat("construct", "--eps", "1/4", "--samples", "0", "--out", "run", "--target", *target).code == 0
    answer = uat("figures", "band", "error-map", "budget", "--run", "run", "--out", "first")
    assert answer.code == 0, answer.err
    assert uat("figures", "band", "error-map", "budget", "--records", "first", "--out", "second").code == 0
    for path in Path("first").iterdir():
        assert path.read_bytes() == (Path("second") / path.name).read_bytes(), path
    assert {path.name for path in Path("first").iterdir()} == {
        f"{name}.{kind}" for name in ("band", "error-map", "budget") for kind in ("pdf", "png", "json")}
    band = json.loads(Path("first/band.json").read_text())
    assert band["made_by"]["versions"]["torch"] != "unknown"
    gaps = [abs(a - b) for values in band["networks"].values() for a, b in zip(values, band["f"], strict=True)]
    assert max(gaps) <= Fraction(band["bound"])


def test_a_run_about_every_n_is_pictured_at_a_short_length(uat: Uat) -> None:
    options = ("--eps", "1/4", "--samples", "0", "--n", "600", "--architecture", "linformer,performer", "--out", "run")
    assert uat("construct", "--target", "x*mean(y)", *options).code == 0
    assert uat("figures", "band", "error-map", "--run", "run", "--out", "out", "--format", "png").code == 0
    band = json.loads(Path("out/band.json").read_text())
    assert band["n"] == 8
    gaps = [abs(a - b) for a, b in zip(band["networks"]["linformer"], band["networks"]["sumformer"], strict=True)]
    assert max(gaps) < 1e-12


def built(uat: Uat, *target: str) -> StoredRun:
    assert uat("construct", "--eps", "1/4", "--samples", "0", "--out", "run", "--target", *target).code == 0
    return open_run("run")


def test_the_map_is_a_search_too_and_the_circle_marks_the_worse_of_both(uat: Uat) -> None:
    run = built(uat, "x*mean(y)")
    record = error_map.gather(Gathering(0, False, silent, run, poor_search(run)))
    largest = max(map(max, record["error"]))
    own, other = (record["t"].index(place) for place in record["witness"])
    assert record["error"][other][own] == largest == pytest.approx(record["sampled_max"], abs=1e-12)
    assert largest > 0
    assert "The circle marks the largest, which the search did not find." in error_map.caption(record)
    assert "worst error of the search" not in error_map.caption(record)
    found = error_map.worst(Gathering(0, False, silent, run, poor_search(run)))
    assert not found.refutes
    assert error_map.worst(Gathering(0, False, silent, run, found)) is found
    assert error_map.gather(Gathering(0, False, silent, run, found))["witness"] == record["witness"]
    corner = {**record, "found_by": "domain corners", "sampled_max": np.nextafter(0.125, 0), "error": [[0.0, 0.125]]}
    assert "values is 0.124," in error_map.caption(corner)
    assert "of the search, 0.124." in error_map.caption(corner)
    low = dataclasses.replace(run, claim=dataclasses.replace(run.claim, bound=Fraction(1, 10**9)))
    assert error_map.worst(Gathering(0, False, silent, low, poor_search(run))).refutes


def test_of_repeated_tokens_the_own_one_is_that_with_the_error() -> None:
    found = Sampled(4, 1.0, [[0.0], [0.5], [1.0]], (2, 1, 1), 1, 1, 1.0, 1.0, 0.0, "uniform", "cpu", False)
    tokens, own = laid_out(found)
    assert tokens[:, 0].tolist() == [0.0, 0.0, 0.5, 1.0]
    assert own == 2


def labels(figure: Figure, record: Record) -> str:
    picture = figure.draw(record)
    return " / ".join(text for axes in picture.axes for text in (axes.get_xlabel(), axes.get_ylabel()) if text)


def test_labels_say_which_output_is_drawn_and_call_a_position_no_coordinate(uat: Uat) -> None:
    run = built(uat, "(mean(y), x**2*mean(y))")
    given = Gathering(0, False, silent, run, poor_search(run))
    shown = band.gather(given)
    assert (shown["output"], shown["d_out"], shown["coordinates"]) == (1, 2, 1)
    assert labels(band.FIGURE, shown) == "output 1 / own token / network \N{MINUS SIGN} f"
    assert band.caption(shown).startswith("Output 1 (of 2, from 0) of f and the sumformer")
    mapped = error_map.gather(given)
    assert "the largest of 2 outputs" in labels(error_map.FIGURE, mapped)
    assert error_map.caption(mapped).startswith("Error |f - S|, the largest of 2 outputs, over")


@pytest.mark.parametrize(("options", "coordinate"), [(("x*mean(y)*i/n", "--positional"), ""),
                                                     (("x[0]*mean(y[1])", "--d", "2"), ", coordinate 0")])
def test_a_token_with_one_coordinate_beside_its_position_moves_in_no_named_one(uat: Uat, options: tuple[str, ...],
                                                                               coordinate: str) -> None:
    run = built(uat, *options, "--n", "2")
    given = Gathering(0, False, silent, run, poor_search(run))
    assert labels(band.FIGURE, band.gather(given)) == f"value / own token{coordinate} / network \N{MINUS SIGN} f"
    assert labels(error_map.FIGURE, error_map.gather(given)).startswith(f"own token{coordinate} / another token{coordinate} / ")


def test_a_pdf_embeds_its_fonts_and_has_no_date(tmp_path: Path) -> None:
    pdf = drawn(FIGURES["figure-2"].draw, RECORDS["figure-2"], "pdf")
    assert b"/CIDFontType2" in pdf or b"/TrueType" in pdf
    assert b"/Type3" not in pdf
    assert b"CreationDate" not in pdf


@pytest.mark.parametrize("name", RECORDS)
def test_figures_of_other_commands_are_drawn_from_their_records(uat: Uat, tmp_path: Path, name: str) -> None:
    place = written(tmp_path / "records" / "inner", "some-name", RECORDS[name]).parent
    answer = uat("figures", name, "--records", str(place), "--out", "out", "--format", "png")
    assert answer.code == 0, answer.err
    assert json.loads(Path(f"out/{name}.json").read_text()) == RECORDS[name]
    assert Path(f"out/{name}.png").stat().st_size > 5000


def test_figures_are_drawn_from_the_folder_that_tables_writes_as_the_readme_says(uat: Uat, tmp_path: Path) -> None:
    tables, *experiment, figures = (shlex.split(line) for line in re.findall(
        r"^    (python -m uat (?:tables|experiment|figures) .*? appendix\S*)(?: .*)?$", README.read_text("utf-8"), re.MULTILINE))
    assert [line[3] for line in (tables, *experiment, figures)] == ["tables", "experiment", "figures"]
    assert uat(*tables[3:], "--records", TABLE_RECORDS).code == 0
    written(Path(experiment[0][experiment[0].index("--out") + 1]), "experiment", RECORDS[experiment[0][4]])
    answer = uat("figures", *RECORDS, *figures[figures.index("--records"):], "--out", "out", "--format", "png")
    assert answer.code == 0, answer.out
    assert json.loads(Path("out/cost.json").read_text())["format"] == "uat-bench/1"
    assert json.loads(Path("out/training.json").read_text())["name"] == "train-versus-construct"


def test_a_record_with_a_file_of_its_own_is_taken_before_one_in_a_collection(tmp_path: Path) -> None:
    older = {**RECORDS["cost"], "rows": []}
    place = written(tmp_path, "tables", {"format": "uat-tables/1", "records": {"bench": older}})
    assert stored_record(FIGURES["cost"], place) == older
    assert stored_record(FIGURES["cost"], written(place, "measured", RECORDS["cost"])) == RECORDS["cost"]
    assert stored_record(FIGURES["training"], written(place, "tables", {"format": "uat-tables/1"})) is None


@pytest.mark.parametrize("name", [*RECORDS, "band", "error-map", "budget"])
def test_what_is_missing_is_named_with_the_command_that_makes_it(uat: Uat, name: str) -> None:
    answer = uat("figures", name, "--out", "out")
    assert answer.code == 1
    assert "not drawn" in answer.out
    assert FIGURES[name].made_with in " ".join(answer.out.split())
    assert not Path("out").exists()


@pytest.mark.parametrize(("arguments", "message"), [
    (("bnad", "--out", "out"), "no figure 'bnad'"), (("--out", "out"), "no figure named"),
    (("cost", "--out", "out", "--format", "svg"), "expected pdf, png"),
    (("cost", "--out", "out", "--profile", "slow"), "fast or full"),
    (("cost", "--out", "out", "--records", "nowhere"), "--records nowhere"),
    (("cost", "--out", "out", "--seed", "-1"), "--seed -1"),
    (("band", "--out", "out", "--run", "nowhere"), "not a run directory"), (("cost",), "Missing option")])
def test_bad_input_is_answered_in_one_message(uat: Uat, arguments: tuple[str, ...], message: str) -> None:
    answer = uat("figures", *arguments)
    assert answer.code == 2
    assert message in answer.message


def test_an_interrupted_call_says_where_the_figures_before_it_are(uat: Uat, tmp_path: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(figure: Figure, given: Gathering, folder: str | None) -> Record | None:
        if figure.name == "training":
            raise KeyboardInterrupt
        return stored_record(figure, Path(str(folder)))

    monkeypatch.setattr(command, "_record", stopped)
    place = written(tmp_path / "records", "cost", RECORDS["cost"]).parent
    answer = uat("figures", "cost", "training", "--records", str(place), "--out", "out")
    assert answer.code == 130
    assert answer.message == "interrupted: training was not drawn; the figures before it are in out"
    assert (tmp_path / "out" / "cost.pdf").is_file()


@pytest.mark.parametrize("rows", [None, [], [{"architecture": "sumformer"}], [7], "rows"])
def test_a_record_that_cannot_be_drawn_is_bad_input_and_leaves_nothing(uat: Uat, tmp_path: Path, rows: Any) -> None:
    place = written(tmp_path / "records", "experiment", {**RECORDS["figure-2"], "rows": rows})
    answer = uat("figures", "figure-2", "--records", str(place), "--out", "out")
    assert answer.code == 2
    assert "its record cannot be drawn" in answer.message
    assert not Path("out").exists()


def test_growth_of_one_architecture_in_two_formats_is_told_apart() -> None:
    (fit,) = RECORDS["cost"]["fits"]
    assert "Fitted growth of time: sumformer n^1.00." in cost.caption(RECORDS["cost"])
    both = {**RECORDS["cost"], "fits": [fit, fit | {"dtype": "float32", "time_exponent": 0.5}]}
    assert "sumformer float64 n^1.00, sumformer float32 n^0.50." in cost.caption(both)


def test_shares_that_do_not_add_up_are_not_drawn() -> None:
    steps = [{"step": "modulus", "statement": "", "status": "certified", "bound": "1/8"}]
    record = budget.content(steps, Fraction(1, 4), Fraction(1, 4), "certified", "f")
    assert [row["step"] for row in record["steps"]] == ["modulus", "quoted-bound"]
    assert drawn(budget.draw, record, "png")
    with pytest.raises(ValueError, match="do not add up"):
        drawn(budget.draw, {**record, "bound": "1/2"}, "png")
    with pytest.raises(ValueError, match="more than the bound"):
        budget.content(steps, Fraction(1, 9), Fraction(1, 4), "certified", "f")


def shares(*exact: str, step: str = "interpolation-error", status: str = "certified") -> list[dict[str, str]]:
    return [{"step": step, "statement": "", "status": status, "bound": bound} for bound in exact]


def drawn_budget(steps: list[dict[str, str]], bound: Fraction, eps: Fraction) -> tuple[Record, Any]:
    record = budget.content(steps, bound, eps, "certified", "f")
    picture = budget.draw(record)
    picture.set_canvas(FigureCanvasAgg(picture))
    picture.canvas.draw()
    return record, picture


def test_many_shares_of_one_kind_are_one_bar_with_their_number_and_exact_sum() -> None:
    steps = [*shares(*["1/700"] * 30), *shares("1/70", step="subdivision"), *shares(*["1/900"] * 30),
             *shares("1/800", "1/800", status="assumed"), *shares("0", step="definedness")]
    bound = Fraction(30, 700) + Fraction(1, 70) + Fraction(30, 900) + Fraction(2, 800)
    record, picture = drawn_budget(steps, bound, Fraction(1))
    names = [label.get_text() for label in picture.axes[0].get_yticklabels()]
    assert names == ["60 x interpolation-error", "subdivision", "interpolation-error", "interpolation-error", "bound"]
    assert sum(bar.get_width() for bar in picture.axes[0].patches[:4]) == pytest.approx(float(bound))
    assert picture.get_size_inches()[1] < 3
    assert "60 of interpolation-error together 0.0762, subdivision" in budget.caption(record)
    assert len(record["steps"]) == len(steps)


@pytest.mark.parametrize("bound", ["3/10000000000000000", "1/100", "1/4", "1/2", "9/10", "1"])
def test_a_number_never_stands_on_the_names_of_the_bars(bound: str) -> None:
    _, picture = drawn_budget(shares(bound, "0"), Fraction(bound), Fraction(1))
    axes = picture.axes[0]
    left = axes.get_window_extent().x0
    assert all(text.get_window_extent().x0 >= left for text in axes.texts)
    assert all(label.get_window_extent().x1 <= left for label in axes.get_yticklabels())


def test_accuracy_is_compared_with_proved_bounds_above_sampled_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameters, "TARGETS", ("own-times-mean",))
    monkeypatch.setattr(parameters, "TOLERANCES", {False: ("1/4",)})
    monkeypatch.setattr(parameters, "LARGEST_TABLE", {False: 10})
    record = parameters.gather(Gathering(0, False, silent))
    assert {row["method"] for row in record["rows"]} == {"sum-decomposition", "power-sums", "order-statistics", "fit"}
    assert all(row["sampled_max"] <= Fraction(row["certified"]) <= Fraction(row["eps"]) for row in record["rows"])
    assert [row["method"] for row in record["refused"]] == ["grid"]
    assert drawn(parameters.draw, record, "png")


def proof_rows() -> list[dict[str, Any]]:
    steps = all_steps()
    return [{"id": name, "status": step.expected.value, "expected": step.expected.value, "inherited": None,
             "depends_on": list(step.depends_on), "corrected_by": step.corrects or None, "box": list(vars(box).values())}
            for name, box in layout(steps, set(steps)).items() if (step := steps[name])]


def test_the_proof_is_drawn_with_every_step_once() -> None:
    steps, rows = all_steps(), proof_rows()
    picture = proof.draw({"profile": "fast", "steps": rows})
    shown = [text.get_text() for text in picture.axes[0].texts]
    assert all(shown.count(name) == 1 for name in steps)
    assert "all as expected" in proof.caption({"profile": "fast", "steps": rows})
    rows[0]["status"] = "undecided"
    assert rows[0]["id"] in proof.caption({"profile": "fast", "steps": rows}).partition("not as expected")[2]


def pieces(points: list[tuple[float, float]]) -> np.ndarray:
    """Return places along the cubic curves of a route, shape (2, many)."""
    u = np.linspace(0, 1, 200)[:, None]
    corners = np.array(points)
    weights = np.hstack([(1 - u)**3, 3 * u * (1 - u)**2, 3 * u**2 * (1 - u), u**3])
    return np.concatenate([weights @ corners[k:k + 4] for k in range(0, len(corners) - 1, 3)]).T


def test_edges_of_the_proof_cross_no_box_and_end_in_a_head_at_the_right_one() -> None:
    steps = all_steps()
    boxes = layout(steps, set(steps))
    edges = [(premise, name) for name in steps for premise in steps[name].depends_on]
    edges += [(name, step.corrects) for name, step in steps.items() if step.corrects]
    for first, last in edges:
        points = route(boxes.values(), boxes[first], boxes[last])
        x, y = pieces(points)
        crossed = [name for name, box in boxes.items() if np.any(
            (x > box.x + 0.01) & (x < box.x + box.width - 0.01) & (y > box.y - 1) & (y < box.y + box.height + 1))]
        assert crossed == [], (first, last)
        for place, name in ((points[0], first), (points[-1], last)):
            box = boxes[name]
            assert place[0] in (box.x, box.x + box.width)
            assert place[1] == box.y + box.height / 2
        tip, *back = head(points)
        assert tip == points[-1]
        assert all(np.sign(corner[0] - tip[0]) == (1 if tip[0] > boxes[last].x else -1) for corner in back)


def test_every_edge_of_the_proof_has_a_head_in_the_figure_and_in_the_svg() -> None:
    steps = all_steps()
    edges = sum(len(step.depends_on) + bool(step.corrects) for step in steps.values())
    picture = svg(steps, {name: step.expected for name, step in steps.items()}, dict.fromkeys(steps))
    assert picture.count("<polygon ") == edges
    few = svg(steps, {"product": Status.PROVED}, {"product": Status.PROVED})
    assert float(few.partition('width="')[2].partition('"')[0]) > 6 * len(LEGEND)
    shown = proof.draw(json.loads(json.dumps({"profile": "fast", "steps": proof_rows()})))
    assert sum(isinstance(patch, Polygon) for patch in shown.axes[0].patches) == edges


def test_captions_round_what_was_found_down_and_bounds_and_tolerances_up() -> None:
    common = {"n": 3, "bound": "86106/10000000", "t": [0.0, 1.0]}
    assert "points drawn is 0.00299;" in band.caption(common | {"f": [0.0, 0.0], "networks": {"sumformer": [0.0, 0.0029999]}})
    shown = error_map.caption(common | {"error": [[0.0, 0.0029999]], "sampled_max": 0.0059999})
    assert "largest of these 2 values is 0.00299" in shown
    assert "worst error of the search, 0.00599." in shown
    assert "bound 0.00862" in shown
    rows = [{"model": "mlp", "seconds": 1.0, "sup_error": 0.0059999}]
    assert "0.00599 after" in training.caption({"rows": rows})
    assert "tolerance is 0.333334" in budget.caption({"steps": [], "bound": "0", "eps": "1/3"})
    assert "tolerance is 0.01." in budget.caption({"steps": [], "bound": "0", "eps": "1/100"})
