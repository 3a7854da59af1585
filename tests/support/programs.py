"""Frameworks that are programs, for tests: a sound one in awk, and one in sh that fails in the ways that programs do."""

from __future__ import annotations

import os
from pathlib import Path

POPULAR_AWK = """
# popular.awk TRAIN USERS: as many of the most frequent items as a user is to get, each with its count.
FNR == NR { if (!($2 in count)) order[++n] = $2; count[$2]++; next }
!sorted { for (i = 2; i <= n; i++) for (j = i; j > 1 && before(order[j], order[j - 1]); j--) {
            kept = order[j]; order[j] = order[j - 1]; order[j - 1] = kept }
          sorted = 1 }
{ for (i = 1; i <= $2; i++) printf "%d\\t%d\\t%d\\n", $1, order[i], (third == "rank" ? i : count[order[i]]) }
function before(a, b) { return count[a] > count[b] || (count[a] == count[b] && a + 0 < b + 0) }
"""

COUNTING = """
version = "1.0"
fit = ["sh", "fit.sh", "{train}", "{model}", "{note}"]
predict = ["sh", "predict.sh", "{model}", "{users}", "{output}"]

[algorithms.Popular]
parameters = { note = "none" }
deterministic = true
threads = false

[algorithms.Ranked]
run = ["sh", "ranked.sh", "{train}", "{users}", "{output}"]
output = "rank"
"""

_SCRIPTS = {
    "fit.sh": 'echo "fitted on $(wc -l < "$1") lines, note $3"; cp "$1" "$2"\n',
    "predict.sh": 'awk -f "${0%/*}/popular.awk" "$1" "$2" > "$3"\n',
    "ranked.sh": 'awk -v third=rank -f "${0%/*}/popular.awk" "$1" "$2" > "$3"\n',
    "popular.awk": POPULAR_AWK,
}

FAULTY = """
version = "1.0"

[algorithms.Faulty]
run = ["sh", "faulty.sh", "{kind}", "{train}", "{users}", "{output}"]
parameters = { kind = "none" }
"""

_FAULTY_SH = r"""
case $1 in
    status) echo "the licence has expired" >&2; exit 3 ;;
    signal) kill -SEGV $$ ;;
    silent) ;;
    short) awk '{ print $1 "\t0\t1.0" }' "$3" > "$4" ;;
    text) printf '0\tmilk\t1.0\n' > "$4" ;;
    hanging) sleep 1000 & echo "$! $$" > "$PIDS"; wait ;;
esac
"""


def write_counting(folder: Path) -> Path:
    """Write a sound program; return its description."""
    folder.mkdir(exist_ok=True)
    for name, text in _SCRIPTS.items():
        (folder / name).write_text(text)
    path = folder / "counting.toml"
    path.write_text(COUNTING)
    return path


def write_faulty(folder: Path) -> Path:
    """Write a program that fails as its hyperparameter says; return its description."""
    folder.mkdir(exist_ok=True)
    (folder / "faulty.sh").write_text(_FAULTY_SH)
    path = folder / "faulty.toml"
    path.write_text(FAULTY)
    return path


def runs(pid: int) -> bool:
    """Whether a process runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
