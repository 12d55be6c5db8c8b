"""The sections of a report, each from what the files say; None where they do not say it."""
