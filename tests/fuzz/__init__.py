"""Mutated files and random networks that verbs are run on, and a judge that is not the product's."""
