"""The passes of the pipeline, one file each, imported as `graphprune.passes`.

The folder stands at the top of the repository and ships inside the package `graphprune`. It must not be
imported as `passes`: the same file would then be loaded as two modules whose classes differ.
"""

if __name__ != "graphprune.passes":
    raise ImportError(f"this folder is the package graphprune.passes; import that instead of {__name__}")
