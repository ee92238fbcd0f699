"""Entries are made when they are due, and cost little."""

from __future__ import annotations

import time

from onnxq.core import journal
from onnxq.core.journal import Journal


def test_without_anybody_to_keep_entries_none_is_due(monkeypatch):
    monkeypatch.setattr(journal, "PAUSE", 0.0)
    book = Journal[int]()
    assert not book.is_due
    book.write(1)  # nobody is there to take it


def test_the_first_entry_is_due_after_a_pause(monkeypatch):
    assert not Journal(keep=print).is_due
    monkeypatch.setattr(journal, "PAUSE", 0.0)
    assert Journal(keep=print).is_due


def test_slow_entries_are_rare(monkeypatch):
    monkeypatch.setattr(journal, "PAUSE", 0.0)
    book = Journal[int](keep=lambda _: time.sleep(0.02))
    book.write(1)
    assert not book.is_due  # not before 50 times as long has passed


def test_what_was_begun_is_there():
    assert Journal(7).begun == 7
    assert Journal[int]().begun is None
