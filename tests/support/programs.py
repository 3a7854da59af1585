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

BIASES_AWK = r"""
# What users and items add to the mean rating, by gradient descent; -v command=fit, or rate.
function restored(path,   line, word) {
    while ((getline line < path) > 0) { split(line, word, "\t"); bias[word[1], word[2]] = word[3] }
    return bias["epoch", 0] + 0
}
function keep(path,   key, word) {
    for (key in bias) { split(key, word, SUBSEP); printf "%s\t%s\t%.17g\n", word[1], word[2], bias[key] > path }
    close(path)
}
command == "fit" { user[n] = $1; item[n] = $2; rating[n++] = $3; sum += $3; next }
command == "rate" && FNR == NR { bias[$1, $2] = $3; next }
{ printf "%d\t%d\t%.17g\n", $1, $2, bias["mean", 0] + bias["user", $1] + bias["item", $2] > output }
END {
    if (command != "fit") exit
    epoch = restored(checkpoint "/state")
    print "begins after epoch " epoch
    bias["mean", 0] = sum / n
    for (epoch++; epoch <= epochs; epoch++) {
        if (epoch == 4 && gate) while ((getline line < gate) < 0) system("sleep 0.05")
        loss = 0
        for (row = 0; row < n; row++) {
            error = rating[row] - bias["mean", 0] - bias["user", user[row]] - bias["item", item[row]]
            bias["user", user[row]] += 0.05 * error
            bias["item", item[row]] += 0.05 * error
            loss += error ^ 2
        }
        bias["epoch", 0] = epoch
        printf "omnibench progress epoch=%d epochs=%d loss=%.6f\n", epoch, epochs, loss / n
        keep(checkpoint "/next")
        system("mv '" checkpoint "/next' '" checkpoint "/state'")
        printf "omnibench checkpoint epoch=%d epochs=%d\n", epoch, epochs
        fflush()
    }
    keep(model)
}
"""

BIASES = """
version = "1.0"
fit = ["awk", "-v", "command=fit", "-v", "epochs={epochs}", "-v", "gate={gate}", "-v", "checkpoint={checkpoint}",
       "-v", "model={model}", "-f", "biases.awk", "{train}"]
rate = ["awk", "-v", "command=rate", "-v", "output={output}", "-f", "biases.awk", "{model}", "{pairs}"]

[algorithms.Biases]
parameters = { epochs = 6, gate = "" }
epochs = "epochs"
deterministic = true
threads = false
"""

_FAULTY_SH = r"""
case $1 in
    status) echo "the licence has expired" >&2; exit 3 ;;
    signal) kill -SEGV $$ ;;
    silent) ;;
    short) awk '{ print $1 "\t0\t1.0" }' "$3" > "$4" ;;
    text) printf '0\tmilk\t1.0\n' > "$4" ;;
    progress) echo "omnibench progress epoch=three" ;;
    checkpoint) echo "omnibench checkpoint epoch=3" >&2 ;;
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


def write_biases(folder: Path) -> Path:
    """Write a program that trains in epochs and rates; return its description."""
    folder.mkdir(exist_ok=True)
    (folder / "biases.awk").write_text(BIASES_AWK)
    path = folder / "biases.toml"
    path.write_text(BIASES)
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
