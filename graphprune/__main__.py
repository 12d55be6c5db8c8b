"""`python -m graphprune` is the command `graphprune`."""

from __future__ import annotations

import sys

from graphprune.cli import main

if __name__ == "__main__":
    sys.exit(main())
