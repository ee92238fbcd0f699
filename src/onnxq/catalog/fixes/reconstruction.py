"""Weights, biases and activation scales trained together, block by block, until each block computes what it did."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from onnxq.catalog.formats import FORMATS_BY_NAME
from onnxq.core.adam import Adam
from onnxq.core.batch import Tensors
from onnxq.core.block import Block, blocks
from onnxq.core.fix import Case, Fixed
from onnxq.core.front import Front, few_enough
from onnxq.core.graph import GraphView, Site
from onnxq.core.layer import Stored, layers, stored
from onnxq.core.linear import Floats
from onnxq.core.scales import Scales
from onnxq.core.tape import Tape, Values, codes, scale, shift

Example = tuple[Mapping[str, Floats], Floats]
"""What a block is fed in the quantized model, and what is to come of it."""


@dataclass(frozen=True)
class Reconstruction:
    """Gradient descent through Conv, Gemm, MatMul, Add, Relu, Clip and Q/DQ, as in AdaQuant and BRECQ.

    Rounding counts in gradients as if it were not there. What a block gains on samples that it was not trained with
    decides whether it is kept.

    Attributes:
        steps: of the descent, at most and at least.
        rows: samples in a step.
        work: multiplications in all, about: it limits the steps of large blocks.
        rates: how far the first steps go: in codes; in units of the output's deviation; in parts of a scale.
    """

    name: str = "reconstruction"
    doc: str = "trains weights, biases and activation scales of each layer or residual block together"
    preserves: bool = False
    steps: tuple[int, int] = (150, 24)
    rows: int = 8
    work: float = 1e11
    rates: tuple[float, float, float] = (0.03, 0.002, 0.001)

    def __call__(self, case: Case) -> Fixed:
        """See Fix."""
        found, left = layers(case, FORMATS_BY_NAME)
        pieces = blocks(case.view, found)
        feeds = few_enough(case.samples, case.view)
        here, there = Front(case.run, feeds), Front(case.run, feeds)
        now, gained = case, 0
        for number, block in enumerate(pieces):
            tick = partial(case.observer.advance, number, len(pieces))
            tick()
            here.advance(now.view, now.scales, _place(now.view, block.nodes[0].name))
            there.advance(case.reference, None, _place(case.reference, block.nodes[-1].name) + 1)
            better = self._better(now, block, list(self._examples(block, here, there)), self.work / len(pieces), tick)
            now, gained = _with(now, block, better), gained + bool(better)
        case.observer.advance(len(pieces), len(pieces))
        return Fixed(now.view, now.scales, (f"{gained} of {len(pieces)} blocks came closer.", *left))

    def _examples(self, block: Block, here: Front, there: Front) -> Iterator[Example]:
        for fed, wanted in zip(here.values, there.values, strict=True):
            given = {tensor: fed[tensor] for tensor in block.inputs}
            target = wanted[block.output]
            rows = len(target) if target.ndim else 1
            alike = all(array.ndim and len(array) == rows for array in given.values())
            for row in range(0, rows, self.rows) if alike else (0,):
                part = slice(row, row + self.rows) if alike else ...
                yield {tensor: array[part] for tensor, array in given.items()}, target[part]

    def _better(
        self, case: Case, block: Block, examples: Sequence[Example], work: float, tick: Callable[[], None]
    ) -> Tensors:
        """What makes a block better, as it is stored; nothing if it became no better."""
        deck = Tape(block, case.view, _stored(case, block))
        start = _parameters(case, block, deck)

        def found() -> Tensors:
            seen = [one for number, one in enumerate(examples) if number % 4 != 3]
            order = _drawn(len(seen), self._count(deck, start, seen[0], work), case.seed)
            after = self._descended(deck, start, [seen[one] for one in order], tick)
            aside = examples[3::4] or examples
            return _settled(block, after) if _noise(deck, after, aside) < _noise(deck, start, aside) else {}

        task = (self, case.seed, block, deck.constants, deck.stored, start, examples, work)
        return case.memory.recall(task, found)

    def _count(self, deck: Tape, start: Values, example: Example, work: float) -> int:
        """The steps that there is time for."""
        values = deck.play(example[0], start).values
        each = 3 * sum(layer.linear.multiplications(values[layer.node.outputs[0]]) for layer in deck.block.layers)
        return int(np.clip(work / each, self.steps[1], self.steps[0]))

    def _descended(self, deck: Tape, start: Values, examples: Sequence[Example], tick: Callable[[], None]) -> Values:
        """The parameters after a step for each of the examples."""
        parameters, adam = dict(start), Adam(start)
        power = float(np.mean([np.mean(np.square(target)) for _, target in examples])) + 1e-12
        for number, (given, target) in enumerate(examples):
            tick()
            played = deck.play(given, parameters)
            slope = (played.output - target) * np.float32(2 / (target.size * power))
            fade = 0.5 * (1 + np.cos(np.pi * number / len(examples)))
            for name, move in adam.steps(played.gradients(slope)).items():
                rate = np.float32(self._rate(name, np.sqrt(power)) * fade)
                parameters[name] = (parameters[name] - rate * move).astype(np.float32)
        return parameters

    def _rate(self, name: str, deviation: float) -> float:
        of_codes, of_shifts, of_scales = self.rates
        kind = name.split(maxsplit=1)[0]
        return of_codes if kind == "codes" else of_shifts * deviation if kind == "shift" else of_scales


def _drawn(count: int, steps: int, seed: int) -> list[int]:
    """Numbers below `count`, as many as steps: all in an order that is drawn, then all in another."""
    draw = np.random.default_rng(seed)
    return [int(one) for _ in range(-(-steps // count)) for one in draw.permutation(count)][:steps]


def _place(view: GraphView, node: str) -> int:
    return next(place for place, one in enumerate(view.nodes) if one.name == node)


def _stored(case: Case, block: Block) -> Mapping[tuple[str, int], Stored]:
    edges = (Site(t, node.name, index) for node in block.nodes for index, t in enumerate(node.inputs) if t)
    found = {site: stored(case, site, FORMATS_BY_NAME) for site in edges if not case.view.is_constant(site.tensor)}
    return {(site.node, site.index): kept for site, kept in found.items() if kept}


def _parameters(case: Case, block: Block, deck: Tape) -> Values:
    """Where the descent starts: codes, shifts, and the scales of those activations that no other block reads."""
    found: Values = {}
    for layer in block.layers:
        found[codes(layer)] = (layer.matrices(case.view) / layer.steps).astype(np.float32)
        if layer.bias(case.view) is not None:
            found[shift(layer)] = np.zeros(layer.linear.outputs, np.float32)
    inside = {node.name for node in block.nodes}
    edges = {decision.site for decision in case.plan.quantized}
    for name, index in deck.stored:
        tensor = case.view.by_name[name].inputs[index]
        own = all(site.node in inside for site in case.view.sites[tensor] if site in edges)
        kept = case.scales.activations[tensor]
        if own and len(case.plan.sharing[tensor]) == 1 and not kept.known:
            found[scale(tensor)] = np.log(kept.scale)
    return found


def _noise(deck: Tape, parameters: Values, examples: Sequence[Example]) -> float:
    return sum(float(np.sum(np.square(deck.play(given, parameters).output - target))) for given, target in examples)


def _settled(block: Block, parameters: Values) -> Tensors:
    """The parameters with codes that are whole."""
    found = {}
    for layer in block.layers:
        most = layer.weight.format.high
        whole = np.clip(np.rint(parameters[codes(layer)]), -most, most)
        found[codes(layer)] = layer.weight.format.stored(whole)
    return {**parameters, **found}


def _with(case: Case, block: Block, parameters: Tensors) -> Case:
    """The model with what was found in place of what there was, if anything was."""
    view, known = case.view, dict(case.scales.activations)
    for layer in block.layers if parameters else ():
        view = layer.with_codes(view, parameters[codes(layer)])
        if shift(layer) in parameters:
            view = layer.shifted(view, parameters[shift(layer)].astype(np.float64))
    for tensor, kept in known.items():
        if scale(tensor) in parameters:
            known[tensor] = replace(kept, scale=np.exp(parameters[scale(tensor)], dtype=np.float32))
    return replace(case, view=view, scales=Scales(known, case.scales.weights))
