"""Selectors: one kind of condition after the other, what several mean together, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sketch import sketch

from onnxq.core.selector import EVERYTHING, KEYS, KIND, NAME, PLACE, Condition, Selector
from onnxq.errors import RecipeError

VIEW = sketch("""
    A: a = Conv(x, wa[32,3,3,3])
    B: b = Relu(a)
    C: c = Conv(b, wc[32,1,3,3]) group=32
    D: d = Sigmoid(c)
    E: e = Mul(c, d)
    boxes: f = Conv(e, wf[4,32,1,1])
    scores: g = Gemm(e, wg[10,32]) transB=1
    H: h = Softmax(g)
""")
LAYERS = frozenset(("A", "C", "boxes", "scores"))


def chosen(text: str) -> set[str]:
    return set(Selector.of(text).select(VIEW, LAYERS))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("A", "A"),
        ("name:A", "A"),
        ("*", "A B C D E boxes scores H"),
        ("?", "A B C D E H"),
        ("[A-C]", "A B C"),
        ("s*", "scores"),
        ("re:^[bs].*s$", "boxes scores"),
        ("re:x", "boxes"),
        ("op:Conv", "A C boxes"),
        ("from:C", "C D E boxes scores H"),  # a node: itself and all behind it
        ("from:d", "E boxes scores H"),  # a tensor: all behind it
        ("from:x", "A B C D E boxes scores H"),
        ("to:C", "A B C"),
        ("to:d", "A B C D"),
        ("from:B & to:D", "B C D"),  # everything on a path between
        ("from:B & to:e", "B C D E"),
        ("Conv -> Sigmoid -> Mul", "C D E"),
        ("Conv -> Mul", "C E"),
        ("pattern:Conv->Relu", "A B"),
        ("Mul -> *", "E boxes scores"),
        ("Relu -> * -> Sigmoid", "B C D"),
        ("position:first", "A"),
        ("position:first 2", "A C"),
        ("position:last", "scores"),
        ("position:last 3", "C boxes scores"),
        ("position:last 99", "A C boxes scores"),
        ("position:last_before_output", "boxes scores"),
        ("channels:<4", "A"),
        ("channels:<11", "A boxes scores"),
        ("channels:<10", "A boxes"),
        ("channels:<33", "A C boxes scores"),  # of a grouped convolution all groups count
        ("is:depthwise", "C"),
        ("is:grouped", "C"),
        ("op:Conv & channels:<16", "A boxes"),
        ("op:Conv & position:last_before_output", "boxes"),
        ("* & re:^[A-D]$ & from:B", "B C D"),
    ],
)
def test_a_selector_means_the_nodes_that_meet_all_its_conditions(text, names):
    assert chosen(text) == set(names.split())


def test_a_layer_is_last_before_an_output_if_one_is_reached_without_another_layer():
    side = sketch("a = Conv(x, w[8,8,1,1])\nb = Conv(a, v[8,8,1,1])\nc = Relu(a)\nd = Identity(b)")
    assert Selector.of("position:last_before_output").select(side, frozenset("ab")) == {"a", "b"}


def test_channels_of_each_operator_with_weights():
    view = sketch("""
        c = Conv(x, wc[8,2,3,3]) group=2
        t = ConvTranspose(x, wt[6,3,3,3]) group=2
        g = Gemm(x, wg[9,7])
        m = MatMul(x, wm[2,5,11])
        r = Conv(x, y)
        o = other.Conv(x, wo[1,1,1,1])
    """)
    found = {n: set(Selector.of(f"channels:<{n}").select(view, frozenset())) for n in (5, 6, 7, 8)}
    assert found == {5: {"c"}, 6: {"c", "m"}, 7: {"c", "m", "t"}, 8: {"c", "m", "t", "g"}}


def test_a_name_is_a_name_although_it_could_be_a_glob_or_a_key():
    view = sketch("A1 = Relu(x)\nB = Relu(A1)")
    odd = {"A1": "A[1]", "B": "op:Relu"}
    nodes = tuple(type(node)(odd[node.name], node.op, node.inputs, node.outputs) for node in view.nodes)
    view = type(view)(nodes, view.inputs, view.outputs, {}, {}, {})
    assert Selector.of("A[1]").select(view, frozenset()) == {"A[1]"}
    assert Selector.of("name:op:Relu").select(view, frozenset()) == {"op:Relu"}
    assert Selector.named("op:Relu").select(view, frozenset()) == {"op:Relu"}
    assert str(Selector.named("op:Relu")) == "name:op:Relu"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scroes", r"^The selector 'scroes' matches no node\. Did you mean 'scores'"),
        ("zzz", r"^The selector 'zzz' matches no node\. `onnxq plan` lists the names of all nodes\.$"),
        ("", r"^The selector '' matches no node\. `onnxq plan` lists"),
        ("re:zzzzz", r"^The selector 're:zzzzz' matches no node\. `onnxq plan` lists"),
        ("op:Conf", r"^The selector 'op:Conf' matches no node\. Did you mean 'Conv'\?$"),
        ("op:conv", r"^The selector 'op:conv' matches no node\. Did you mean 'Conv'\?$"),
        ("from:boxs", r"^The selector 'from:boxs' matches no node\. Did you mean 'boxes'\?$"),
        ("to:boxs", r"^The selector 'to:boxs' matches no node\. Did you mean 'boxes'\?$"),
        ("from:E & to:A", r"^The selector 'from:E & to:A' matches no node\. Each of its conditions is met by some "),
        ("op:Relu & boxs", r"^The selector 'op:Relu & boxs' matches no node\. Did you mean 'boxes'\?$"),
        ("Conv -> LSTM", r"^The selector 'Conv -> LSTM' matches no node\.$"),
        ("channels:<3", r"^The selector 'channels:<3' matches no node\.$"),
    ],
)
def test_a_selector_that_matches_nothing_is_refused_with_near_misses(text, message):
    with pytest.raises(RecipeError, match=message):
        chosen(text)


def test_a_selector_without_layers_to_count_matches_nothing():
    with pytest.raises(RecipeError, match=r"^The selector 'position:last' matches no node\.$"):
        Selector.of("position:last").select(VIEW, frozenset())


def test_a_selector_from_a_file_says_where_it_is():
    with pytest.raises(RecipeError, match=r"^recipe\.yaml:7: The selector 'zzz' matches no node\."):
        Selector.of("zzz", "recipe.yaml:7").select(VIEW, LAYERS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("re:(", r"^The selector 're:\(' is no valid regular expression: .+\.$"),
        ("position:lst", r"^The selector 'position:lst' is none: write 'position:first', 'position:last 3' or"),
        ("position:last 0", r"^The selector 'position:last 0' is none: write"),
        ("position:last_before_output 2", r"^The selector 'position:last_before_output 2' is none: write"),
        ("channels:16", r"^The selector 'channels:16' is none: write 'channels:<16'\.$"),
        ("channels:<0", r"^The selector 'channels:<0' is none"),
        ("is:deep", r"^The selector 'is:deep' is none: write 'is:grouped' or 'is:depthwise'\.$"),
        ("pattern:Conv", r"^The selector 'pattern:Conv' is none: write 'Conv -> Sigmoid -> Mul'\.$"),
        ("Conv -> ", r"^The selector 'Conv -> ' is none: write 'Conv -> Sigmoid -> Mul'\.$"),
    ],
)
def test_a_value_that_its_key_cannot_have_is_refused(text, message):
    with pytest.raises(RecipeError, match=message):
        Selector.of(text)


def test_an_unknown_key_is_refused_with_near_misses():
    with pytest.raises(RecipeError, match=r"^Unknown key 'nmae' of a selector\. Keys: name, re, .*Did you mean 'name'"):
        Condition("nmae", "x")


def test_text_is_not_taken_for_conditions():
    with pytest.raises(RecipeError, match=r"^A selector is made of text by Selector\.of\('op:Conv'\)\.$"):
        Selector("op:Conv")
    with pytest.raises(RecipeError, match=r"^A selector needs a condition, such as 'op:Conv'\.$"):
        Selector(())


@pytest.mark.parametrize(
    ("texts", "level"),
    [
        (["A", "boxes"], (NAME, 1)),
        (["b*", "re:^A$", "from:A", "to:A", "Conv -> Relu", "position:last"], (PLACE, 1)),
        (["from:A & to:H", "op:Conv & b*"], (PLACE, 2)),
        (["op:Conv", "channels:<8", "is:depthwise"], (KIND, 1)),
        (["op:Conv & channels:<8"], (KIND, 2)),
        (["*"], (EVERYTHING, 1)),
        (["A & op:Conv"], (NAME, 2)),
    ],
)
def test_names_are_more_specific_than_places_and_these_than_kinds(texts, level):
    assert {Selector.of(text).specificity(VIEW) for text in texts} == {level}
    assert NAME > PLACE > KIND > EVERYTHING


VALUES = {
    "position": ["first", "last 3"],
    "channels": ["<8"],
    "is": ["grouped", "depthwise"],
    "pattern": ["A -> B", "A->B"],
}


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    key = draw(st.sampled_from(KEYS))
    if key in VALUES:
        return Condition(key, draw(st.sampled_from(VALUES[key])))
    letters = st.text(alphabet="ab:/ &->", max_size=8) | st.sampled_from(["op:x", "a -> b", "a & b", "name:x"])
    return Condition(key, draw(letters))


@settings(derandomize=True, deadline=None)
@given(st.lists(conditions(), min_size=1, max_size=3).map(lambda some: Selector(tuple(some))))
def test_the_text_of_a_selector_spells_it_again_or_it_says_that_it_does_not(selector):
    if selector.is_text:
        assert Selector.of(str(selector)) == selector
    else:
        assert " & " in "".join(condition.value + " & " for condition in selector.conditions)
