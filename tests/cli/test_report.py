"""`onnxq quantize --report` and `onnxq report`: one page that needs nothing else, of what was saved or just done."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections import Counter
from html.parser import HTMLParser

import pytest

from onnxq import quantize
from onnxq.cli import main

DATA = ("--calib", "calib.npz", "--eval", "eval.npz")


class Page(HTMLParser):
    """The elements of a page, with its texts."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.ids: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(content.decode())

    def handle_starttag(self, tag, attrs):
        self.open += [] if tag in ("meta", "link", "input", "br") else [tag]
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids.update(value for name, value in attrs if name == "id")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A page with everything that a quantization without a budget has."""
    folder = tmp_path_factory.mktemp("report")
    model, calib, held = (f"models/digits_{name}" for name in ("resnet.onnx", "calib.npz", "eval.npz"))
    page = folder / "r.html"
    command = ["quantize", model, str(folder / "o.onnx"), "--calib", calib, "--eval", held, "--report", str(page), "-q"]
    assert main(command) == 0
    return page.read_bytes()


@pytest.fixture(scope="module")
def page(made):
    found = Page(made)
    assert found.open == []  # every element is closed
    return found


@pytest.fixture(scope="module")
def result():
    return quantize("models/digits_resnet.onnx", "models/digits_calib.npz", evaluation="models/digits_eval.npz")


class TestThePage:
    def test_it_asks_for_nothing_from_elsewhere(self, made, page):
        loads = [value for _, name, value in page.attributes if name in ("src", "href", "xlink:href", "action", "data")]
        assert loads
        assert {value for value in loads if not value.startswith("#")} == {"data:,"}
        assert not re.search(rb"https?://|@import|url\((?!#)", made)

    def test_ids_are_unique_and_links_lead_to_them(self, page):
        assert [name for name, count in page.ids.items() if count > 1] == []
        assert {value[1:] for _, name, value in page.attributes if name.endswith("href") and value[:1] == "#"} <= set(
            page.ids
        )

    def test_no_colour_of_matplotlib_is_left(self, made):
        assert not re.search(rb"#0101|#000000", made)

    def test_it_says_first_what_counts(self, page, result):
        begin = page.text[: page.text.index("Search")]
        figures = result.report.fidelity.figures["logits"]
        for said in (f"Top-1 {figures['top1']:.2f} %", f"SQNR {figures['sqnr']:.1f} dB", "Compute in INT8", "Size"):
            assert said in begin

    def test_every_refusal_is_there_with_its_reason_and_source(self, page, result):
        assert result.plan.refused
        for decision in result.plan.refused:
            assert f"{decision.reason} ({decision.source})" in page.text, decision

    def test_every_node_activation_and_weight_is_there(self, page, result):
        assert all(f"{node} " in page.text for node in {d.site.node for d in result.plan.decisions})
        assert all(
            tensor in page.text for tensor in (*result.plan.activations, *(s.tensor for s, _ in result.plan.weights))
        )

    def test_every_calibrator_says_where_it_would_clip(self, page, result):
        clips = re.findall(r"max [\d.e+-]+, percentile [\d.e+-]+, entropy [\d.e+-]+, mse [\d.e+-]+", page.text)
        assert len(clips) == len(result.plan.activations)

    def test_it_says_how_it_was_made(self, page):
        assert "onnxq quantize models/digits_resnet.onnx" in page.text
        assert "onnxq_recipe: 1" in page.text


def test_the_same_command_makes_the_same_bytes(desk):
    pages = []
    for _ in range(2):
        desk.run("quantize", "model.onnx", "out.onnx", *DATA, "--report", "r.html", "-q")
        pages.append((desk / "r.html").read_bytes())
    assert pages[0] == pages[1]


def test_a_budget_shows_its_front(desk):
    desk.run("quantize", "model.onnx", "out.onnx", *DATA, "--min-sqnr", "45", "--report", "r.html", "-q")
    found = Page((desk / "r.html").read_bytes())
    assert found.ids["front"] == 1
    assert "Budget kept sqnr at least 45 (45.00)" in found.text


class TestFromWhatWasSaved:
    def test_a_plan_alone_has_its_refusals_and_its_graph(self, desk):
        (desk / "plan.json").write_text(desk.run("plan", "model.onnx", "--json").out)
        desk.run("report", "model.onnx", "r.html", "--plan", "plan.json", "-q")
        found = Page((desk / "r.html").read_bytes())
        assert {"graph", "nodes", "refusals", "weights", "made"} <= set(found.ids)
        assert not {"activations", "errors", "fidelity"} & set(found.ids)
        for decision in json.loads((desk / "plan.json").read_text())["decisions"]:
            assert decision["spec"] or decision["reason"] in found.text

    def test_statistics_and_a_ranking_bring_histograms_errors_and_bars(self, desk):
        desk.run("calibrate", "model.onnx", "stats.npz", "--calib", "calib.npz", "-q")
        desk.run("sensitivity", "model.onnx", "--calib", "calib.npz", "--num-samples", "16", "--out", "rank.json", "-q")
        saved = ("--stats", "stats.npz", "--eval", "eval.npz", "--sensitivity", "rank.json")
        desk.run("report", "model.onnx", "r.html", *saved, "-q")
        found = Page((desk / "r.html").read_bytes())
        assert {"activations", "errors", "fidelity", "sensitivity"} <= set(found.ids)
        worst = json.loads((desk / "rank.json").read_text())["ranks"][0]
        assert f"{worst['damage_percent']:.1f} %" in found.text

    def test_nothing_else_is_written(self, desk):
        before = set(desk.files())
        desk.run("report", "model.onnx", "r.html", "-q")
        assert set(desk.files()) == before | {"r.html"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sensitivity", "none.json"], r"The ranking 'none\.json' cannot be read"),
        (["--sensitivity", "broken.json"], r"'broken\.json' holds no ranking"),
        (["--stats", "none.npz"], r"The statistics 'none\.npz' cannot be read"),
        (["--eval", "eval.npz"], r"--eval measures a quantized model, which takes statistics to make\. Give --stats"),
        (["--plan", "none.json"], r"The plan 'none\.json' cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named(desk, arguments, message):
    (desk / "broken.json").write_text("{}")
    desk.refused(["report", "model.onnx", "r.html", *arguments], message)


def test_a_page_is_called_as_one(desk):
    desk.refused(["report", "model.onnx", "r.pdf"], r"The report 'r\.pdf' must end in \.html")
    desk.refuses_to_quantize(r"The report 'r\.txt' must end in \.html", options=["--report", "r.txt"])


def test_no_input_and_no_other_output_is_overwritten(desk):
    desk.refuses_to_quantize(r"The output 'calib\.npz' is the input", options=["--report", "calib.npz"])
    desk.refuses_to_quantize("The report and another output", options=["--save-recipe", "r.html", "--report", "r.html"])


def test_a_folder_that_is_not_there_is_noticed_before_any_work(desk):
    desk.refuses_to_quantize(r"The folder 'none' of the output does not exist", options=["--report", "none/r.html"])


def test_a_full_disk_leaves_no_page(desk, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    desk.refused(["report", "model.onnx", "r.html"], r"The output 'r\.html' cannot be written: No space left on device")


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_a_missing_package_is_named_before_any_work(desk, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    desk.refused(["report", "model.onnx", "r.html"], r"HTML reports need .*: pip install 'onnxq\[report\]'")
    desk.refuses_to_quantize(r"pip install 'onnxq\[report\]'", options=["--report", "r.html"])
