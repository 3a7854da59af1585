"""The environment variables by which numeric libraries are given their number of threads."""

from __future__ import annotations

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)
_EXACT = {"OMP_DYNAMIC": "FALSE", "MKL_DYNAMIC": "FALSE"}
"""Without these, libraries may take fewer threads than they are told, of a machine that is busy."""


def thread_variables(threads: int) -> dict[str, str]:
    """Return the environment variables that set the number of threads of numeric libraries when they are imported."""
    return {**dict.fromkeys(_THREAD_VARIABLES, str(threads)), **_EXACT}
