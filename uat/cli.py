"""The command line. Heavy imports happen inside the commands, so that help and refusals answer at once.

Exit codes: 0 certified and not contradicted; 1 refused, undecided or refuted by the mathematics; 2 bad input; 130 interrupted;
141 whoever read the output closed it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from constructions.errors import BadInput, Interrupted, Refused
from uat.output import OutputLost, guarded
from uat.printing import printable

INTERRUPTED = 130  # what typer leaves with after Ctrl-C
CLOSED = 141  # 128 + SIGPIPE, what a shell says of a program that a closed pipe ended
NO_MEMORY = "refused: not enough memory; a larger --eps, a shorter --n or a smaller --max-table needs less"
SEEDS = 2**63  # torch takes no more, numpy nothing below 0

app = typer.Typer(name="python -m uat", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="Explicit Transformer, Linformer, Performer and Sumformer weights for a continuous "
                       "permutation-equivariant function, with a proved error bound.",
                  epilog="Exit codes: 0 certified, or done; 1 refused, undecided or refuted; 2 bad input; 130 interrupted; "
                         "141 the output was closed, as by head.")


def _whole_number(text: str | int) -> int:
    """Read an integer; typer's own message would not repeat what was given."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r}: expected a whole number") from None


def _seed(seed: int) -> int:
    """Refuse what numpy or torch would not take as a seed."""
    if not 0 <= seed < SEEDS:
        raise BadInput(f"--seed {seed}: expected a whole number from 0 to 2^63 - 1")
    return seed


Target = Annotated[str, typer.Option(help="A name from `uat targets`, an expression such as 'x*mean(y)', or "
                                          "package.module:callable (then --lipschitz is required).")]
Eps = Annotated[str, typer.Option(help="Tolerance: sup-norm error over the whole domain, e.g. 1e-2 or 1/100.")]
N = Annotated[str | None, typer.Option(
    metavar="INTEGER[,..]", help="Number of tokens, at least 2; or several, such as 2,3,256: plan plans for each; of what "
                                 "construct builds, one for every n is sampled at each, any other is built for each. "
                                 "(default: the target's own, else 3)",
    show_default=False)]
Length = Annotated[int | None, typer.Option(
    "--n", parser=_whole_number, metavar="INTEGER", help="Length to sample at, for a run about every n. (default: the run's)",
    show_default=False)]
D = Annotated[int | None, typer.Option(
    parser=_whole_number, metavar="INTEGER", help="Coordinates a token. (default: the target's own, else those it names)",
    show_default=False)]
Domain = Annotated[str, typer.Option(help="LO,HI for every coordinate, or LO,HI;LO,HI;.. one pair a coordinate.")]
Method = Annotated[str, typer.Option(help="Construction: auto (the fewest parameters), grid, sum-decomposition, power-sums, "
                                          "order-statistics, or fit (a polynomial, its error proved by subdivision).")]
CodeName = Annotated[str, typer.Option("--code", help="Sum code: auto, positional, bose-chowla or packed.")]
Architectures = Annotated[str, typer.Option(
    "--architecture", help="all, sumformer, transformer, linformer, performer, performer-normalised; or several with commas.")]
Lipschitz = Annotated[str | None, typer.Option(
    help="Declare the Lipschitz constant (max norm to max norm) instead of deriving it; the certificate says so.",
    show_default=False)]
Precision = Annotated[str, typer.Option(help="Format the networks must run in without rounding: float64 or float32.")]
LinformerK = Annotated[int, typer.Option(parser=_whole_number, metavar="INTEGER", help="Rows of the Linformer's E and F.")]
Features = Annotated[int, typer.Option(
    "--performer-features", parser=_whole_number, metavar="INTEGER", help="Random features of the Performer.")]
MaxTable = Annotated[int, typer.Option(parser=_whole_number, metavar="INTEGER", help="Largest number of table entries to build.")]
MaxLatent = Annotated[int, typer.Option(
    parser=_whole_number, metavar="INTEGER", help="Largest latent dimension d' of a continuous construction.")]
Positional = Annotated[bool, typer.Option("--positional", help="Give every token its position i/n as one coordinate more; the "
                                                               "target may use i, and j inside reductions.")]
Seed = Annotated[int, typer.Option(
    parser=_whole_number, callback=_seed, metavar="INTEGER", help="Seed of sampling and of the Performer's features.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, everything else on stderr.")]
Device = Annotated[str, typer.Option(help="Where to sample: auto, cpu or cuda.")]
Samples = Annotated[int | None, typer.Option(
    parser=_whole_number, metavar="INTEGER", show_default=False,
    help="Sequences to sample; 0 to skip. (default: 1,000,000, fewer where that would take long)")]
Looks = Annotated[int | None, typer.Option(
    "--samples", parser=_whole_number, metavar="INTEGER", show_default=False,
    help="Sequences to sample. (default: 10,000,000, fewer where that would take long)")]
ImportCallable = Annotated[bool, typer.Option("--import-callable", help="Import and call the Python callable the run names.")]
OptionalRun = Annotated[str | None, typer.Argument(help="A run directory written by construct.", show_default=False)]
Approximated = Annotated[str | None, typer.Option(
    "--target", help="With --network: a name or an expression.", show_default=False)]
Network = Annotated[str | None, typer.Option(
    help="A trained Sumformer instead of a run: safetensors with phi.K.weight, phi.K.bias, psi.K.weight, psi.K.bias, linear maps "
         "with ReLU between them; or two ONNX files, phi.onnx,psi.onnx.", show_default=False)]
PhiOfTrained = Annotated[str | None, typer.Option(
    "--phi", help="With --network: file, or monomials where phi is the first ones of the token in graded order: FILE has psi "
                  "alone, whose inputs say how many. (default: file)", show_default=False)]
Pooling = Annotated[str | None, typer.Option(
    help="With --network: what psi reads of phi beside the own token, mean or sum. (default: mean)", show_default=False)]
DOfTrained = Annotated[int | None, typer.Option(
    "--d", parser=_whole_number, metavar="INTEGER",
    help="With --network: coordinates a token. (default: the target's own, else those it names)", show_default=False)]
DomainOfTrained = Annotated[str | None, typer.Option(
    "--domain", help="With --network: LO,HI for every coordinate, or LO,HI;LO,HI;.. one pair a coordinate. (default: 0,1)",
    show_default=False)]
CertifyMethod = Annotated[str, typer.Option(
    "--method", help="auto: the proof that belongs to the construction; subdivision: ||f - T|| over boxes of sequences, from "
                     "nothing but the weights and the expression, for one length of few tokens.")]
CertifyLength = Annotated[int | None, typer.Option(
    "--n", parser=_whole_number, metavar="INTEGER", help="Subdivision: number of tokens. (default: the run's)",
    show_default=False)]
Bound = Annotated[str | None, typer.Option(help="Subdivision: bound to prove. (default: the run's eps)", show_default=False)]
Seconds = Annotated[str | None, typer.Option(
    help="Subdivision: stop after so many seconds with the best bound so far. (default: none)", show_default=False)]
Checkpoint = Annotated[str | None, typer.Option(
    help="Subdivision: file the state is kept in; an interrupted search goes on from there.", show_default=False)]
ExecutorName = Annotated[str | None, typer.Option(
    "--executor", show_default=False,
    help="Subdivision: where boxes are judged: here, processes[:K] (which start when it has lasted a second) or dask:ADDRESS. "
         "(default: processes, and here beside a GPU)")]
SearchedBy = Annotated[str | None, typer.Option(
    "--executor", show_default=False,
    help="Where sequences are looked at: here (in threads), processes[:K] (which start when it has lasted 8 seconds) or "
         "dask:ADDRESS. (default: processes, and here beside a GPU)")]
JudgedOn = Annotated[str, typer.Option(
    "--device", help="Subdivision: what judges boxes: auto, cpu or cuda; the certificate says what it assumes of a GPU.")]
Steps = Annotated[list[str] | None, typer.Argument(metavar="STEP", help="Ids of proof steps. (default: all)",
                                                   show_default=False)]
Upto = Annotated[list[str] | None, typer.Option("--upto", metavar="ID", help="A step and everything it rests on.",
                                                show_default=False)]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="ID", help="A step alone.", show_default=False)]
Profile = Annotated[str, typer.Option(help="fast: what `make test` runs; full: larger ranges and more cases.")]
Jobs = Annotated[int | None, typer.Option(
    parser=_whole_number, metavar="INTEGER", help="Processes. (default: one a core)", show_default=False)]
Phi = Annotated[str | None, typer.Option(
    "--phi", metavar="FILE", help="A continuous feature map [0, 1] -> R, safetensors of nn.Sequential with ReLU or "
                                  "package.module:callable: two sequences that it confuses.", show_default=False)]
Svg = Annotated[str | None, typer.Option("--svg", metavar="FILE", help="Draw the proof, coloured by status.", show_default=False)]
Mermaid = Annotated[bool, typer.Option("--mermaid", help="Print the proof as Mermaid text instead of a table.")]
InstanceRun = Annotated[str | None, typer.Option(
    "--run", metavar="RUN", help="A run directory: every constant of the proof for this network.", show_default=False)]
TableNames = Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Tables; none lists them.", show_default=False)]
EveryTable = Annotated[bool, typer.Option("--all", help="Every table.")]
TableFolder = Annotated[str | None, typer.Option(
    metavar="DIR", help="Write the tables and their records (tables.json) into a folder. (default: print)", show_default=False)]
TableFormat = Annotated[str | None, typer.Option(
    "--format", help="latex, markdown, csv or all. (default: all with --out, else a table for the terminal)", show_default=False)]
TableRecords = Annotated[str | None, typer.Option(
    metavar="DIR", help="Print from the records in a folder, such as an earlier --out; what is not there is computed.",
    show_default=False)]
Effort = Annotated[str, typer.Option("--profile", help="fast: minutes; full: more cases, smaller tolerances, finer maps.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Run every step, also those whose sources have not changed.")]
ExperimentName = Annotated[str, typer.Argument(
    metavar="NAME", help="figure-1, figure-2 (the paper's), train-versus-construct or length.", show_default=False)]
ExperimentProfile = Annotated[str, typer.Option(
    "--profile", help="small: minutes on two cores; full: for a GPU; train-versus-construct also fast.")]
ExperimentDevice = Annotated[str, typer.Option("--device", help="Where to train and search: auto, cpu or cuda.")]
ExperimentSeed = Annotated[int, typer.Option(
    "--seed", parser=_whole_number, callback=_seed, metavar="INTEGER", help="Seed of weights, batches, examples and searches.")]
ExperimentOut = Annotated[str | None, typer.Option(
    "--out", help="New directory for the record and the states of trainings. (default: runs/experiment-NAME-PROFILE)",
    show_default=False)]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the interrupted experiment in --out DIR.")]
BenchTarget = Annotated[str, typer.Option("--target", help="A name or an expression made of means: one network for every n.")]
BenchEps = Annotated[str, typer.Option("--eps", help="Tolerance of the network that is timed.")]
BenchProfile = Annotated[str, typer.Option("--profile", help="fast: n = 2^6 .. 2^14, under a minute; full: to 2^18, minutes.")]
Lengths = Annotated[str | None, typer.Option(
    metavar="INTEGER[,..]", help="Sequence lengths. (default: the profile's)", show_default=False)]
BenchDevice = Annotated[str, typer.Option("--device", help="Where to time: auto, cpu (one thread) or cuda.")]
Dtype = Annotated[str, typer.Option(help="Number formats, float64 or float32, or both with a comma.")]
BenchSeed = Annotated[int, typer.Option(
    "--seed", parser=_whole_number, callback=_seed, metavar="INTEGER",
    help="Seed of the tokens and of the Performer's features.")]
RecordOut = Annotated[str | None, typer.Option(
    "--out", metavar="FILE", help="Write the JSON record (uat-bench/1) that tables and reports read.", show_default=False)]
Run = Annotated[str, typer.Argument(help="A run directory written by construct.", show_default=False)]
FigureNames = Annotated[list[str] | None, typer.Argument(
    metavar="NAME", help="band, error-map, budget, parameters, proof, cost, figure-2, training.", show_default=False)]
Everything = Annotated[bool, typer.Option("--all", help="Every figure.")]
FigureRun = Annotated[str | None, typer.Option(
    "--run", metavar="RUN", help="The run directory that band, error-map and budget are about.", show_default=False)]
Records = Annotated[str | None, typer.Option(
    metavar="DIR", help="Folder with records (docs/formats.md): figures are drawn from these, the others are computed.",
    show_default=False)]
FigureFormats = Annotated[str, typer.Option("--format", metavar="pdf,png", help="Files to write.")]
Page = Annotated[str | None, typer.Option(
    "--out", metavar="FILE.html", help="File to write. (default: RUN.html)", show_default=False)]
PageSamples = Annotated[int, typer.Option(
    "--samples", parser=_whole_number, metavar="INTEGER", help="Sequences to search for the worst error; 0 to skip.")]
NoRecheck = Annotated[bool, typer.Option("--no-recheck", help="Show the certificate as stored, without proving it again; the "
                                                              "page says so.")]


@app.command()
def targets(json_: Json = False) -> None:
    """List the named targets: formula, n, d and why each one matters."""
    from uat import show

    show.targets(json_)


@app.command()
def plan(target: Target, eps: Eps, n: N = None, d: D = None, domain: Domain = "0,1", method: Method = "auto",
         code: CodeName = "auto", architecture: Architectures = "all", lipschitz: Lipschitz = None,
         precision: Precision = "float64", linformer_k: LinformerK = 1, features: Features = 4, max_table: MaxTable = 2**24,
         max_latent: MaxLatent = 1024, positional: Positional = False, json_: Json = False) -> None:
    """List every construction with latent dimension, parameters and depth, or why it does not apply; --method grid in detail."""
    from uat import commands
    from uat.request import Request

    request = Request(target, eps, n, d, domain, method, code, architecture, lipschitz, precision, linformer_k, features,
                      max_table, max_latent, positional)
    raise typer.Exit(commands.plan(request, as_json=json_))


@app.command()
def construct(target: Target, eps: Eps, n: N = None, d: D = None, domain: Domain = "0,1", method: Method = "auto",
              code: CodeName = "auto", architecture: Architectures = "all", lipschitz: Lipschitz = None,
              precision: Precision = "float64", linformer_k: LinformerK = 1, features: Features = 4, max_table: MaxTable = 2**24,
              max_latent: MaxLatent = 1024, positional: Positional = False,
              out: Annotated[str | None, typer.Option(help="New run directory. (default: runs/NAME)", show_default=False)] = None,
              samples: Samples = None, device: Device = "auto", seed: Seed = 0, json_: Json = False) -> None:
    """Write the weights, prove the bound, and look for a counterexample."""
    from uat import commands
    from uat.request import Request

    request = Request(target, eps, n, d, domain, method, code, architecture, lipschitz, precision, linformer_k, features,
                      max_table, max_latent, positional, seed)
    raise typer.Exit(commands.construct(request, out=out, samples=samples, device=device, as_json=json_))


@app.command()
def certify(run: OptionalRun = None, method: CertifyMethod = "auto", n: CertifyLength = None, bound: Bound = None,
            seconds: Seconds = None, checkpoint: Checkpoint = None, executor: ExecutorName = None, device: JudgedOn = "cpu",
            network: Network = None, target: Approximated = None, d: DOfTrained = None, domain: DomainOfTrained = None,
            pooling: Pooling = None, phi: PhiOfTrained = None, import_callable: ImportCallable = False, json_: Json = False
            ) -> None:
    """Re-prove the bound of a run directory, or prove one of a trained network, from weights and target text alone."""
    from uat import commands
    from uat.request import Subdivision, Trained

    if method not in ("auto", "subdivision"):
        raise BadInput(f"--method {method!r}: expected auto or subdivision")
    asked = Subdivision(n, bound, seconds, checkpoint, executor, device)
    if run is None and network is not None and target is not None:
        domain, pooling, phi = (default if given is None else given
                                for given, default in ((domain, "0,1"), (pooling, "mean"), (phi, "file")))
        trained = Trained(network, target, d, domain, pooling, phi)
        raise typer.Exit(commands.subdivide(trained, asked, as_json=json_))
    if run is None or network is not None or target is not None:
        raise BadInput("missing argument: expected a run directory, or --network FILE with --target T and --bound B")
    _given_in_vain({"--d": d, "--domain": domain, "--pooling": pooling, "--phi": phi}, "--network, a run has its own")
    if method == "subdivision":
        raise typer.Exit(commands.subdivide(run, asked, as_json=json_))
    _given_in_vain({"--n": n, "--bound": bound, "--seconds": seconds, "--checkpoint": checkpoint, "--executor": executor,
                    "--device": None if device == "cpu" else device}, "--method subdivision")
    raise typer.Exit(commands.certify(run, import_callable=import_callable, as_json=json_))


def _given_in_vain(options: Mapping[str, object], about: str) -> None:
    """Refuse an option that would change nothing, for what it asks for would be taken as done."""
    for option, value in options.items():
        if value is not None:
            raise BadInput(f"{option} {value}: is about {about}")


@app.command()
def sample(run: Run, samples: Looks = None, device: Device = "auto", seed: Seed = 0, n: Length = None,
           executor: SearchedBy = None, import_callable: ImportCallable = False, json_: Json = False) -> None:
    """Search a run directory for its worst error; a sampled error above the certified bound is a refutation."""
    from uat import commands

    raise typer.Exit(commands.sample(run, samples=samples, device=device, seed=seed, import_callable=import_callable,
                                     as_json=json_, n=n, executor=executor))


@app.command()
def check(steps: Steps = None, upto: Upto = None, only: Only = None, profile: Profile = "full", device: Device = "cpu",
          seed: Seed = 0, phi: Phi = None, svg: Svg = None, mermaid: Mermaid = False, jobs: Jobs = None,
          no_cache: NoCache = False, run: InstanceRun = None, import_callable: ImportCallable = False,
          json_: Json = False) -> None:
    """Run the proof of the theorem step by step: what is proved, cited or sampled, and what is printed but false.

    Exit code 0 only if every step comes out as expected, the refuted ones refuted.
    """
    from uat import check as checking

    request = checking.CheckRequest(tuple(steps or ()), tuple(upto or ()), tuple(only or ()), profile, device, seed,
                                    phi, svg, mermaid, jobs, not no_cache, run, import_callable)
    raise typer.Exit((checking.check if run is None else checking.check_run)(request, as_json=json_))


@app.command()
def figures(out: Annotated[str, typer.Option(metavar="DIR", help="Folder to write to; it is made.", show_default=False)],
            names: FigureNames = None, everything: Everything = False, run: FigureRun = None, records: Records = None,
            file_format: FigureFormats = "pdf,png", profile: Effort = "fast", seed: Seed = 0,
            import_callable: ImportCallable = False) -> None:
    """Draw the figures of the appendix as PDF and PNG, each with its data beside it, so that it can be drawn again.

    Exit code 1 where a record is missing; the command that makes it is named.
    """
    from uat.figures import command

    raise typer.Exit(command.figures(command.FiguresRequest(tuple(names or ()), everything, out, run, records, file_format,
                                                            profile, seed, import_callable)))


@app.command()
def report(run: Run, out: Page = None, samples: PageSamples = 20_000, seed: Seed = 0, no_recheck: NoRecheck = False,
           import_callable: ImportCallable = False) -> None:
    """Write one HTML page about a run: what is proved, what that rests on, how to check it; proves it again first."""
    from uat.report import command

    raise typer.Exit(command.report(run, out=out, samples=samples, seed=seed, recheck=not no_recheck,
                                    import_callable=import_callable))


@app.command()
def tables(names: TableNames = None, every: EveryTable = False, out: TableFolder = None, format_: TableFormat = None,
           profile: Effort = "fast", records: TableRecords = None, device: Device = "cpu", seed: Seed = 0,
           json_: Json = False) -> None:
    """Print tables for a paper from records of runs: latent dimensions, budgets, errors, codes, costs, proof steps, errata."""
    from uat.tables import command

    request = command.TablesRequest(tuple(names or ()), every, out, format_, profile, records, seed, device)
    raise typer.Exit(command.tables(request, as_json=json_))


@app.command()
def experiment(name: ExperimentName, profile: ExperimentProfile = "small", device: ExperimentDevice = "auto",
               seed: ExperimentSeed = 0, out: ExperimentOut = None, resume: Resume = False, json_: Json = False) -> None:
    """Train networks as the paper does, or against the constructed one: relative L2 and worst errors."""
    from uat import experiment as experimenting

    request = experimenting.ExperimentRequest(name, profile, device, seed, out, resume)
    raise typer.Exit(experimenting.experiment(request, as_json=json_))


@app.command()
def bench(target: BenchTarget = "f", eps: BenchEps = "1e-2", profile: BenchProfile = "fast", lengths: Lengths = None,
          device: BenchDevice = "cpu", dtype: Dtype = "float64,float32", seed: BenchSeed = 0, out: RecordOut = None,
          json_: Json = False) -> None:
    """Time one certified function as every architecture, and torch's attention of the same width, against sequence length."""
    from uat.benchmarks import command

    request = command.BenchRequest(target, eps, profile, lengths, device, dtype, seed)
    raise typer.Exit(command.bench(request, out=out, as_json=json_))


def main() -> None:
    """Run the command line; a user's mistake ends in one message, never in a traceback."""
    try:
        with guarded():
            app()
    except OutputLost as lost:
        _leave("" if lost.closed else f"error: {lost}", CLOSED if lost.closed else 2)
    except BadInput as error:
        _leave(f"error: {error}", 2)
    except Refused as error:
        _leave(f"refused: {error}", 1)
    except Interrupted as error:
        _leave(f"interrupted: {error}", INTERRUPTED)
    except SystemExit as leaving:
        _leave("interrupted: nothing was written" if leaving.code == INTERRUPTED else "", leaving.code)
    except MemoryError:
        _leave(NO_MEMORY, 1)
    except RuntimeError as error:
        if not any(words in str(error) for words in ("can't allocate memory", "out of memory")):  # torch has no type for it
            raise
        _leave(NO_MEMORY, 1)
    except OSError as error:  # a name that is too long, a disk that fails: the place was the user's
        _leave(f"error: {error.filename or 'a file'}: {error.strerror or error}", 2)


def _leave(message: str, code: str | int | None) -> None:
    if message:
        print(printable(message), file=sys.stderr)
    raise SystemExit(code)
