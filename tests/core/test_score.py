"""How close a model comes to FP32, and whether a lead is more than chance."""

from __future__ import annotations

import numpy as np
import pytest

from onnxq.core.score import EXACT, Score


def score(noise, signal=None):
    noise = np.asarray(noise, np.float64).reshape(len(noise), -1)
    return Score(np.ones_like(noise) if signal is None else np.asarray(signal, np.float64), noise)


def test_decibels_are_of_all_samples_together():
    assert score([0.01, 0.03]).decibels == pytest.approx(10 * np.log10(2 / 0.04))


def test_of_several_outputs_they_are_the_mean():
    assert score([[0.1, 0.001]]).decibels == pytest.approx(20.0)


@pytest.mark.parametrize(("noise", "signal", "expected"), [(0.0, 1.0, EXACT), (0.1, 0.0, -EXACT), (0.0, 0.0, EXACT)])
def test_what_has_no_error_or_no_signal_counts_for_a_number(noise, signal, expected):
    assert score([noise], [[signal]]).decibels == expected


def test_without_outputs_all_are_alike():
    assert score(np.empty((3, 0))).lead(score(np.empty((3, 0)))) == (0.0, 0.0)


def test_half_the_noise_on_every_sample_is_a_sure_lead():
    noise = np.random.default_rng(0).uniform(0.1, 1.0, 16)
    lead, error = score(noise / 2).lead(score(noise))
    assert lead == pytest.approx(10 * np.log10(2))
    assert error == pytest.approx(0.0, abs=1e-9)


def test_a_lead_that_one_sample_makes_is_as_large_as_its_error():
    noise = np.full(16, 0.1)
    lead, error = score(noise).lead(score([*noise[1:], 3.0]))
    assert lead == pytest.approx(error, rel=0.05)


def test_the_error_is_that_of_leads_on_other_samples():
    rng = np.random.default_rng(1)

    def drawn():
        return score(rng.gamma(2.0, 0.1, 64)).lead(score(rng.gamma(2.0, 0.1, 64)))

    leads, errors = np.array([drawn() for _ in range(400)]).T
    assert np.median(errors) == pytest.approx(leads.std(), rel=0.15)


class TestTypicalLead:
    def test_each_sample_counts_alike(self):
        before = np.array([1.0, 1.0, 1.0, 1000.0])
        lead, error = score(before / np.array([2, 2, 2, 0.5])).typical_lead(score(before))
        assert lead == pytest.approx(5 * np.log10(2))
        assert error == pytest.approx(10 * np.log10(2) / 2)

    def test_of_several_outputs_it_is_the_mean(self):
        lead, _ = score([[0.1, 0.1]]).typical_lead(score([[1.0, 0.1]]))
        assert lead == pytest.approx(5.0)

    @pytest.mark.parametrize(("before", "after", "expected"), [(0.1, 0.0, 20.0), (0.0, 0.1, -20.0), (0.0, 0.0, 0.0)])
    def test_without_noise_a_sample_is_not_infinitely_closer(self, before, after, expected):
        assert score([after]).typical_lead(score([before])) == (expected, 0.0)

    def test_without_outputs_there_is_none(self):
        assert score(np.empty((3, 0))).typical_lead(score(np.empty((3, 0)))) == (0.0, 0.0)


def test_of_a_single_sample_no_error_can_be_told():
    assert score([0.1]).lead(score([0.2]))[1] == 0.0


def test_a_model_that_computes_no_number_leads_nothing():
    lead, _ = score([np.nan, 0.1]).lead(score([0.1, 0.1]))
    assert not lead > 0.0
