"""Run records: what a command did, kept in a file that says how to do it again."""
