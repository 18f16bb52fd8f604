"""The page says what is known and no more, in a form that everybody can read."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from proofs_check.certify import TRUST, certify
from proofs_check.run_files import read_run
from tests.uat.conftest import Uat
from tests.uat.report import runs
from tests.uat.report.document import Document, problems
from tests.uat.searches import poor_search
from uat.report.reproduce import commands
from uat.report.ruler import ruler
from uat.report.verdict import known
from uat.stored_run import StoredRun, open_run

STATES: list[tuple[Callable[[Uat], Path], str, int, str]] = [
    (runs.proved, "proved", 0, "For every sequence of at least two tokens in [0, 1], this network's output differs from the "
                               "target f by at most 0."),
    (runs.assumed, "assumed", 0, "If what is assumed below is true: for every sequence of 3 tokens in [0, 1], "),
    (runs.undecided, "undecided", 1, "It is not known whether"),
    (runs.refuted, "refuted", 1, "It is not true that"), (runs.contradicted, "refuted", 1, "It is not true that")]
WORST = 2_000_000  # bytes


def page_of(uat: Uat, run: Path, *more: str, code: int = 0) -> str:
    answer = uat("report", str(run), "--out", "page.html", "--samples", "2000", *more)
    assert answer.code == code, answer.err
    return Path("page.html").read_text()


@pytest.mark.parametrize(("make", "state", "code", "headline"), STATES, ids=lambda value: getattr(value, "__name__", None))
def test_a_page_says_what_is_known(uat: Uat, make: Callable[[Uat], Path], state: str, code: int, headline: str) -> None:
    page = page_of(uat, make(uat), code=code)
    document = Document(page)
    assert problems(page) == []
    assert len(page.encode()) < WORST
    assert document.texts["h1"][0].startswith(headline)
    assert document.all("header")[0].attributes["class"] == state
    greens = [e for e in document.elements if e.tag in ("header", "b") and "proved" in e.attributes.get("class", "").split()]
    assert bool(greens) == (state == "proved")
    assert ("Proved, not estimated" in page) == (state == "proved")


def test_what_the_map_of_the_page_shows_counts_as_found(uat: Uat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StoredRun, "sample", lambda run, *arguments: poor_search(run))
    page = page_of(uat, runs.proved(uat))
    (found,) = re.findall(r"tokens found an error of ([\d.e-]+?)\.? ", page)
    (largest,) = set(re.findall(r"largest of these 10,201 values is ([\d.e-]+),", page))
    assert found.startswith(largest)
    assert float(largest) > 0


def test_a_page_that_did_not_prove_the_bound_again_says_so_and_is_not_green(uat: Uat) -> None:
    page = page_of(uat, runs.proved(uat), "--no-recheck", "--samples", "0")
    document = Document(page)
    assert problems(page) == []
    assert document.all("header")[0].attributes["class"] == "stored"
    assert "was not proved again" in page
    assert "Proved, not estimated" not in page


def test_a_stored_certificate_that_does_not_add_up_is_undecided_without_a_proof_too(uat: Uat) -> None:
    page = page_of(uat, runs.undecided(uat), "--no-recheck", "--samples", "0", code=1)
    assert Document(page).all("header")[0].attributes["class"] == "undecided"
    assert "add up to more than the bound" in page


def test_names_from_a_run_are_text_and_never_markup(uat: Uat) -> None:
    page = page_of(uat, runs.hostile(uat))
    document = Document(page)
    assert problems(page) == []
    assert not document.all("script")
    assert not document.all("img")
    assert runs.HOSTILE in document.texts["h1"][0]
    assert runs.HOSTILE in document.texts["title"][0]


def test_a_changed_file_is_refused_and_no_page_is_written(uat: Uat) -> None:
    run = runs.proved(uat)
    content = bytearray((run / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (run / "weights.safetensors").write_bytes(bytes(content))
    answer = uat("report", "run", "--out", "page.html")
    assert answer.code == 1
    assert "weights.safetensors: changed" in answer.err
    assert not Path("page.html").exists()


@pytest.mark.parametrize(("arguments", "message"), [
    (("nowhere",), "not a run directory"), (("run", "--samples", "-1"), "--samples -1"), (("run", "--seed", "-1"), "--seed -1"),
    (("run", "--out", "."), "is a folder")])
def test_bad_input_is_answered_in_one_message(uat: Uat, arguments: tuple[str, ...], message: str) -> None:
    answer = uat("report", *arguments)
    assert answer.code == 2
    assert message in answer.message


@pytest.mark.parametrize("key", ["versions", "budget", "assumptions"])
def test_a_certificate_without_a_documented_part_is_bad_input(key: str, uat: Uat) -> None:
    run = runs.proved(uat)
    runs.rewritten(run, {"certificate.json": lambda certificate: certificate.update({key: None})})
    answer = uat("report", "run", "--no-recheck", "--samples", "0")
    assert answer.code == 2
    assert "docs/formats.md" in answer.message


def test_a_callable_is_not_imported_unless_that_is_allowed(uat: Uat) -> None:
    run = runs.constructed(uat, "--lipschitz", "2", target="tests.proofs_check.runs:own_times_mean")
    assert "--import-callable" in uat("report", str(run)).err
    page = page_of(uat, run, "--import-callable")
    assert Document(page).all("header")[0].attributes["class"] == "assumed"
    assert "--import-callable" in page


def test_the_table_adds_up_to_the_bound(uat: Uat) -> None:
    run = open_run(runs.constructed(uat, target="f", eps="1/10"))
    state = known(run.claim, run.files.certificate, certify(run.files), None, TRUST, "")
    assert sum(step["share"] for step in state.steps) == run.claim.bound
    assert state.state == "proved"


def test_an_analysis_that_was_not_checked_by_other_arithmetic_is_an_assumption(uat: Uat) -> None:
    run = open_run(runs.proved(uat))
    stored = {**run.files.certificate, "assumptions": [*run.files.certificate["assumptions"], "the builder is right"]}
    state = known(run.claim, stored, None, None, TRUST, "")
    assert (state.state, state.assumed) == ("assumed", ["the builder is right"])


@pytest.mark.parametrize("options", [
    ("--target", "x*mean(y)", "--eps", "1/4", "--method", "grid"),
    ("--target", "own-times-mean", "--eps", "1e-3", "--architecture", "linformer,performer", "--linformer-k", "2", "--seed", "3"),
    ("--target", "x[0]*mean(y[1])", "--d", "2", "--n", "2", "--eps", "1/3", "--domain=-1,0;0,1/3"),
    ("--target", "mean(y)*i/n", "--positional", "--eps", "1/4"),
    ("--target", "x*mean(y)", "--eps", "1/4", "--method", "grid", "--lipschitz", "2", "--code", "packed", "--precision",
     "float32")])
def test_the_printed_command_builds_the_same_weights(uat: Uat, options: tuple[str, ...]) -> None:
    assert uat("construct", *options, "--samples", "0", "--out", "run").code == 0
    run = open_run("run")
    printed = dict(commands(run.path, run.files.plan, run.claim.networks, 0))["Build the run again"]
    again = shlex.split(printed)[3:]
    assert uat(*again, "--samples", "0", "--out", "again").code == 0, printed
    first, second = read_run(Path("run")).certificate, read_run(Path("again")).certificate
    assert first["sha256"] == second["sha256"], printed
    assert first["claim"] == second["claim"]


def test_the_stored_architectures_are_run_and_not_built_again(uat: Uat) -> None:
    runs.constructed(uat)
    run = open_run("run")
    tokens = run.probes(0)
    for architecture in run.architectures:
        assert abs(run.attended(architecture, tokens) - run.sumformer(tokens)).max() < 1e-12
    run.files.arrays["transformer.readout.weight"][:] *= 2  # type: ignore[index]
    damaged = open_run("run")
    damaged.files.arrays["transformer.readout.weight"][:] *= 2  # type: ignore[index]
    assert abs(damaged.attended(damaged.architectures[0], tokens) - run.sumformer(tokens)).max() > 1e-3


def test_the_ruler_puts_numbers_in_their_order() -> None:
    places = ruler(Fraction(3, 1000), Fraction(9, 1000), Fraction(1, 100))
    assert 0 < places["found"] < places["bound"] < places["eps"] < 100
    assert [tick["at"] for tick in places["ticks"]] == sorted(tick["at"] for tick in places["ticks"])
    assert ruler(None, None, Fraction(1))["found"] is None


GOOD = ('<html lang="en"><head><title>t</title></head><body><header><h1>a</h1></header><nav>b</nav><main><h2>c</h2>'
        '<div role="region" aria-label="t" tabindex="0"><table><tr><th scope="col">x</th></tr></table></div>'
        '<svg role="img" aria-labelledby="p q"><title id="p">t</title><desc id="q">d</desc></svg></main><footer>e</footer></body>'
        '</html>')


@pytest.mark.parametrize(("before", "after"), [
    (' lang="en"', ""), ("<h2>c</h2>", "<h3>c</h3>"), ("<h2>c</h2>", "<h1>c</h1>"), (' scope="col"', ""), (' tabindex="0"', ""),
    (' id="q"', ""), ('id="q"', 'id="p"'), ("<nav>b</nav>", "b"), ("<h2>c</h2>", '<h2>c</h2><img src="https://example.org/x">'),
    ("<h2>c</h2>", "<h2>c</h2><script>1</script>"), ("<h2>c</h2>", '<h2>c</h2><a href="#nowhere">x</a>'), ("</main>", "")])
def test_what_is_wrong_with_a_page_is_noticed(before: str, after: str) -> None:
    assert problems(GOOD) == []
    assert problems(GOOD.replace(before, after, 1))


def test_text_has_enough_contrast_in_light_and_dark() -> None:
    style = (Path(__file__).parents[3] / "uat" / "report" / "page.css").read_text()
    for block in re.findall(r":root \{(.*?)\}", style, re.S):
        colours = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", block))
        for name in ("text", "muted", "link", "proved", "amber", "red", "grey"):
            for back in ("back", "soft"):
                assert contrast(colours[name], colours[back]) >= 4.5, (name, back)
        for name in ("found", "true", "shade", "proved", "amber", "red"):  # bars
            assert contrast(colours[name], colours["back"]) >= 3, name


def contrast(first: str, second: str) -> float:
    """The contrast ratio of WCAG 2."""
    light = sorted((luminance(first), luminance(second)))
    return (light[1] + 0.05) / (light[0] + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[k:k + 2], 16) / 255 for k in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") < 4.5


def test_the_page_is_part_of_the_package() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    data = project["tool"]["setuptools"]["package-data"]["uat.report"]
    folder = Path(__file__).parents[3] / "uat" / "report"
    assert {path.name for path in folder.iterdir() if path.suffix in (".html", ".css")} == set(data)


