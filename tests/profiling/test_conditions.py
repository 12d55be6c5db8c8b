"""What disturbs a measurement is read from the system and said; nothing is said where nothing is known."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from graphprune.backends.gpu import GpuState
from graphprune.processors import usable
from graphprune.profiling.conditions import Watch, conditions, disturbances
from graphprune.profiling.processor import Process, Processors, look
from graphprune.profiling.result import Conditions

OWN = 4242


def stat(number: int, name: str, seconds: float, parent: int = 1, born: int = 7) -> str:
    """A line of /proc/PID/stat."""
    ticks = round(seconds * os.sysconf("SC_CLK_TCK"))
    rest = ["S", str(parent), *["0"] * 9, str(ticks), "0", *["0"] * 6, str(born), *["0"] * 30]
    return f"{number} ({name}) {' '.join(rest)}\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """The files of a system with as many processors as this process may use."""
    files = {"proc/loadavg": "3.00 2.00 1.00 1/99 4242\n"}
    for number in usable():
        folder = f"sys/devices/system/cpu/cpu{number}"
        files[f"{folder}/cpufreq/scaling_cur_freq"] = f"{2_400_000 + number}\n"
        files[f"{folder}/cpufreq/scaling_governor"] = "powersave\n"
        files[f"{folder}/thermal_throttle/core_throttle_count"] = "5\n"
        files[f"{folder}/thermal_throttle/package_throttle_count"] = "2\n"
    lines = [f"cpu{number} 1 2 3 4 5 6 7 {100 * (at + 1)} 0 0" for at, number in enumerate(usable())]
    files["proc/stat"] = "\n".join(["cpu  9 9 9 9 9 9 9 999 0 0", *lines, "ctxt 5"]) + "\n"
    files["sys/class/thermal/thermal_zone0/type"] = "acpitz\n"
    files["sys/class/thermal/thermal_zone0/temp"] = "20000\n"
    files["sys/class/thermal/thermal_zone1/type"] = "x86_pkg_temp\n"
    files["sys/class/thermal/thermal_zone1/temp"] = "71500\n"
    files["sys/fs/cgroup/cpu.stat"] = "usage_usec 5\nnr_periods 3\nnr_throttled 11\n"
    files["proc/17/stat"] = stat(17, "cc1plus (a b) c", 2.0)
    files[f"proc/{OWN}/stat"] = stat(OWN, "python", 9.0)
    files["proc/18/stat"] = stat(18, "builder", 3.0, parent=OWN)
    files["proc/19/stat"] = "garbage"
    files["proc/self"] = ""
    return write(tmp_path, files)


def test_what_linux_says_is_read(system: Path) -> None:
    found = look(system, OWN)
    assert found.load == pytest.approx(3.0 / len(usable()))
    assert found.clocks == {f"core {number}": 2400 + number / 1000 for number in usable()}
    assert found.governors == ("powersave",)
    assert found.temperature == 71.5
    assert found.throttles == {
        "core too hot": 5,
        "package too hot": 2,
        "quota of the container used up": 11,
    }
    count = len(usable())
    assert found.stolen == pytest.approx(100 * count * (count + 1) / 2 / os.sysconf("SC_CLK_TCK"))
    assert found.processes[17] == Process("cc1plus (a b) c", 7, 2.0, own=False)
    assert {number: process.own for number, process in found.processes.items()} == {
        17: False,
        18: True,
        OWN: True,
    }


def test_the_clocks_are_those_of_cpuinfo_where_no_driver_says_them(tmp_path: Path) -> None:
    lines = [f"processor\t: {number}\ncpu MHz\t\t: {2000 + number}.5\n" for number in (*usable(), 999)]
    found = look(write(tmp_path, {"proc/cpuinfo": "\n".join(lines)}))
    assert found.clocks == {f"core {number}": 2000.5 + number for number in usable()}


def test_a_system_that_says_nothing_is_no_error(tmp_path: Path) -> None:
    found = look(tmp_path)
    assert found == Processors(found.at)
    assert disturbances(*(conditions(found, found) for _ in range(2))) == ()


def test_the_system_at_hand_can_be_looked_at() -> None:
    found = Watch().conditions()
    assert found.at.endswith("+00:00")
    assert f"({os.getpid()})" not in " ".join(found.others)


def moment(at: float, processes: dict[int, Process], throttles: int = 0, stolen: float = 0.0) -> Processors:
    return Processors(at, 0.1, throttles={"core too hot": throttles}, stolen=stolen, processes=processes)


def test_other_processes_are_named_that_took_more_than_a_fifth_of_a_processor() -> None:
    before = {
        1: Process("idle", 0, 5.0, False),
        2: Process("busy", 0, 1.0, False),
        3: Process("me", 0, 1.0, True),
    }
    after = {
        1: Process("idle", 0, 5.19, False),
        2: Process("busy", 0, 1.5, False),
        3: Process("me", 0, 2.0, True),
        4: Process("new", 9, 0.9, False),
    }
    assert conditions(moment(0.0, before), moment(1.0, after)).others == ("new (4)", "busy (2)")


def test_a_number_that_went_to_another_process_starts_anew() -> None:
    before, after = {1: Process("cc", 1, 50.0, False)}, {1: Process("cc", 9, 0.5, False)}
    assert conditions(moment(0.0, before), moment(1.0, after)).others == ("cc (1)",)
    renamed = {1: Process("kworker/0:1", 1, 50.1, False)}
    assert conditions(moment(0.0, before), moment(1.0, renamed)).others == ()


def test_throttling_is_said_where_it_happened_in_between() -> None:
    assert conditions(moment(0.0, {}, 5), moment(1.0, {}, 5)).throttled == ()
    assert conditions(moment(0.0, {}, 5), moment(1.0, {}, 6)).throttled == ("core too hot",)
    stolen = conditions(moment(0.0, {}), moment(1.0, {}, stolen=0.1 * len(usable()))).throttled
    assert stolen == ("10 % of the time went to other virtual machines",)


def test_on_a_gpu_its_own_clocks_and_processes_count() -> None:
    gpu = GpuState({"graphics": 1980.0}, 55.0, ("power cap",), ("train (9)",))
    found = conditions(moment(0.0, {}), moment(1.0, {1: Process("cc", 0, 0.9, False)}), gpu)
    assert (found.clocks, found.temperature) == ({"graphics": 1980.0}, 55.0)
    assert (found.throttled, found.others, found.load) == (("power cap",), ("train (9)",), 0.1)


def test_what_disturbed_is_said_once() -> None:
    before = Conditions("", load=0.9, others=("cc (1)",))
    after = Conditions("", load=5.0, throttled=("too hot",), others=("cc (1)", "ld (2)"))
    assert disturbances(before, after) == (
        "the machine was busy before: load 0.90 per core",
        "other processes were busy: cc (1), ld (2)",
        "the device was held down: too hot",
    )
    assert disturbances(Conditions("", load=0.4), Conditions("", load=3.0)) == ()
