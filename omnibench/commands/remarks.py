"""What commands say behind the name of an item: who computes it, why it failed, where it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from omnibench.store.resumption import snapshot_text
from omnibench.store.schema import Record, Status


def remark(
    item: dict[str, Any], searches: Mapping[str, str] = MappingProxyType({}), snapshot: Record | None = None
) -> str:
    """Return what the line of an item says behind its name: who computes it, why it failed, where it goes on.

    Args:
        item: Its record, with its status as of now.
        searches: How far searches are, by the names of their items.
        snapshot: The snapshot that its next attempt goes on from, or None.
    """
    search = f": {searches[item['item']]}" if item["item"] in searches else ""
    resumes = "" if snapshot is None else f"; {snapshot_text(snapshot, running=item['status'] == Status.RUNNING)}"
    if item["status"] == Status.RUNNING:
        return f"  ({item['holder']}{search}{resumes})"
    if item["status"] == Status.DONE and item.get("as_seed") is not None:
        return f"  (as seed_{item['as_seed']})"
    if item["status"] == Status.FAILED:
        deaths = f", its process died {_times(item['deaths'])}" if item.get("deaths") else ""
        error = item["error"] or {}
        parts = (error.get("phase"), (error.get("message") or "no reason is recorded").partition("\n")[0])
        return f"  ({': '.join(filter(None, parts))}{deaths}{resumes})"
    return f"  (in {item['phase']}{search}{resumes})" if item["status"] == Status.INTERRUPTED else ""


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
