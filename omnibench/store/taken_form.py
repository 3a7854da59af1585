"""The form of what a record says of numbers that were taken over from another store."""

from __future__ import annotations

from omnibench.store.checks import is_moment, is_name, list_of, mapping_of, matching, object_of
from omnibench.store.identity_forms import DIGEST

are_marks = list_of(
    object_of(
        {
            "from": is_name,
            "by": is_name,
            "time": is_moment,
            "sha256": matching(DIGEST),
            "metrics": mapping_of(is_name),
        }
    )
)
"""Whether a value is a list of marks as ``taken.mark`` builds them."""
