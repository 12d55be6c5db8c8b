"""What leaves a process, and which files it makes: every verb under strace, each process for 30 s.

    python -m benchmarks.traces [--match GLOB] [--seconds N] [--no-write]

needs strace. A verb runs in a process that stays for 30 s when it is done, so that what a library does in the
background is seen. Every socket but pairs of our own (`socketpair`), every look-up of a name, and every file,
folder and link that is made counts; what `docs/interface.md` lists under *Files* is documented. As a control,
ONNX Runtime by itself with its telemetry on, in a namespace without a network: it must be caught.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from benchmarks import results
from benchmarks.child import ROOT

SECONDS = 30.0
ABREAST = 6
VERBS: Mapping[str, str] = {
    "inspect": "inspect m.onnx --node-data nodes",
    "prune": "prune m.onnx -o o.onnx --data d.npz --target macs=0.6x --save-plan p.json --save-run r.json",
    "prune in place": "prune copy.onnx --in-place --precision fp16",
    "prune int8": "prune m.onnx -o q.onnx --data d.npz --precision int8",
    "prune latency": "prune m.onnx -o t.onnx --target latency=0.9x@ort:cpu",
    "sparsify": "sparsify m.onnx -o s.onnx --pattern 2:4",
    "sensitivity": "sensitivity m.onnx --data d.npz -o sensitivity.json --plot sensitivity.svg",
    "verify": "verify m.onnx o.onnx --data d.npz",
    "build": "build m.onnx",
    "profile": "profile m.onnx o.onnx --duration 5s --export-json profile.json --trace trace.json",
    "run": "run m.onnx -o c.onnx -p fold,group,score,select,cut --dump-after cut",
    "gate": "gate m.onnx o.onnx --assert params.ratio<=0.9 --assert latency.p50.ratio<=9 -o gate.json",
    "report": "report r.json -o report.html --markdown report.md",
    "init": "init",
    "compare": "compare profile.json",
    "schema": "schema config -o schema.json",
    "doctor": "doctor",
}
"""What is run, each in a folder of its own that holds what `FIRST` has made."""
FIRST = ("prune", "profile")
DOCUMENTED: Mapping[str, Sequence[str]] = {
    "prune": ("o.onnx", "o.onnx.*.data", "p.json", "r.json"),
    "prune in place": ("copy.onnx", "copy.onnx.*.data"),
    "prune int8": ("q.onnx", "q.onnx.*.data"),
    "prune latency": ("t.onnx", "t.onnx.*.data"),
    "inspect": ("nodes", "nodes/*.json"),
    "sparsify": ("s.onnx", "s.onnx.*.data"),
    "sensitivity": ("sensitivity.json", "sensitivity.svg"),
    "profile": ("profile.json", "trace.json"),
    "run": ("c.onnx", "c.onnx.*.data", "c.5-cut.onnx", "c.5-cut.onnx.*.data"),
    "gate": ("gate.json",),
    "report": ("report.html", "report.md"),
    "init": ("graphprune.toml",),
    "schema": ("schema.json",),
}
"""The files that options of a verb name, and what stands beside models."""
ALWAYS = (
    "*.graphprune-????????????????",
    "*.graphprune-????????????????/*",
    "tmp/*",
    "home/.cache",
    "home/.cache/graphprune",
    "home/.cache/graphprune/*",
    "*/__pycache__",
    "*/__pycache__/*.pyc*",
    "/dev/null",
)
"""Rooms, temporary files (none may be left), the cache, and Python's own."""
_MADE = re.compile(
    r"\b(?:(?:open|openat|creat)\((?:AT_FDCWD, |\d+, )?\"(?P<opened>[^\"]*)\", [^)]*(?:O_CREAT|O_TMPFILE)"
    r"|(?:mkdir|mkdirat|mknod|mknodat)\((?:AT_FDCWD, |\d+, )?\"(?P<made>[^\"]*)\""
    r"|(?:rename|renameat|renameat2|link|linkat|symlink|symlinkat)\(.*\"(?P<named>[^\"]*)\"[^\"]*\))"
    r".* = (?:0|[1-9])"
)
_SOCKET = re.compile(r"\b(?:socket|connect|bind)\((.*)")
_LOOKED_UP = re.compile(r"\"(/etc/(?:resolv\.conf|hosts|host\.conf|gai\.conf)[^\"]*)\"")
_CONTROL = """
import numpy as np, onnx, onnxruntime, time
text = '<ir_version: 10, opset_import: ["": 21]> g (float[1] x) => (float[1] y) { y = Relu(x) }'
model = onnx.parser.parse_model(text).SerializeToString()
onnxruntime.InferenceSession(model).run(None, {"x": np.ones(1, "f")})
time.sleep(SECONDS)
"""
_BODY = """
import sys, time
start = time.monotonic()
from graphprune.cli import main
code = main(sys.argv[2:])
time.sleep(max(0.0, float(sys.argv[1]) - (time.monotonic() - start)))
raise SystemExit(code)
"""


@dataclass(frozen=True)
class Traced:
    """What one verb did.

    Attributes:
        verb: it.
        code: its exit status.
        sockets: what it did with sockets, but for pairs of its own.
        looked_up: files that only a look-up of a name reads.
        made: how many files, folders and links were made.
        strange: those of them that are not documented.
        left: what lies in the folder for temporary files afterwards.
    """

    verb: str
    code: int
    sockets: tuple[str, ...]
    looked_up: tuple[str, ...]
    made: int
    strange: tuple[str, ...]
    left: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing left the process, and nothing was made that is not documented."""
        return not (self.sockets or self.looked_up or self.strange or self.left)


def traced(verb: str, words: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Traced:
    """Run a command in `folder`, with all that it starts, and return what strace saw."""
    log = folder.parent / "log"
    calls = (
        "trace=%network,open,openat,creat,mkdir,mkdirat,mknod,mknodat,rename,renameat,renameat2,link,linkat"
    )
    command = [
        "strace",
        "-f",
        "-qq",
        "-s",
        "4096",
        "-e",
        f"{calls},symlink,symlinkat",
        "-o",
        str(log),
        *words,
    ]
    done = subprocess.run(command, cwd=folder, env=dict(environ), capture_output=True, check=False)
    sockets: dict[str, None] = {}
    looked_up: dict[str, None] = {}
    made: dict[str, None] = {}
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if call := _SOCKET.search(line):
            sockets.setdefault(call[0][:120])
        if found := _LOOKED_UP.search(line):
            looked_up.setdefault(found[1])
        if found := _MADE.search(line):
            made.setdefault(_told(found["opened"] or found["made"] or found["named"] or "", folder))
    documented = (*ALWAYS, *DOCUMENTED.get(verb, ()))
    strange = [path for path in made if not any(fnmatchcase(path, one) for one in documented)]
    left = sorted(str(path.name) for path in (folder / "tmp").iterdir())
    return Traced(
        verb, done.returncode, tuple(sockets), tuple(looked_up), len(made), tuple(strange), tuple(left)
    )


def _told(path: str, folder: Path) -> str:
    """A path as seen from `folder`; one outside of it whole."""
    whole = Path(os.path.normpath(folder / path))
    return str(whole.relative_to(folder)) if whole.is_relative_to(folder) else str(whole)


def prepare(folder: Path) -> dict[str, str]:
    """Make a folder with a model, data, a home and room for temporary files; returns the environment."""
    import numpy as np

    from tests.dying import store

    for name in ("home", "tmp"):
        (folder / name).mkdir(parents=True)
    for name in ("m.onnx", "copy.onnx"):
        store(folder / name, 1, outside=True)
    np.savez(folder / "d.npz", x0=np.random.default_rng(0).standard_normal((64, 24)).astype(np.float32))
    return at(folder)


def at(folder: Path) -> dict[str, str]:
    """Our environment, with the home and the temporary files of `folder`, and nothing that is set for us."""
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("ORT_", "XDG_", "GRAPHPRUNE"))
    }
    own = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "PYTHONPATH": str(ROOT)}
    return {**kept, **own, "OMP_NUM_THREADS": "1"}


def control(seconds: float) -> Traced | None:
    """ONNX Runtime by itself, with its telemetry and without a network; None where that cannot be had."""
    alone = ["unshare", "--net", "--map-root-user"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], check=False).returncode:
        return None
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "room"
        environ = prepare(folder)
        code = _CONTROL.replace("SECONDS", str(seconds))
        return traced("control", [*alone, sys.executable, "-c", code], folder, environ)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 where something left a process, or was made and is not documented."""
    parser = argparse.ArgumentParser(description="Every verb under strace, each process for 30 s.")
    parser.add_argument("--match", default="*", help="verbs to try, as a glob")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each process lives")
    parser.add_argument("--no-write", action="store_true", help="leave the results as they are")
    chosen = parser.parse_args(arguments)
    if shutil.which("strace") is None:
        print("strace is not there")
        return 4
    verbs = {verb: line for verb, line in VERBS.items() if fnmatchcase(verb, chosen.match)}
    with tempfile.TemporaryDirectory() as made, ThreadPoolExecutor(ABREAST) as pool:
        start = Path(made, "start")
        environ = prepare(start)
        for verb in FIRST:
            words = [sys.executable, "-m", "graphprune", *VERBS[verb].split(), "--no-config"]
            subprocess.run(words, cwd=start, env=environ, capture_output=True, check=True)
        shutil.rmtree(start / "home")
        (start / "home").mkdir()

        def one(number: int, verb: str) -> Traced:
            folder = Path(made, str(number), "room")
            shutil.copytree(start, folder)
            words = [sys.executable, "-c", _BODY, str(chosen.seconds), *verbs[verb].split(), "--no-config"]
            if verb in FIRST:
                words.append("--force")
            return traced(verb, words, folder, at(folder))

        found = list(pool.map(one, range(len(verbs)), verbs))
    seen = control(chosen.seconds)
    rows: list[list[object]] = [
        [
            each.verb,
            each.code,
            len(each.sockets) + len(each.looked_up),
            each.made,
            len(each.strange),
            len(each.left),
        ]
        for each in (*found, *([seen] if seen else []))
    ]
    print(results.table(("verb", "exit", "sockets, look-ups", "files made", "undocumented", "left"), rows))
    if chosen.match == "*" and not chosen.no_write:
        results.write(
            "traces",
            {
                "seconds": chosen.seconds,
                "verbs": [asdict(each) for each in found],
                "control": seen
                and {name: len(asdict(seen)[name]) for name in ("sockets", "looked_up", "strange")},
            },
        )
    blind = seen is not None and seen.clean
    if blind:
        print("the control was not caught: the trace sees nothing")
    return int(blind or not all(each.clean for each in found))


if __name__ == "__main__":
    sys.exit(main())
