"""Make a frozen store of the present format: ``python tests/assets/stores/freeze.py``, once per store format."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from omnibench.store import CheckpointStore
from omnibench.store.formats import FORMAT

HERE = Path(__file__).parent


def freeze() -> None:
    """Run the frozen benchmark, take out what tells of this machine, and keep the store."""
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copyfile(HERE / "frozen_bench.py", Path(scratch) / "bench_frozen.py")
        (Path(scratch) / "pytest.ini").write_text("[pytest]\n")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OMNIREC_")}
        subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=scratch, env=environment, check=True)
        made = Path(scratch) / "checkpoints"
        store = CheckpointStore(made)
        private = {
            key: {**record, "host": "host", "user": "user", "cwd": "/home/user/project", "command": ["pytest"]}
            for key, record in store.snapshot().items()
            if key.startswith(("run/", "worker/"))
        }
        store.records.commit({key: record | {"platform": "Linux"} for key, record in private.items()})
        store.close()
        for left in ("leases", "tmp", "records.jsonl", "logs.db", "logs.db-wal", "logs.db-shm"):
            path = made / left
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        for text in made.rglob("*"):
            assert not text.is_file() or scratch.encode() not in text.read_bytes(), f"{text} tells where it was made"
        kept = HERE / f"format-{FORMAT}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(made, kept)
        print(json.dumps({"format": FORMAT, "kept": kept.name}))


if __name__ == "__main__":
    freeze()
