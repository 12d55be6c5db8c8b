"""The text of a pipeline says what the passes are, and the passes say the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphprune.errors import Usage
from graphprune.options import build
from graphprune.passes.score import Score
from graphprune.passes.select import Select
from graphprune.pipeline_text import parse, parse_steps, show, step_of
from graphprune.state import State


@dataclass(frozen=True)
class Every:
    """A pass with an option of every type there is."""

    name: ClassVar[str] = "every"
    needs: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ()

    flag: bool = False
    whole_number: int = 0
    number: float = 0.0
    text: str = ""
    maybe: str | None = None
    limit: float | None = None
    kind: Literal["none", "some", "all"] = "some"
    kinds: tuple[Literal["channels", "heads"], ...] = ()
    globs: tuple[str, ...] = ()
    some_globs: tuple[str, ...] | None = None
    ratios: Mapping[str, float] = field(default_factory=dict[str, float])

    def run(self, state: State) -> State:
        return state


numbers = st.floats(allow_nan=False)
every = st.builds(
    Every,
    flag=st.booleans(),
    whole_number=st.integers(),
    number=numbers,
    text=st.text(),
    maybe=st.none() | st.just("none") | st.text(),
    limit=st.none() | numbers,
    kind=st.sampled_from(["none", "some", "all"]),
    kinds=st.lists(st.sampled_from(["channels", "heads"])).map(tuple),
    globs=st.lists(st.text()).map(tuple),
    some_globs=st.none() | st.just(("none",)) | st.lists(st.text()).map(tuple),
    ratios=st.dictionaries(st.text(), numbers),
)


@given(every)
def test_what_is_written_is_read_back(written: Every) -> None:
    (step,) = parse_steps(str(step_of(written)))
    assert build(Every, step.values) == written


@given(st.lists(every, min_size=1, max_size=3))
def test_the_text_of_several_passes_is_split_where_they_end(written: list[Every]) -> None:
    steps = parse_steps(",".join(str(step_of(one)) for one in written))
    assert [build(Every, step.values) for step in steps] == written


def test_the_example_of_the_manual_is_read() -> None:
    passes = parse("fold,group,score{by=l1},select{ratio=0.5 round-to=8},cut,verify")
    assert [one.name for one in passes] == ["fold", "group", "score", "select", "cut", "verify"]
    assert passes[2] == Score(by="l1")
    assert passes[3] == Select(ratio=0.5, round_to=8)


def test_only_options_that_differ_from_their_default_are_shown() -> None:
    text = "fold,score{by=l1},select{ratio=0.25 ignore=/head/*}"
    assert show(parse(text)) == text
    assert show(parse("score{by=auto seed=0}")) == "score"


@pytest.mark.parametrize(
    "text",
    [
        "select{ratio-for=/a/*=0.2,/b/*=0.3}",
        "select{ratio-for=/a/*=0.2 ratio-for=/b/*=0.3}",
        'select { ratio-for="/a/*=0.2","/b/*=0.3" }',
        "select{ratio_for=/a/*=0.2,/b/*=0.3}",
    ],
)
def test_a_dictionary_is_written_as_pairs(text: str) -> None:
    assert parse(text) == (Select(ratio_for={"/a/*": 0.2, "/b/*": 0.3}),)


def test_a_name_alone_says_true() -> None:
    assert build(Every, parse_steps("every{flag}")[0].values) == Every(flag=True)


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("fold,slect{ratio=0.5}", "no pass slect", "did you mean select"),
        ("select{rato=0.5}", "select has no option rato", "did you mean ratio"),
        ("select{ratio=half}", "option ratio of pass select is 'half'", "a number"),
        ("select{round-to=2.5}", "option round-to of pass select is '2.5'", "a whole number"),
        ("score{by=l3}", "option by of pass score is 'l3'", "did you mean l2"),
        ("select{only=channels,head}", "option only of pass select", "one of channels"),
        ("select{ratio-for=0.2}", "option ratio-for of pass select is '0.2'", "NAME=VALUE"),
        ("select{ratio=0.2,0.3}", "option ratio of pass select is '0.2,0.3'", "a number"),
        ("replay", "pass replay lacks its option plan", "replay{plan="),
        ("", "the end at character 1", "write it like"),
        ("fold,", "the end at character 6", "write it like"),
        ("fold group", "'g' at character 6", "write it like"),
        ("select{ratio=0.5", "the end at character 17", "write it like"),
        ("select{ratio=0.5}}", "'}' at character 18", "write it like"),
        ('select{ignore="a}', "at character 15", "write it like"),
    ],
)
def test_a_wrong_text_is_refused_and_the_nearest_known_word_named(text: str, what: str, hint: str) -> None:
    with pytest.raises(Usage) as refused:
        parse(text)
    assert what in refused.value.what
    assert hint in refused.value.hint


def test_a_ratio_and_a_target_are_not_both_taken() -> None:
    with pytest.raises(Usage, match="target and ratio are both given"):
        parse("fold,group,score,select{ratio=0.5 target=macs=0.5x},cut")
