"""The tree of what variants share."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from onnxq.sensitivity.trie import Branch, grow

FLOAT = (0, 0, 0, 0)


def leaves(branch: Branch, before: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """(variants, their versions) at the end of each way."""
    assert branch.start == len(before)
    way = (*before, *branch.versions)
    if not branch.branches:
        yield branch.variants, way
    for further in branch.branches:
        yield from leaves(further, way)


def test_one_variant_is_one_branch():
    assert grow([FLOAT]) == Branch(0, FLOAT, (0,), ())


def test_a_common_beginning_is_one_branch():
    tree = grow([(0, 0, 1, 0), (0, 0, 2, 0)])
    assert (tree.versions, tree.variants) == ((0, 0), (0, 1))
    assert [branch.versions for branch in tree.branches] == [(1, 0), (2, 0)]


def test_variants_that_differ_in_nothing_share_everything():
    assert grow([FLOAT, FLOAT]) == Branch(0, FLOAT, (0, 1), ())


def test_the_branch_of_most_variants_comes_last():
    """What its beginning has computed can then be given up before it goes on."""
    one_at_a_time = [tuple(int(place == at) for place in range(4)) for at in range(4)]
    tree = grow(one_at_a_time)
    sizes = [len(branch.variants) for branch in tree.branches]
    assert sizes == [1, 3]


def test_one_segment_at_a_time_computes_each_prefix_once():
    tree = grow([tuple(int(place == at) for place in range(4)) for at in range(4)])

    def segments(branch: Branch) -> int:
        return len(branch.versions) + sum(map(segments, branch.branches))

    assert segments(tree) == (4 + 3 + 2 + 2) + (1 + 1)  # the variants' own ways, and FP32 up to the last two


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 5), min_size=1, max_size=20))
def test_every_variant_ends_once_at_its_own_versions(rows):
    found = [(variant, way) for variants, way in leaves(grow(rows)) for variant in variants]
    assert sorted(found) == list(enumerate(rows))
