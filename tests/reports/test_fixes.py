"""What fixes gained, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from onnxq.core.attempt import Attempt, Fixes
from onnxq.core.report import Fidelity, Report
from onnxq.reports.fixes import fixes_table, judged_on, told

TAKEN = Attempt("one", seconds=12.34, decibels=25.0, gain=2.5, error=0.12, same=98.4)
REFUSED = Attempt("two", "it gained nothing", seconds=1.0, decibels=24.0, gain=-1.0, error=0.3, same=97.0)
IDLE = Attempt("three", "there is nothing that it could change")
ACCOUNT = Fixes((TAKEN, REFUSED, IDLE), samples=64, decibels=22.5, same=96.9)


def fidelity(sqnr, **figures):
    return Fidelity(100, {"y": {"sqnr": sqnr, "cosine": 1.0, **figures}}, {}, {})


REPORT = Report(
    prepared=(),
    intact=(),
    quantized={},
    refused={},
    residuals=(),
    floored={},
    drift=None,
    calibration_samples=256,
    known=("", 0),
    calibrator="mse",
    tried={},
    data="evaluation",
    fidelity=fidelity(26.0, top1=91.5, agreement=98.0),
    sizes=(2, 1),
    seconds={},
    plain=fidelity(23.0, top1=91.0, agreement=97.0),
    fixes=ACCOUNT,
)


def printed(report, verbose=False):
    console = Console(width=140, color_system=None)
    with console.capture() as found:
        console.print(fixes_table(report, verbose))
    return [" ".join(line.split()) for line in found.get().splitlines()]


def test_a_row_for_each():
    lines = printed(REPORT)
    assert lines[0] == (
        "Fixes, judged on 64 calibration samples that none of them saw; without any the SQNR is 22.5 dB there"
    )
    assert "fix SQNR gained same class time" in lines
    assert "one 25.0 dB +2.50 ± 0.12 dB 98.4 % 12.3 s" in lines
    assert "two 24.0 dB -1.00 ± 0.30 dB 97.0 % 1.0 s not taken: it gained nothing" in lines
    assert "three 0.0 s not taken: there is nothing that it could change" in lines


def test_what_moved_the_float_model_says_by_how_much_where_all_is_asked_for():
    report = replace(REPORT, fixes=Fixes((replace(TAKEN, drift=2.5e-7), REFUSED), 64, 22.5, 96.9))
    lines = printed(report, verbose=True)
    assert "fix SQNR gained same class drift time" in lines
    assert "one 25.0 dB +2.50 ± 0.12 dB 98.4 % 2.5e-07 12.3 s" in lines


def test_classes_are_a_column_only_where_there_are_some():
    assert "fix SQNR gained time" in printed(replace(REPORT, fixes=replace(ACCOUNT, same=None)))


def test_with_too_few_samples_they_were_not_judged():
    assert judged_on(Fixes((replace(TAKEN, decibels=None),))) == "not judged: there are too few samples"


def test_what_all_gained_together():
    (said,) = told(REPORT)
    assert said == (
        "Without and with fixes, 'y' on 100 evaluation samples: SQNR 23.0 dB and 26.0 dB, top-1 91.00 % and 91.50 %, "
        "same class as FP32 97.00 % and 98.00 %"
    )


@pytest.mark.parametrize("missing", ["plain", "fidelity"])
def test_what_was_not_measured_is_not_told(missing):
    assert not list(told(replace(REPORT, **{missing: None})))


def test_an_output_that_cannot_be_compared_is_left_out():
    assert not list(told(replace(REPORT, plain=Fidelity(100, {}, {}, {"y": "it holds int64"}))))


def test_accuracy_after_each_is_a_column_where_there_are_labels():
    account = replace(ACCOUNT, attempts=(replace(TAKEN, top1=91.5), REFUSED, IDLE), labelled=1000, top1=91.0)
    report = replace(REPORT, fixes=account)
    assert "one 25.0 dB +2.50 ± 0.12 dB 98.4 % 91.5 % 12.3 s" in printed(report)
    assert next(told(report)) == (
        "top-1 is the accuracy on 1000 evaluation samples with all fixes so far; without any it is 91.0 %"
    )


def test_what_other_decisions_would_cost():
    attempts = (replace(TAKEN, otherwise=-1.25), replace(REFUSED, otherwise=-0.5), IDLE)
    assert list(told(replace(REPORT, fixes=replace(ACCOUNT, attempts=attempts))))[:2] == [
        "Without one, and with those behind it done anew, the SQNR would be 1.25 dB lower",
        "With two, and with those behind it done anew, the SQNR would be 0.50 dB lower",
    ]
