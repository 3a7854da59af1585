"""Compare the lists of ``guest.top_items`` with those of sorted rows, with the framework's numpy and torch.

python sorted_lists.py GUEST_DIRECTORY MODULE SUPPORT_DIRECTORY
"""

from __future__ import annotations

import importlib
import sys

from guest_package import open_session


def main(guest: str, module: str, support: str) -> None:
    """Fail with the case in which an item, a score or a tie differs."""
    open_session(guest, module)
    assert "torch" in sys.modules  # or the way by blocks would not be taken
    sys.path.append(support)
    reference, top_items = importlib.import_module("sorted_rows"), importlib.import_module("guest.top_items")
    for number, scores in enumerate(reference.varied_scores(3)):
        for k in (1, 3, 20, 100, 6000):
            expected, got = reference.sorted_top_k(scores, k), top_items.top_k(scores, k)
            for name, first, second in zip(("items", "scores"), expected, got, strict=True):
                assert first.dtype == second.dtype, (number, k, name)
                assert first.tobytes() == second.tobytes(), (number, scores.shape, scores.dtype, k, name)


if __name__ == "__main__":
    main(*sys.argv[1:])
