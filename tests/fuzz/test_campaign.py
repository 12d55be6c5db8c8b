"""Some hundred cases of the fuzzer, always the same; `make fuzz` runs others, for as long as one likes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

import graphprune
from benchmarks.mutations import KINDS
from benchmarks.reference import gap, run
from graphprune.model import to_proto
from tests.fuzz import nets
from tests.fuzz.campaign import FAULTS, Case, Kind, Outcome, Room, campaign, case, keep, smaller
from tests.fuzz.copies import Unjudged
from tests.fuzz.judge import LIMITS, inputs, judge, twin
from tests.fuzz.mutate import MUTATIONS, OF_BYTES, Step, mutated
from tests.fuzz.serve import ENDLESS, GONE, Server
from tests.networks import network


@pytest.fixture(name="room", scope="module")
def _room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    room = Room(tmp_path_factory.mktemp("room"))
    yield room
    room.close()


def _tried(kind: Kind, numbers: range, room: Room) -> tuple[Mapping[str, int], list[str]]:
    """Return how many cases ended how, and what is a fault."""
    faults: list[str] = []

    def tell(done: Case, outcome: Outcome) -> None:
        if outcome.kind in FAULTS:
            faults.append(f"{done.name} {outcome.kind}: {outcome.said[-300:]}")

    return campaign((case(kind, number) for number in numbers), room, told=tell), faults


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_mutated_files_are_answered(first: int, room: Room) -> None:
    counts, faults = _tried("mutated", range(first, first + 50), room)
    assert not faults
    assert counts["mutated refused"] > 10, "mutations do harm"
    assert counts["mutated done"] > 3, "and not always"


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_random_networks_are_cut_right(first: int, room: Room) -> None:
    counts, faults = _tried("net", range(first, first + 20), room)
    assert not faults
    assert counts["net judged"] >= 15


@pytest.mark.parametrize("number", range(40))
def test_a_random_network_is_valid_and_runs(number: int) -> None:
    model = nets.drawn(number)
    onnx.checker.check_model(model, full_check=True)  # pyright: ignore[reportUnknownMemberType]
    outputs = run(model, inputs(model, 2, 0))
    assert all(np.isfinite(each).all() for each in outputs)
    assert model.SerializeToString() == nets.drawn(number).SerializeToString()


@pytest.mark.parametrize("name", [*MUTATIONS, *OF_BYTES])
def test_a_mutation_changes_some_file_and_is_always_the_same(name: str) -> None:
    changed = 0
    for network_name in ("layers-that-share-weights", "if-with-weights", "residual"):
        source = network(network_name).SerializeToString()
        found = [mutated(source, [Step(name, seed)]) for seed in range(12)]
        changed += sum(each != source for each in found)
        assert found == [mutated(source, [Step(name, seed)]) for seed in range(12)]
    assert changed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["residual", "mlp", "attention-fused"])
def test_the_judge_sees_a_fault_that_changes_what_a_network_computes(kind: str, name: str) -> None:
    original = network(name)
    pruned = to_proto(graphprune.prune(original).result)
    assert judge(original, pruned) == ""
    faulty = onnx.ModelProto.FromString(pruned.SerializeToString())
    if KINDS[kind](faulty, np.random.default_rng(0)) is None:
        pytest.skip("there is nothing in this network that this fault changes")
    with suppress(Unjudged):  # a weight with foreign values is none that the judge knows
        assert judge(original, faulty) or not _differ(faulty, pruned, inputs(original, 2, 0))


def _differ(one: onnx.ModelProto, other: onnx.ModelProto, feeds: dict[str, NDArray[Any]]) -> bool:
    """Whether a model gives something clearly else than another one, or nothing at all."""
    try:
        found = run(one, feeds)
    except Exception:  # noqa: BLE001  whatever ONNX Runtime raises
        return True
    return any(gap(a, b) > 10 * LIMITS["float32"] for a, b in zip(run(other, feeds), found, strict=True))


def test_the_twin_of_a_network_that_was_not_cut_is_the_network() -> None:
    model = network("attention-fused")
    feeds = inputs(model, 2, 0)
    for a, b in zip(run(model, feeds), run(twin(model, model, feeds), feeds), strict=True):
        assert np.array_equal(a, b)


def test_a_process_that_ends_or_comes_to_no_end_is_told_and_replaced(tmp_path: Path) -> None:
    for name, body, code in (
        ("ends", "import os; os._exit(3)", GONE),
        ("endless", "while True: pass", ENDLESS),
    ):
        (tmp_path / f"{name}.py").write_text(
            f"import sys\nsys.path.append({str(Path(__file__).parents[2])!r})\n"
            "from tests.fuzz.serve import answers\n"
            f"def answer(question):\n    if question['bad']:\n        {body}\n    return 0, 'fine'\n"
            "answers(answer)\n"
        )
        server = Server(name, tmp_path)
        try:
            assert server.ask({"bad": False}, 60).said == "fine"
            assert server.ask({"bad": True}, 1).code == code
            assert server.ask({"bad": False}, 60).said == "fine"
        finally:
            server.close()


def test_a_case_that_fails_is_kept_without_the_mutations_that_it_does_not_need(
    room: Room, tmp_path: Path
) -> None:
    steps = (Step("order", 1), Step("outputs", 4), Step("cut_off", 3))
    found = Case("mutated-0", "mlp", steps, ("inspect", "m.onnx"))
    outcome = room.run(found)
    assert outcome.kind == "refused"
    small = smaller(room, found, outcome)
    assert len(small.steps) < len(steps)
    keep(small, outcome, tmp_path)
    assert (tmp_path / "mutated-0.onnx").read_bytes() == small.data()
    assert "graphprune inspect m.onnx" in (tmp_path / "mutated-0.txt").read_text()
