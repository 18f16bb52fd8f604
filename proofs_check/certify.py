"""Re-prove the claim of a run directory from its weights and its target text alone (mathematics: section 6, route b).

    domain -> cells -> decoding -> modulus -> values -> pooling -> floating point -> conclusion

Nothing of the builder is used: thresholds, codes and sums are enumerated exactly, table values are held against balls, the
Lipschitz constant is proved again by interval subdivision, attention weights are multiplied out over the rationals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from constructions.domains import Box
from constructions.errors import BadInput
from constructions.number_formats import exact_number
from constructions.progress import Report, counting, silent
from constructions.storage import MEAN_FORMAT
from constructions.targets.target import AnyTarget, CallableTarget, Target
from proofs_check.architecture_check import check_architecture, pooling_step
from proofs_check.companions import SUMFORMER, for_every_network
from proofs_check.definedness import ID, defined_by, definedness_step
from proofs_check.floating_point import evaluation_gap
from proofs_check.kernel import Claim, Status, Step, Verdict, conclude, decimal_above, derive
from proofs_check.lifted_roots import LIFTED, lifted_steps, stored_lifted
from proofs_check.modulus import check_lipschitz
from proofs_check.propositions import SEQUENCE, TARGET, Defined, Evaluated, Lipschitz, Near
from proofs_check.run_files import RunFiles, understanding
from proofs_check.step_network import Axis, Enumeration, Rejected, StoredNode, enumerate_network, quantisers, stored_nodes
from proofs_check.table_values import largest_value_error

TRUST = (
    "the parser and syntax tree of the target language give the text its meaning",
    "IEEE 754 double precision; numpy's elementary functions err by less than the ulps stated in docs/trust.md",
    "python-flint (Arb) balls contain the true values",
)

MIDDLES = "middles"  # the sequence with each token moved to the middle of its cell


def certify(run: RunFiles, report: Report = silent, max_boxes: int | None = None,
            import_callable: bool = True) -> Verdict:
    """Return a certificate for the stored claim, or what is missing, or what is false.

    Args:
        run: contents of a run directory whose hashes agree.
        report: called with (stage, done, total) for progress; total 0 when it is unknown.
        import_callable: whether a callable that the run names may be imported, which runs its code.
        max_boxes: budget of the Lipschitz proof; by default less for more coordinates, so that it ends within minutes.

    Raises:
        BadInput: the files do not have the documented structure.
    """
    with understanding("run directory"):
        claim, plan = Claim.from_json(run.certificate["claim"]), run.plan
        target = read_target(plan, import_callable)
        if run.network.get("format") == MEAN_FORMAT:
            from proofs_check.continuous import continuous_steps

            return conclude(claim, continuous_steps(run, claim, target, report), TRUST)
        if claim.every_n:
            raise ValueError("a step-network is for one n")
        if max_boxes is None:
            max_boxes = int(2_000_000 / max(1.0, target.n * target.d / 4) ** 3) + 100
        checker = _Checker(run, claim, plan, target, report, max_boxes)
        checker.run_all()
    return conclude(claim, checker.steps, TRUST, floating_point=plan["number_format"] != "exact")


def read_target(plan: Mapping[str, Any], import_callable: bool) -> AnyTarget:
    """Rebuild the target from the text in ``plan.json``.

    Raises:
        BadInput: the run names a Python callable and importing it was not allowed.
    """
    ends = [(exact_number(a), exact_number(b)) for a, b in plan["domain"]]
    positional = plan.get("positional", False) is True
    if positional and ends[-1] != (Fraction(0), Fraction(1)):
        raise ValueError(f"positions i/n on [{ends[-1][0]}, {ends[-1][1]}] in the place of [0, 1]")
    box = Box(tuple(a for a, _ in ends), tuple(b for _, b in ends))
    n = int(plan["n"])
    if plan["callable"]:
        if not import_callable:
            raise BadInput(f"the run's target is the Python callable {plan['expression']!r}, and importing it runs its code; "
                           f"pass --import-callable if you trust it")
        return CallableTarget.load(str(plan["expression"]), n=n, box=box)
    return Target.from_text(str(plan["expression"]), n=n, box=box, name=str(plan["target"]),
                            positional=positional)


def is_about(claim: Claim, target: AnyTarget) -> bool:
    """Whether a claim is about this target, at its length and on its domain."""
    stated = (claim.target, claim.expression, claim.n, claim.d, claim.d_out, claim.domain)
    return stated == (target.name, target.text, target.n, target.d, target.d_out, target.box.sides)


@dataclass
class _Checker:
    run: RunFiles
    claim: Claim
    plan: Mapping[str, Any]
    target: AnyTarget
    report: Report
    max_boxes: int
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lifted = stored_lifted(self.plan, self.target)
        self.tabulated, self.name = (self.lifted, LIFTED) if self.lifted else (self.target, TARGET)

    def run_all(self) -> None:
        """Run every step; the first rejection ends the run, what it would have fed is then missing."""
        self._check_claim()
        try:
            nodes = stored_nodes(self.run.network, self.run.arrays, self.run.exact)
            axes, covers = self._quantiser_covers(nodes)
            enumeration, decoded = self._decode(axes, nodes, covers)
            heads, evaluation = self._architectures(enumeration, nodes)
        except Rejected as rejected:
            self._found(Step("network", str(rejected), Status.REFUTED))
            return
        radius, modulus = max(axis.radius for axis in axes), self._modulus()
        defined = self._defined(modulus)
        instead = self._lifted(defined)
        moved = self._found(derive("composition", [covers, modulus], id="piecewise-constant-error",
                                   statement=f"every token is within {decimal_above(radius)} of its cell's middle"))
        below = (decoded,) if evaluation.says else (decoded, evaluation)  # where nothing is claimed the proof says so
        values = self._values(axes, enumeration, below)
        if all(step.says is not None for step in (*instead, values)):
            self.steps += for_every_network([*instead, moved], values, heads, [evaluation])

    def _found(self, step: Step) -> Step:
        self.steps.append(step)
        return step

    def _check_claim(self) -> None:
        claim, listed = self.claim, ("sumformer", *self.run.network["architectures"])
        if (not is_about(claim, self.target) or int(self.run.network["n"]) != claim.n or tuple(claim.networks) != listed
                or claim.bound < 0):
            self._found(Step("claim", "the claim is about another target, domain or network than the one stored",
                             Status.REFUTED))

    def _quantiser_covers(self, nodes: list[StoredNode]) -> tuple[list[Axis], Step]:
        axes, self.inner = quantisers(nodes, self.claim.domain)
        cells = " x ".join(str(len(axis.middles)) for axis in axes)
        radius = max(axis.radius for axis in axes)
        return axes, self._found(Step("quantiser-covers", f"each point of the closed box lies in exactly one of {cells} cells",
                                      Status.PROVED, says=Near(SEQUENCE, MIDDLES, radius, self.claim.scope)))

    def _decode(self, axes: list[Axis], nodes: list[StoredNode], covers: Step) -> tuple[Enumeration, Step]:
        self.report("following all inputs through the network", 0, 0)
        enumeration = enumerate_network(axes, self.inner, self.run.network, self.claim.n)
        if enumeration.outputs.shape[1] != self.claim.d_out or not np.all(np.isfinite(enumeration.outputs)):
            raise Rejected(f"the network has {enumeration.outputs.shape[1]} outputs, expected {self.claim.d_out} finite ones")
        return enumeration, self._found(Step(
            "decode-left-inverse", f"{len(enumeration.cells)} pairs of own cell and multiset of the others followed exactly "
            f"through thresholds, codes and sums", Status.PROVED, premises=(covers,)))

    def _architectures(self, enumeration: Enumeration, nodes: list[StoredNode]) -> tuple[list[Step], Step]:
        """Return a step for each architecture, and what is known of all networks in floating point."""
        heads, slots, number_format = [], 0, str(self.plan["number_format"])
        ends = [abs(end) for pair in self.claim.domain for end in pair]
        largest = float(max([Fraction(enumeration.largest_integer), *ends]))
        for name, description in self.run.network["architectures"].items():
            slots = max(slots, check_architecture(name, description, self.run.arrays, nodes, self.run.network, self.claim.n,
                                                  number_format, largest, enumeration.smallest_code < 0))
            heads.append(self._found(Step(
                pooling_step(name), f"{name}: attention is exactly Sigma, blocks compute phi and psi", Status.PROVED,
                says=Near(SUMFORMER, name, Fraction(0), self.claim.scope))))
        if number_format == "exact":
            return heads, self._found(Step(
                "evaluation", "sums are taken over exact integers; nothing is claimed of floating point",
                Status.UNDECIDED if heads else Status.PROVED))
        gap = evaluation_gap(enumeration, nodes, number_format, self.claim.n, slots)
        return heads, self._found(Step(
            "evaluation", gap or f"in {number_format} all networks agree bit for bit with real arithmetic",
            Status.UNDECIDED if gap else Status.PROVED, says=Evaluated(self.claim.networks, Fraction(0), None),
            premises=tuple(heads)))

    def _modulus(self) -> Step:
        lipschitz = exact_number(self.plan["lipschitz"])
        says = Lipschitz(self.name, lipschitz, self.claim.scope)
        if isinstance(self.tabulated, CallableTarget) or (self.plan["lipschitz_declared"] and not self.lifted):
            return self._found(Step("modulus", f"Lipschitz constant {lipschitz} as declared", Status.ASSUMED, assumption=(
                f"{self.target.name} has Lipschitz constant at most {lipschitz} (declared, max norm to max norm)"), says=says))
        box = self.tabulated.box
        found = check_lipschitz(self.tabulated.outputs, self.tabulated.n, self.tabulated.d, box.lower, box.upper, lipschitz,
                                max_boxes=self.max_boxes,
                                progress=lambda done, waiting: self.report("Lipschitz constant", done, done + waiting))
        status = {"certified": Status.CERTIFIED, "refuted": Status.REFUTED}.get(found.status, Status.UNDECIDED)
        detail = {Status.CERTIFIED: f"sup of the l1 norm of the gradient is at most {decimal_above(lipschitz)}",
                  Status.REFUTED: f"a slope above {float(lipschitz)} exists: {found.witness}",
                  }.get(status, f"Lipschitz constant {float(lipschitz)} not proved within {found.boxes} boxes")
        return self._found(Step("modulus", f"{detail} ({found.boxes} boxes)", status, says=says))

    def _defined(self, modulus: Step) -> Step:
        if isinstance(self.target, CallableTarget):
            return self._found(Step(ID, "a callable has a value for every sequence, as assumed of it", Status.ASSUMED,
                                    Fraction(0), f"{self.target.name} has a value for every sequence of the domain",
                                    Defined(TARGET, self.claim.scope)))
        step = definedness_step(self.target, self.claim)
        if step.status is Status.UNDECIDED and modulus.status is Status.CERTIFIED and not self.lifted:
            step = defined_by(modulus, "the slopes of f were enclosed on every box", self.claim.scope)
        return self._found(step)

    def _lifted(self, defined: Step) -> list[Step]:
        """Return the step |f - f with lifted roots| <= .., none where f itself is tabulated."""
        if self.lifted is None or not isinstance(self.target, Target):
            return []
        return list(map(self._found, lifted_steps(self.target, self.lifted, self.claim, defined)))

    def _values(self, axes: list[Axis], enumeration: Enumeration, below: tuple[Step, ...]) -> Step:
        mesh = np.meshgrid(*(axis.middles for axis in axes), indexing="ij")
        middles = np.stack([m.ravel() for m in mesh], axis=-1)
        claimed, total = exact_number(self.plan["value_radius"]), len(enumeration.cells)
        if isinstance(self.tabulated, CallableTarget):
            return self._callable_values(middles, enumeration, claimed, below)
        counted = counting(self.report, "table values", total)
        try:
            error = largest_value_error(self.tabulated.outputs, middles, enumeration.cells, enumeration.outputs, counted)
        except ArithmeticError as problem:
            return self._found(Step("value-rounding", str(problem), Status.UNDECIDED))
        return self._compare_values(error, claimed, f"{total} table values enclosed in balls", Status.CERTIFIED, "", below)

    def _callable_values(self, middles: np.ndarray, enumeration: Enumeration, claimed: Fraction, below: tuple[Step, ...]) -> Step:
        worst = 0.0
        for start in range(0, len(enumeration.cells), 2**16):
            part = slice(start, start + 2**16)
            values = self.target.numpy(middles[enumeration.cells[part]], slice(0, 1))[:, 0]
            if values.shape != enumeration.outputs[part].shape or not np.all(np.isfinite(values)):
                return self._found(Step("value-rounding", f"{self.target.name} is not finite at a cell middle", Status.UNDECIDED))
            worst = max(worst, float(np.abs(values - enumeration.outputs[part]).max()))
            self.report("table values", start, len(enumeration.cells))
        return self._compare_values(Fraction(np.nextafter(worst, np.inf).item()), claimed,
                                    "table values compared with the callable", Status.ASSUMED,
                                    f"the float64 values returned by {self.target.name} are its exact values", below)

    def _compare_values(self, error: Fraction, claimed: Fraction, what: str, status: Status, assumption: str,
                        below: tuple[Step, ...]) -> Step:
        if error > claimed:
            return self._found(Step("value-rounding", f"a table value is {decimal_above(error)} away from {self.name} at its "
                                    f"cell middle, claimed {decimal_above(claimed)}", Status.UNDECIDED))
        return self._found(Step("value-rounding", f"{what}: within {decimal_above(claimed)} of {self.name}", status, claimed,
                                assumption, Near(f"{self.name}({MIDDLES})", SUMFORMER, claimed, self.claim.scope), below))
