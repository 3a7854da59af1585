"""The traces of a dataset's lineage."""

from omnibench.compat.omnirec.lineage import SystemInfo, Trace

__all__ = ["SystemInfo", "Trace"]
