"""Ask omnibench's adapter what the framework offers.

python adapter_catalogue.py GUEST_DIRECTORY MODULE OUTPUT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from guest_package import asked, open_session


def main(guest: str, module: str, output: str) -> None:
    """Write the framework's version and algorithms, and what does not run, as JSON."""
    answer = asked(open_session(guest, module), {"op": "catalogue"})
    offer = {name: answer[name] for name in ("version", "algorithms", "refused") if name in answer}
    Path(output).write_text(json.dumps(offer, allow_nan=False), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
