"""A sentence encoder pruned without training: fewer parameters in its encoder, fewer heads, fewer layers.

    python -m benchmarks.encoder

Spearman's correlation on the STS benchmark before and after. Writes `results/encoder.json`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks import child, results
from benchmarks.assets import evaluate, model_path, prepared

NAME = "minilm_l3"
ENCODER = 3 * (4 * (384 * 384 + 384) + 2 * 384 * 1536 + 1536 + 384 + 4 * 384)
"""Parameters of the three layers; the rest is the table of words."""
HEADS = 36


def main() -> int:
    """Print the table and write the results."""
    from graphprune.cost import cost
    from graphprune.fold import fold
    from graphprune.model import load
    from graphprune.solve import solve

    child.keep_to_cores()
    model, (calib, _) = model_path(NAME), prepared(NAME)
    total = cost(solve(fold(load(model)).graph)).params
    reference = evaluate(model, NAME)
    rows: list[dict[str, Any]] = []
    for title, options in _cases(total).items():
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "pruned.onnx"
            words = ("prune", model, "-o", output, *options, "--output-format", "json")
            run = child.run(child.graphprune(*words), limit=3600)
            if run.status:
                raise SystemExit(f"{title}: {run.complaint}")
            report, score = run.json(), evaluate(output, NAME)
        gone = total - int(report["after"]["params"])
        row = {
            "case": title,
            "options": ["calib.npz" if word == calib else str(word) for word in options],
            "encoder_parameters_removed": round(gone / ENCODER, 4),
            "spearman": round(score, 4),
            "of_original": round(score / reference, 4),
            "seconds": round(run.seconds, 1),
        }
        rows.append(row)
        print(row, flush=True)
    shown = [
        (
            row["case"],
            f"{row['encoder_parameters_removed']:.1%}",
            f"{row['spearman']:.4f}",
            f"{row['of_original']:.1%}",
            f"{row['seconds']:.0f}",
        )
        for row in rows
    ]
    head = ("pruned", "encoder parameters gone", "Spearman", "of the original", "seconds")
    print(results.table(head, shown))
    results.write("encoder", {"model": NAME, "original": round(reference, 4), "rows": rows})
    return 0


def _cases(total: int) -> dict[str, tuple[str | Path, ...]]:
    """Return the options of each row."""
    data: tuple[str | Path, ...] = ("--data", prepared(NAME)[0])

    def down(share: float) -> tuple[str, str]:
        return "--target", f"params={1 - share * ENCODER / total:.6f}x"

    heads = ("--only", "heads", "--scope", "global", "--ratio", f"{11 / HEADS + 1e-3:.4f}")
    return {
        "heads and neurons, 30 %": (*down(0.3), "--only", "heads,neurons", *data),
        "head dims and neurons, 30 %": (*down(0.3), "--only", "head-dims,neurons", *data),
        "heads and neurons, 50 %": (*down(0.5), "--only", "heads,neurons", *data),
        "heads, neurons and layers, 50 %": (*down(0.5), "--only", "heads,neurons,layers", *data),
        "heads and neurons, 30 %, plain l2": (*down(0.3), "--only", "heads,neurons", "--importance", "l2"),
        "11 of 36 heads, obs": (*heads, *data),
        "11 of 36 heads, removal": (*heads, "--importance", "removal", *data),
        "11 of 36 heads, plain l2": (*heads, "--importance", "l2"),
    }


if __name__ == "__main__":
    raise SystemExit(main())
