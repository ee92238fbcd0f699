"""Measures the noise that each quantized tensor makes at the outputs, and which calibrator makes the least of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from onnxq.catalog.metrics.sqnr import SQNR
from onnxq.core.batch import Source
from onnxq.core.report import Fidelity
from onnxq.core.scales import Scales
from onnxq.core.variant import Variant
from onnxq.sensitivity.bench import Bench
from onnxq.sensitivity.material import Material
from onnxq.sensitivity.noise import NoiseModel, Origin, Power, power_of
from onnxq.sensitivity.sheet import Scoring

CANDIDATES = ("mse", "percentile 99.99", "entropy", "max", "percentile 99.999", "percentile 99.9")
"""Calibrators that are tried for each activation, in order of preference."""

OWN = ""
"""Stands for the calibrator that the recipe asks for."""

LEAD = 0.9
"""A calibrator takes the place of the recipe's if it makes at most this share of its noise."""


@dataclass(frozen=True)
class Noises:
    """The noise of activations by tensor and calibrator, and of weights by group.

    Attributes:
        material: what was measured.
        activations: tensor -> calibrator -> power; the recipe's calibrator comes first.
        weights: group -> power.
    """

    material: Material
    activations: Mapping[str, Mapping[str, Power]]
    weights: Mapping[str, Power]

    def quietest(self) -> Mapping[str, str]:
        """The calibrator of each activation for which another than the recipe's is clearly better.

        Tensors that share a scale share the calibrator, too.
        """
        found: dict[str, str] = {}
        for group in dict.fromkeys(self.material.plan.sharing.values()):
            members = [self.activations[tensor] for tensor in group]
            noise = {name: sum(float(member[name].sum()) for member in members) for name in members[0]}
            own = next(iter(noise))
            best = min(noise, key=lambda name: noise[name])  # the first of equals
            if noise[best] < LEAD * noise[own]:
                found |= dict.fromkeys(group, best)
        return found

    def model(self, calibrators: Mapping[str, str]) -> NoiseModel:
        """What the noise at the outputs is made of, with these calibrators in place of the recipe's."""
        owner = {site.node: group.name for group in self.material.groups for site in group.sites}
        readers: dict[str, set[str]] = {}
        for decision in self.material.plan.quantized:
            readers.setdefault(decision.site.tensor, set()).add(owner[decision.site.node])
        origins = [
            Origin(frozenset(readers[tensor]), noise[calibrators.get(tensor, next(iter(noise)))])
            for tensor, noise in self.activations.items()
        ]
        origins += [Origin(frozenset([group]), power) for group, power in self.weights.items()]
        return NoiseModel(self.material.groups, tuple(origins))


def measure_noise(bench: Bench, material: Material, source: Source) -> Noises:
    """The noise of everything that the plan quantizes, each tensor and the weights of each group alone.

    Args:
        bench: runs variants.
        material: makes them.
        source: what they are measured on.
    """
    plan = material.plan
    ways = {name: material.scales_by(name) for name in (OWN, *CANDIDATES)}
    names = {tensor: (OWN,) if tensor in material.settled else tuple(ways) for tensor in plan.activations}
    alone: dict[_Key, Variant] = {}
    for tensor in plan.activations:
        only = plan.only(decision.site for decision in plan.quantized if decision.site.tensor == tensor)
        for name in names[tensor]:
            alone.setdefault(_key(ways[name], tensor), Variant(f"{tensor} by {name}", only, ways[name]))
    weights = {group.name: frozenset(group.sites) & ways[OWN].weights.keys() for group in material.groups}
    of_weights = [Variant(name, plan.only(sites), ways[OWN]) for name, sites in weights.items() if sites]
    figures = bench.measure([*alone.values(), *of_weights], source, Scoring((SQNR,)))
    powers = [_power(fidelity) for fidelity in figures]
    measured = dict(zip(alone, powers, strict=False))
    return Noises(
        material,
        {t: {name: measured[_key(ways[name], t)] for name in names[t]} for t in plan.activations},
        dict(zip((variant.name for variant in of_weights), powers[len(alone) :], strict=True)),
    )


_Key = tuple[str, bytes, int]


def _key(scales: Scales, tensor: str) -> _Key:
    params = scales.activations[tensor]
    return tensor, params.scale.tobytes(), params.zero_point


def _power(fidelity: Fidelity) -> Power:
    return power_of([row[SQNR.name] for row in fidelity.figures.values() if SQNR.name in row])
