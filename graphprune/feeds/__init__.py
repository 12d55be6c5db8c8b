"""Inputs for a model: sizes that belong together, values as users feed them, and what they leave unseen."""

from __future__ import annotations

from graphprune.feeds.draw import MAGNITUDES, Run, draw, redraw, styles
from graphprune.feeds.flow import Reach, reaches
from graphprune.feeds.guesses import random_feeds, redrawn, shapes_to_try
from graphprune.feeds.inputs import Feeds, Sizes, fitted_sizes, inputs_of, is_dynamic
from graphprune.feeds.plan import BUDGET, Feeding, LeftOut, at, carry_out, plan

__all__ = [
    "BUDGET",
    "MAGNITUDES",
    "Feeding",
    "Feeds",
    "LeftOut",
    "Reach",
    "Run",
    "Sizes",
    "at",
    "carry_out",
    "draw",
    "fitted_sizes",
    "inputs_of",
    "is_dynamic",
    "plan",
    "random_feeds",
    "reaches",
    "redraw",
    "redrawn",
    "shapes_to_try",
    "styles",
]
