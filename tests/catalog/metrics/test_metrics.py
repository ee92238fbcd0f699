"""Metrics: exact figures, sums that are merged over batches, and their edges."""

from __future__ import annotations

import math

import numpy as np
import pytest

from onnxq.catalog.metrics import METRICS
from onnxq.catalog.metrics.agreement import AGREEMENT
from onnxq.catalog.metrics.cosine import COSINE
from onnxq.catalog.metrics.kl import KL
from onnxq.catalog.metrics.max_error import MAX_ERROR
from onnxq.catalog.metrics.mean_error import MEAN_ERROR
from onnxq.catalog.metrics.sqnr import SQNR
from onnxq.catalog.metrics.top1 import TOP1

LABELS = np.array([0, 1, 2, 2])


def figure(metric, reference, candidate, labels=None):
    return metric.figure(metric.sums(np.asarray(reference, np.float32), np.asarray(candidate, np.float32), labels))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
@pytest.mark.parametrize("cut", [1, 2, 3])
def test_merged_sums_of_batches_are_the_sums_of_all(metric, cut):
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-50, 50, (4, 3, 2)).astype(np.float32) for _ in range(2))
    first, second = metric.sums(a[:cut], b[:cut], LABELS[:cut]), metric.sums(a[cut:], b[cut:], LABELS[cut:])
    parts = metric.merge(first, second)
    np.testing.assert_allclose(parts, metric.sums(a, b, LABELS), rtol=1e-12 if metric is KL else 0)
    assert math.isfinite(metric.figure(parts))


@pytest.mark.parametrize(
    ("reference", "candidate", "decibels"),
    [
        ([[3, 4]], [[3, 4]], math.inf),  # no noise
        ([[0, 0]], [[0, 0]], math.inf),  # neither signal nor noise
        ([[0, 0]], [[0, 1]], -math.inf),  # no signal
        ([[10]], [[9]], 20.0),
        ([[3, 4]], [[3, 3]], 10 * math.log10(25)),
        ([[3, 4]], [[-3, -4]], 10 * math.log10(1 / 4)),
    ],
)
def test_sqnr_is_ten_times_the_logarithm_of_signal_over_noise(reference, candidate, decibels):
    assert figure(SQNR, reference, candidate) == decibels


def test_sqnr_sums_in_float64():
    """In float32, adding 1 to 2**24 or squaring 1e30 would lose the value."""
    ones, noisy = np.full((1, 2**10), 2.0**14), np.full((1, 2**10), 2.0**14 + 1)
    assert figure(SQNR, ones, noisy) == 10 * math.log10(2.0**28)
    assert figure(SQNR, [[1e30]], [[0.9e30]]) == pytest.approx(20.0, abs=1e-5)


@pytest.mark.parametrize(
    ("reference", "candidate", "cosine"),
    [
        ([[3, 4]], [[3, 4]], 1.0),
        ([[3, 4]], [[6, 8]], 1.0),
        ([[3, 4]], [[-3, -4]], -1.0),
        ([[1, 0]], [[0, 1]], 0.0),
        ([[3, 4]], [[4, 3]], 24 / 25),
        ([[0, 0]], [[0, 0]], 1.0),
        ([[0, 0]], [[0, 1]], 0.0),
        ([[0, 1]], [[0, 0]], 0.0),
    ],
)
def test_cosine_of_the_angle_between_the_outputs(reference, candidate, cosine):
    assert figure(COSINE, reference, candidate) == cosine


@pytest.mark.parametrize(
    ("reference", "candidate", "largest", "mean"),
    [
        ([[3, 4]], [[3, 4]], 0.0, 0.0),
        ([[3, 4]], [[2, 7]], 3.0, 2.0),
        ([[1e30, 0]], [[-1e30, 0]], 2 * float(np.float32(1e30)), float(np.float32(1e30))),
        (np.zeros((0, 2)), np.zeros((0, 2)), 0.0, 0.0),
    ],
)
def test_absolute_errors(reference, candidate, largest, mean):
    assert figure(MAX_ERROR, reference, candidate) == largest
    assert figure(MEAN_ERROR, reference, candidate) == mean


def test_top1_counts_labels_and_agreement_counts_the_classes_of_fp32():
    reference = np.eye(3)[[0, 1, 2, 0]]  # FP32 is right three times out of four
    candidate = np.eye(3)[[0, 1, 0, 2]]  # so is the candidate, elsewhere
    assert figure(TOP1, reference, reference, LABELS) == 75.0
    assert figure(TOP1, reference, candidate, LABELS) == 75.0
    assert figure(AGREEMENT, reference, candidate, LABELS) == 50.0
    assert figure(AGREEMENT, reference, reference, LABELS) == 100.0


@pytest.mark.parametrize("metric", [TOP1, AGREEMENT], ids=lambda metric: metric.name)
def test_classes_may_lie_on_any_axes_behind_the_samples(metric):
    """An output of shape (samples, classes, 1, 1), as a convolutional head writes it."""
    scores = np.eye(3)[[0, 1, 2, 2]].reshape(4, 3, 1, 1)
    assert figure(metric, scores, scores, LABELS) == 100.0


def test_top1_refuses_to_work_without_labels():
    with pytest.raises(ValueError, match="top1 needs labels"):
        figure(TOP1, [[1]], [[1]])


def test_what_needs_labels_says_so():
    assert [metric.name for metric in METRICS if metric.labelled] == ["top1", "agreement"]


def test_kl_is_the_divergence_of_the_softmax_distributions():
    a, b = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]), np.array([[2.0, 2.0, 2.0], [5.0, 5.0, 5.0]])
    p, q = (np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in (a, b))
    assert figure(KL, a, b) == pytest.approx((p * np.log(p / q)).sum() / 2, rel=1e-6)


def test_kl_does_not_depend_on_what_is_added_to_all_scores():
    scores = np.array([[1.0, 2.0, 3.0]])
    assert figure(KL, scores, scores + 500) == pytest.approx(0.0, abs=1e-12)


def test_kl_takes_distributions_as_they_are():
    assert figure(KL, [[0.5, 0.5]], [[0.25, 0.75]]) == pytest.approx(0.5 * math.log(4 / 3))
    assert figure(KL, [[1.0, 0.0]], [[0.5, 0.5]]) == pytest.approx(math.log(2))


def test_kl_is_finite_where_a_share_is_gone():
    assert 10 < figure(KL, [[0.5, 0.5]], [[1.0, 0.0]]) < 100


def test_kl_of_numbers_that_are_not_finite_is_none():
    assert math.isnan(figure(KL, [[1.0, 2.0]], [[math.inf, 2.0]]))
    assert math.isnan(figure(KL, [[1.0, 2.0]], [[math.nan, 2.0]]))


@pytest.mark.parametrize("shape", [(), (3,), (0, 2), (2, 0), (2, 3, 4)])
def test_kl_of_the_same_is_zero_whatever_the_shape(shape):
    values = np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
    assert figure(KL, values, values) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("metric", "figure", "of_fp32", "loss"),
    [
        (SQNR, 20.0, None, 1.0),  # percent of the signal
        (SQNR, math.inf, None, 0.0),
        (SQNR, -math.inf, None, math.inf),
        (COSINE, 0.9, None, 0.1),
        (KL, 0.25, None, 0.25),
        (MAX_ERROR, 3.0, None, 3.0),
        (MEAN_ERROR, 3.0, None, 3.0),
        (TOP1, 70.0, 80.0, 10.0),
        (AGREEMENT, 99.0, 100.0, 1.0),
    ],
)
def test_what_is_lost_is_zero_for_fp32_and_the_larger_the_worse(metric, figure, of_fp32, loss):
    assert metric.loss(figure, of_fp32) == pytest.approx(loss)


def test_errors_are_better_if_they_are_small():
    assert {metric.name for metric in METRICS if not metric.larger_is_better} == {"kl", "max_error", "mean_error"}
