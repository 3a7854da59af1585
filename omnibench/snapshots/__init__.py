"""Snapshots: how often the state of a running Fit is kept, under which names, and how many. It knows no store and no guest."""
