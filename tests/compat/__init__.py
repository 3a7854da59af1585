"""Moved scripts: names of other packages."""
