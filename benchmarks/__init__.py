"""Measurements of graphprune, alone and beside its peers. Run them from the repository's root."""
