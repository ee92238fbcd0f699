"""Where Q/DQ pairs go, and why: one decision per edge that was considered."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from onnxq.core.graph import GraphView, Site
from onnxq.core.names import without_names
from onnxq.core.spec import PerTensor, Spec
from onnxq.core.table import Table
from onnxq.errors import PlanError, near_misses

VERSION = 1

READ_BACK = "it reads back what the kernel in front of it writes as integers"
"""The reason for a pair whose reader computes in float."""

SKIPPED = "skipped on request"
"""The reason for what a rule skips."""


@dataclass(frozen=True)
class Decision:
    """What becomes of one edge.

    Attributes:
        site: the edge.
        spec: how it is stored, None if it stays in float.
        reason: a sentence.
        source: where the rule behind it is documented.
        op: the operator that reads the edge.
        calibrator: how its scale is chosen, such as "entropy" or "percentile 99.9"; None as for the whole recipe.
        rule: the selectors of the recipe's rules that made it so, empty without one.
    """

    site: Site
    spec: Spec | None
    reason: str
    source: str
    op: str = ""
    calibrator: str | None = None
    rule: str = ""

    @property
    def kind(self) -> str:
        """The reason without the names in it, the same for all that share it."""
        return without_names(self.reason)

    @property
    def computes_integers(self) -> bool:
        """Whether the reader of the edge computes with the integers."""
        return self.spec is not None and self.reason != READ_BACK

    def to_json(self) -> dict[str, object]:
        """The decision as plain data."""
        return {
            "node": self.site.node,
            "op": self.op,
            "input": self.site.index,
            "tensor": self.site.tensor,
            "spec": self.spec and self.spec.to_json(),
            "reason": self.reason,
            "source": self.source,
            **({"calibrator": self.calibrator} if self.calibrator else {}),
            **({"rule": self.rule} if self.rule else {}),
        }


@dataclass(frozen=True, repr=False)
class Plan:
    """Every decision about a graph, in node order.

    Attributes:
        target: the name of the table that was interpreted.
        fingerprint: of the graph it was made for.
        decisions: at most one per edge.
        ties: groups of tensors that share one scale.
        residuals: names of the joins whose shortcut is quantized.
        fp32: names of nodes that compute in FP32 where they are not quantized, whatever the rest.
    """

    target: str
    fingerprint: str
    decisions: tuple[Decision, ...]
    ties: tuple[tuple[str, ...], ...] = ()
    residuals: tuple[str, ...] = ()
    fp32: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for site, count in Counter(decision.site for decision in self.decisions).items():
            if count > 1:
                raise PlanError(f"The plan decides {count} times on {site}. Keep one of these lines.")
        self._check_specs()
        self._check_calibrators()
        for name in self.residuals:
            if len(both := [d.site.tensor for d in self.quantized if d.site.node == name]) > 1:
                raise PlanError(
                    f"The residual join '{name}' may have one quantized operand, the shortcut, but the plan quantizes "
                    f"{both}. Set the spec of the other to null."
                )

    def __repr__(self) -> str:
        return f"Plan({self.target}: {self.counts})"

    def _repr_html_(self) -> str:
        kinds = Counter((d.op, str(d.spec) if d.spec else "float", d.kind) for d in self.decisions)
        rows = tuple((count, *kind) for kind, count in kinds.most_common())
        return Table(f"Plan for {self.target}: {self.counts}", ("edges", "operator", "stored as", "why"), rows).html

    @property
    def counts(self) -> str:
        """How much is quantized, in words."""
        nodes = {decision.site.node for decision in self.quantized}
        return (
            f"{len(nodes)} nodes quantized: {len(self.activations)} activations, {len(self.weights)} weights, "
            f"{len(self.residuals)} residual shortcuts; {len(self.ties)} groups share a scale."
        )

    def _check_specs(self) -> None:
        """One activation is stored in one way."""
        specs: dict[str, tuple[Spec, str]] = {}
        for decision in self.quantized:
            if decision.spec is None or decision.spec.role == "weight":
                continue
            tensor, node = decision.site.tensor, decision.site.node
            spec, other = specs.setdefault(tensor, (decision.spec, node))
            if spec != decision.spec:
                raise PlanError(
                    f"Tensor '{tensor}' cannot be stored in two ways: as {spec} for node '{other}' and as "
                    f"{decision.spec} for node '{node}'. Give both the same spec."
                )

    def _check_calibrators(self) -> None:
        """Activations that share a scale are calibrated in one way."""
        first: dict[tuple[str, ...], Decision] = {}
        for decision in self.quantized:
            if decision.spec is None or decision.spec.role == "weight":
                continue
            other = first.setdefault(self.sharing[decision.site.tensor], decision)
            if other.calibrator != decision.calibrator:
                ways = " and ".join(
                    f"by {d.calibrator or 'the calibrator of the recipe'} for {d.site}" for d in (other, decision)
                )
                raise PlanError(f"One scale cannot be chosen in two ways: {ways}. Give both the same calibrator.")

    @cached_property
    def sharing(self) -> Mapping[str, tuple[str, ...]]:
        """For each quantized activation, those that share its scale, itself included, in order."""
        groups: dict[str, tuple[str, ...]] = {tensor: (tensor,) for tensor in self.activations}
        for tied in self.ties:
            members = tuple(tensor for tensor in tied if tensor in groups)
            if len(members) > 1:
                groups.update(dict.fromkeys(members, members))
        return groups

    @cached_property
    def quantized(self) -> tuple[Decision, ...]:
        """The decisions that put a Q/DQ pair on their edge."""
        return tuple(d for d in self.decisions if d.spec)

    @cached_property
    def refused(self) -> tuple[Decision, ...]:
        """The decisions that leave their edge in float."""
        return tuple(d for d in self.decisions if not d.spec)

    @cached_property
    def first_refusals(self) -> Mapping[str, Decision]:
        """For each node of which some edge stays in float, the first such decision."""
        return {decision.site.node: decision for decision in reversed(self.refused)}

    @cached_property
    def activations(self) -> tuple[str, ...]:
        """Quantized activation tensors, in graph order."""
        return tuple(dict.fromkeys(d.site.tensor for d in self.quantized if d.spec and d.spec.role == "activation"))

    @cached_property
    def weights(self) -> tuple[tuple[Site, Spec], ...]:
        """Quantized weights, by the edge on which they are read."""
        return tuple((d.site, d.spec) for d in self.quantized if d.spec and d.spec.role == "weight")

    def without(self, nodes: Iterable[str], reason: str = SKIPPED) -> Plan:
        """The plan with every edge into `nodes` left in float."""
        names = frozenset(nodes)
        return replace(
            self,
            decisions=tuple(
                replace(d, spec=None, calibrator=None, reason=reason, source="recipe")
                if d.spec and d.site.node in names
                else d
                for d in self.decisions
            ),
        )

    def skipping(self, nodes: Iterable[str], reason: str) -> Plan:
        """The same plan with another reason for what is skipped of `nodes`."""
        named = frozenset(nodes)
        skipped = {d.site for d in self.decisions if d.reason == SKIPPED and d.site.node in named}
        found = (replace(d, reason=reason) if d.site in skipped else d for d in self.decisions)
        return replace(self, decisions=tuple(found))

    def calibrated(self, calibrator: str | None) -> Plan:
        """The plan with one calibrator for all activations."""
        weights = frozenset(site for site, _ in self.weights)
        return replace(
            self,
            decisions=tuple(
                replace(d, calibrator=calibrator) if d.spec and d.site not in weights else d for d in self.decisions
            ),
        )

    def only(self, sites: Iterable[Site]) -> Plan:
        """The plan with nothing but the edges `sites` quantized."""
        kept = frozenset(sites)
        decisions = tuple(decision for decision in self.quantized if decision.site in kept)
        return replace(self, decisions=decisions, ties=(), residuals=())

    def to_json(self) -> str:
        """The plan as JSON text that a person can edit: a spec of null leaves its edge in float."""
        head = {"onnxq_plan": VERSION, "target": self.target, "model": self.fingerprint}
        rows = ",\n".join(f"    {json.dumps(decision.to_json())}" for decision in self.decisions)
        ties = ",\n".join(f"    {json.dumps(group)}" for group in self.ties)
        lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
        lines += [
            f'  "residuals": {json.dumps(self.residuals)},',
            *([f'  "fp32": {json.dumps(self.fp32)},'] if self.fp32 else []),
            f'  "ties": [\n{ties}\n  ],' if ties else '  "ties": [],',
        ]
        return "\n".join(["{", *lines, f'  "decisions": [\n{rows}\n  ]', "}"]) + "\n"

    @staticmethod
    def from_json(text: str, view: GraphView) -> Plan:
        """The plan in `text`, checked against the graph it is for.

        Raises:
            PlanError: the text is no plan, or names an edge, tensor or node that `view` does not have.
        """
        try:
            data = json.loads(text)
        except ValueError as cause:
            raise PlanError(f"The plan is no JSON: {cause}.") from cause
        if not isinstance(data, dict) or data.get("onnxq_plan") != VERSION:
            raise PlanError(f"This is no plan of onnxq: the key 'onnxq_plan' must be {VERSION}.")
        if data.get("model") != view.fingerprint:
            raise PlanError(
                f"The plan was made for another model: its fingerprint is {data.get('model')}, this model's is "
                f"{view.fingerprint}. Make a new one with `onnxq plan`."
            )
        try:
            return Plan(
                target=str(data["target"]),
                fingerprint=view.fingerprint,
                decisions=tuple(_decision(row, view) for row in data["decisions"]),
                ties=tuple(tuple(_known(t, view) for t in group) for group in data.get("ties", ())),
                residuals=tuple(str(name) for name in data.get("residuals", ())),
                fp32=tuple(_known_node(name, view) for name in data.get("fp32", ())),
            )
        except (KeyError, TypeError, AttributeError) as cause:
            raise PlanError(f"The plan lacks a part or holds something unexpected: {cause!r}.") from cause


def _known(tensor: object, view: GraphView) -> str:
    if isinstance(tensor, str) and (tensor in view.sites or tensor in view.producers):
        return tensor
    raise PlanError(
        f"The plan names the tensor {tensor!r}, which the model lacks.{near_misses(str(tensor), view.sites)}"
    )


def _known_node(name: Any, view: GraphView) -> str:
    if name in view.by_name:
        return str(name)
    raise PlanError(f"The plan names the node '{name}', which the model lacks.{near_misses(str(name), view.by_name)}")


def _decision(row: dict[str, Any], view: GraphView) -> Decision:
    site = Site(row["tensor"], _known_node(row["node"], view), row["input"])
    if site not in view.sites.get(site.tensor, ()):
        raise PlanError(
            f"The plan names {site}, but there is no such edge. Its inputs: {view.by_name[site.node].inputs}."
        )
    spec = None if row["spec"] is None else Spec.from_json(row["spec"])
    if spec and (spec.role == "weight") != view.is_constant(site.tensor):
        kind = "a constant" if view.is_constant(site.tensor) else "computed at run time"
        raise PlanError(f"The plan gives {site} the role '{spec.role}', but that tensor is {kind}.")
    if spec and spec.role == "activation" and spec.granularity != PerTensor():
        raise PlanError(f"The plan gives {site} several scales ({spec}). An activation has one: leave out 'axis'.")
    if spec and (dtype := view.dtype(site.tensor)) not in (None, "float32"):
        raise PlanError(f"The plan quantizes {site}, which holds {dtype}. Only float32 can be quantized.")
    if (calibrator := row.get("calibrator")) is not None and not isinstance(calibrator, str):
        raise PlanError(
            f"The plan calibrates {site} by {calibrator!r}. Give the name of a calibrator, or leave it out."
        )
    why, source, rule = (str(row.get(key, "")) for key in ("reason", "source", "rule"))
    return Decision(site, spec, why, source, view.by_name[site.node].op, calibrator, rule)
