"""Measures channels in units in which they fill their codes, wherever weights before and behind can take the units up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar
import numpy as np

from onnxq.core.affine import Affine, reparametrized
from onnxq.core.balance import Shared, Weighted, balanced
from onnxq.core.channel_values import channel_values
from onnxq.core.channels import weight_channels
from onnxq.core.fix import Case, Fixed
from onnxq.core.gains import Gains
from onnxq.core.lane_rules import lanes_of
from onnxq.core.lanes import FIXED
from onnxq.core.meter import Meter
from onnxq.core.scales import Scales
from onnxq.core.spec import PerAxis


@dataclass(frozen=True)
class Equalization:
    """Cross-layer equalization."""

    name: ClassVar[str] = "equalization"
    doc: ClassVar[str] = "channels are measured in units that let them fill their codes, through residual streams too"
    preserves: ClassVar[bool] = True

    def __call__(self, case: Case) -> Fixed:
        """See Fix."""
        units, lanes = units_of(case)
        return Fixed(reparametrized(case.view, Affine.of(lanes, scales=units)))


def units_of(case):
    import os, time

    lanes = lanes_of(case.view)
    t = time.time()
    values = channel_values(case, lanes, case.plan.activations)
    t1 = time.time()
    active = {t: (v > 0).mean(1) for t, v in values.items()}
    gains = Gains(case.view, lanes, active)
    parts = []
    subs = []
    quantized = {d.site for d in case.plan.quantized}
    for group in dict.fromkeys(case.plan.sharing.values()):
        cl, am, ga = [], [], []
        for tensor in group:
            ids = lanes.of.get(tensor)
            v = values[tensor]
            if ids is None or ids.size != len(v):
                classes = np.zeros(len(v), np.int64)
            else:
                classes = lanes.scales[ids.ravel()]
            amp = amplitudes(v)
            g = sum(
                np.broadcast_to(gains.site(s), classes.shape) * 1.0
                for s in case.view.sites.get(tensor, ())
                if s in quantized
            )
            cl.append(classes)
            am.append(np.maximum(amp, 0.03 * amp.max()))
            ga.append(g)
        subs.append(Scales({t: case.scales.activations[t] for t in group}, {}))
        parts.append(Shared(np.concatenate(cl), np.concatenate(am), np.concatenate(ga) / 127**2 / 12))
    for site, spec in case.plan.weights:
        node = case.view.by_name[site.node]
        if node.name in lanes.frozen:
            continue
        w = np.abs(case.view.constants[site.tensor].astype(np.float64))
        x = node.inputs[1 - site.index] if site.index < 2 else ""
        if site.index != 1 or node.inputs[0] not in values:
            continue
        reads, makes = weight_channels(node, w)
        taps = int(np.prod(w.shape[2:])) if w.ndim > 2 else 1
        if w.ndim > 2:
            w = w.max(axis=tuple(range(2, w.ndim)))
            reads, makes = (a.reshape(a.shape[:2]) for a in (reads, makes))
        if node.op == "ConvTranspose":
            continue
        reads, makes = np.broadcast_arrays(reads, makes)
        if makes.shape[0] > 1 and makes[0, 0] == makes[-1, 0]:
            w, reads, makes = w.T, reads.T, makes.T
        n_in = int(reads.max()) + 1
        v = values[node.inputs[0]]
        ids = np.broadcast_to(lanes.of[node.inputs[0]].ravel(), (n_in,))
        p = np.broadcast_to((v.astype(np.float64) ** 2).mean(1), (n_in,))
        p = np.maximum(p, 1e-4 * p.max())
        g = np.broadcast_to(gains.tensor(node.outputs[0]).ravel(), (len(w),))
        oi = np.broadcast_to(lanes.of[node.outputs[0]].ravel(), (len(w),))
        subs.append(Scales({}, {site: case.scales.weights[site]}))
        parts.append(
            Weighted(
                lanes.scales[ids][reads],
                w,
                p[reads] * taps,
                float(os.environ.get("KAPPA", "1")) * g / 127**2 / 12,
                None if isinstance(spec.granularity, PerAxis) else lanes.scales[oi],
            )
        )
    t2 = time.time()
    if os.environ.get("METER", "1") == "1":
        meter = Meter.of(case, int(os.environ.get("MS", "8")))
        new = []
        for part, sub in zip(parts, subs):
            z = np.zeros(lanes.scales.size)
            model = part.noise(np.ones(lanes.scales.size), z)
            real = meter.noise(case.view, sub)
            f = real / max(model, 1e-300)
            new.append(replace(part, gains=part.gains * f))
            print(
                type(part).__name__,
                (list(sub.activations) or [x.node for x in sub.weights])[0][-40:],
                f"model {model:.2e} real {real:.2e} factor {f:.2f}",
            )
        parts = new
        print("metered", time.time() - t2)
    n = lanes.scales.size
    one = np.ones(n)
    free = np.setdiff1d(np.unique(lanes.scales), [FIXED])
    u = balanced(parts, n, free)

    def J(u):
        z = np.zeros(n)
        return [sum(p.noise(u, z) for p in parts if isinstance(p, k)) for k in (Shared, Weighted)]

    print("J before", J(one), "after", J(u), f"{t1 - t:.1f} {t2 - t1:.1f} {time.time() - t2:.1f}s")
    u = u ** float(os.environ.get("BETA", "1"))
    u[FIXED] = 1.0
    return u, lanes


def amplitudes(values):
    """(channels,) where each channel is best clipped, if it had a scale of its own."""
    top = np.abs(values).max(1).astype(np.float64)
    best, least = top.copy(), np.full(len(values), np.inf)
    mags = np.sort(np.abs(values.astype(np.float64)), axis=1)
    for f in np.linspace(0.2, 1, 33):
        end = top * f
        err = (np.maximum(mags - end[:, None], 0) ** 2).mean(1) + (end / 127) ** 2 / 12 * (mags > 0).mean(1)
        better = err < least
        best[better], least[better] = end[better], err[better]
    return best
