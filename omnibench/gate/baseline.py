"""The baseline: one Parquet file of what was measured, to be committed or kept, and compared with later.

A row is a user in a fold of a dataset under a configuration: ``dataset``, ``algorithm``, ``fold``, ``user`` (a code; no
id of the user's), and a column for each metric. A row group is one configuration on one dataset. The file's metadata has
the rest as JSON under ``omnibench``, and under ``omnibench.sha256`` the digest of the whole file as it is with zeros in
that place: pyarrow is not asked to read a file that is damaged.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from omnibench import __version__
from omnibench.comparison.measured import PerUser
from omnibench.errors import BaselineError
from omnibench.gate.entries import Dataset, Entry, Score, Source, Values, summary
from omnibench.store.artifacts import replace_file
from omnibench.store.records import timestamp

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1

_MAGIC = b"PAR1"
_FACTS, _SEAL = b"omnibench", b"omnibench.sha256"
_ZEROS = b"0" * 64
_POINTER = b"version https://git-lfs"
_ANEW = "write it anew: `omnibench baseline FILE`, or a run of pytest with --omnirec-baseline=FILE"


class Baseline:
    """What was measured once.

    Args:
        path: The file.

    Attributes:
        path: The file.
        written: When, as an ISO timestamp in UTC.
        omnibench: The version that wrote it.
        git: ``{commit, dirty}`` of the repository that it was written in, or None.
        entries: What was measured.

    Raises:
        BaselineError: It is not there, cannot be read, is damaged, is something else, or is of a newer format.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.abspath(Path(path).expanduser()))
        self._content = _sound(self.path, _read(self.path))
        facts = self._facts()
        self.written: str = facts["written"]
        self.omnibench: str = facts["omnibench"]
        self.git: dict[str, Any] | None = facts["git"]
        datasets = [Dataset(one["name"], one["shown"], one["key"], tuple(one["test"])) for one in facts["datasets"]]
        self._groups: list[int | None] = [one["row_group"] for one in facts["entries"]]
        self.entries: list[Entry] = [
            Entry(
                datasets[one["dataset"]],
                one["algorithm"],
                one["shown"],
                one["configuration"],
                {label: _score(score) for label, score in one["scores"].items()},
                one["finished"],
                place,
            )
            for place, one in enumerate(facts["entries"])
        ]

    def __repr__(self) -> str:
        return f"<Baseline {self.path}: {summary(self.entries)}, {self.age}>"

    @property
    def age(self) -> str:
        """When and from what it was written, e.g. ``of 2026-11-21, commit 1a2b3c4d``."""
        return f"of {self.written[:10]}" + (f", commit {self.git['commit'][:8]}" if self.git else "")

    @cached_property
    def _file(self) -> Any:
        """Parquet's own list of what is where is as long as the file has entries, and is read once."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        return pq.ParquetFile(pa.BufferReader(self._content))

    def _facts(self) -> dict[str, Any]:
        metadata = self._file.metadata.metadata
        facts: dict[str, Any] = json.loads(metadata[_FACTS])
        if facts["format"] > FORMAT:
            raise BaselineError(
                f"the baseline {str(self.path)!r} has the format {facts['format']} of omnibench "
                f"{facts.get('omnibench', '(unknown)')}; omnibench {__version__} reads formats up to {FORMAT}. Upgrade "
                f"omnibench, or {_ANEW}."
            )
        return facts

    def values(self, entry: Entry) -> Values:
        """Return the values per user of an entry, by label and fold."""
        group = self._groups[entry.place]
        if group is None:
            return {}
        table = self._file.read_row_group(group).combine_chunks()
        if not table.num_rows:
            return {}
        folds, users = _numbers(table, "fold", "<i2"), _numbers(table, "user", "<i4")
        found = {}
        for label, score in entry.scores.items():
            if not score.per_user:
                continue
            column = _numbers(table, label, "<f8")
            defined = ~np.isnan(column)
            for fold in score.folds:
                mine = defined & (folds == fold)
                found[label, fold] = PerUser(users[mine], column[mine])
        return found


def write(
    path: str | os.PathLike[str], source: Source, entries: Sequence[Entry], git: Mapping[str, Any] | None
) -> Baseline:
    """Write what was measured, or leave what was there as it is.

    Args:
        path: The file; a baseline that is there is replaced.
        source: Where the values per user come from.
        entries: What to write; at least one.
        git: ``{commit, dirty}`` of the repository around it, or None.

    Raises:
        BaselineError: There is nothing to write, or the file cannot be written, or is there and is something else.
        OmnibenchError: Values per user cannot be read.
    """
    if not entries:
        raise BaselineError("nothing is done, so there is nothing to compare with later; run the benchmarks first.")
    final = Path(os.path.realpath(Path(path).expanduser()))
    refuse_others(final)
    content = _sealed(_parquet(source, entries, git))
    try:
        replace_file(final, content)
    except OSError as error:
        raise BaselineError(f"the baseline {str(final)!r} cannot be written ({error}); nothing was changed.") from error
    return Baseline(final)


def _score(told: Mapping[str, Any]) -> Score:
    folds = {int(fold): value for fold, value in told["folds"].items()}
    return Score(told["metric"], told["higher_is_better"], folds, told["per_user"])


def _parquet(source: Source, entries: Sequence[Entry], git: Mapping[str, Any] | None) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    datasets = list(dict.fromkeys(entry.dataset for entry in entries))
    labels = list(dict.fromkeys(label for entry in entries for label, score in entry.scores.items() if score.per_user))
    numbers = itertools.count()
    groups = [next(numbers) if any(one.per_user for one in entry.scores.values()) else None for entry in entries]
    facts = {
        "format": FORMAT,
        "omnibench": __version__,
        "written": timestamp(),
        "git": git,
        "datasets": [
            {"name": one.name, "shown": one.shown, "key": one.key, "test": list(one.tests)} for one in datasets
        ],
        "entries": [
            {
                "dataset": datasets.index(entry.dataset),
                "algorithm": entry.algorithm,
                "shown": entry.shown,
                "configuration": entry.configuration,
                "finished": entry.finished,
                "row_group": group,
                "scores": {
                    label: {
                        "metric": score.identity,
                        "higher_is_better": score.higher_is_better,
                        "per_user": score.per_user,
                        "folds": score.folds,
                    }
                    for label, score in entry.scores.items()
                },
            }
            for entry, group in zip(entries, groups, strict=True)
        ],
    }
    text = pa.dictionary(pa.int32(), pa.string())
    keys = [pa.field(name, text, nullable=False) for name in ("dataset", "algorithm")]
    keys += [pa.field("fold", pa.int16(), nullable=False), pa.field("user", pa.int32(), nullable=False)]
    schema = pa.schema([*keys, *(pa.field(label, pa.float64()) for label in labels)])
    sink = io.BytesIO()
    with pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        use_dictionary=["dataset", "algorithm", *labels],
        column_encoding=dict.fromkeys(("fold", "user"), "DELTA_BINARY_PACKED"),
        write_statistics=False,
    ) as writer:
        for entry, group in zip(entries, groups, strict=True):
            if group is not None:
                table = _table(entry, source.values(entry), labels, schema)
                writer.write_table(table, row_group_size=max(1, table.num_rows))
        # The seal comes last, so that whatever stands in the facts is before it.
        writer.add_key_value_metadata({_FACTS: json.dumps(facts, ensure_ascii=False).encode(), _SEAL: _ZEROS})
    return sink.getvalue()


def _table(entry: Entry, values: Values, labels: Sequence[str], schema: pa.Schema) -> pa.Table:
    """Return the row group of an entry: its users fold by fold, nothing where a metric is undefined or absent."""
    import pyarrow as pa

    folds = sorted({fold for _, fold in values})
    users = [np.unique(np.concatenate([one.users for (_, at), one in values.items() if at == fold])) for fold in folds]
    counts = [len(some) for some in users]
    metrics = []
    for label in labels:
        column = np.full(sum(counts), np.nan)
        begin = 0
        for fold, some in zip(folds, users, strict=True):
            one = values.get((label, fold))
            if one is not None:
                column[begin + np.searchsorted(some, one.users)] = one.values
            begin += len(some)
        metrics.append(_array(column, schema.field(label).type))
    texts = [_repeated(name, sum(counts)) for name in (entry.dataset.shown, entry.shown)]
    numbers = _array(np.repeat(np.array(folds, "<i2"), counts), pa.int16())
    return pa.Table.from_arrays(
        [*texts, numbers, _array(np.concatenate(users).astype("<i4"), pa.int32()), *metrics], schema=schema
    )


def _repeated(text: str, times: int) -> pa.Array:
    """Return a text many times, as Arrow has it."""
    import pyarrow as pa

    content = text.encode()
    ends = pa.py_buffer(np.array([0, len(content)], "<i4"))
    once = pa.Array.from_buffers(pa.string(), 1, [None, ends, pa.py_buffer(content)])
    return pa.DictionaryArray.from_arrays(_array(np.zeros(times, "<i4"), pa.int32()), once)


def _array(values: npt.NDArray[Any], kind: pa.DataType) -> pa.Array:
    """Return numbers as Arrow has them, nothing where they are NaN; pa.array() would import pandas for that."""
    import pyarrow as pa

    known = ~np.isnan(values)
    bits = None if known.all() else pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [bits, pa.py_buffer(values)])


def _numbers(table: pa.Table, name: str, kind: str) -> npt.NDArray[Any]:
    """Return a column of numbers, NaN where there is nothing; Arrow's own conversion would import pandas."""
    chunk = table.column(name).chunk(0)
    known, content = chunk.buffers()
    values = np.frombuffer(content, kind, chunk.offset + len(chunk))[chunk.offset :]
    if not chunk.null_count:
        return values
    bits = np.unpackbits(np.frombuffer(known, np.uint8), bitorder="little")[chunk.offset : chunk.offset + len(chunk)]
    return np.where(bits, values, np.nan)


def _sealed(content: bytes) -> bytes:
    begin = content.rindex(_ZEROS)
    return content[:begin] + hashlib.sha256(content).hexdigest().encode() + content[begin + len(_ZEROS) :]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise BaselineError(f"there is no baseline {str(path)!r}; {_ANEW.replace('anew', 'first')}.") from None
    except OSError as error:
        raise BaselineError(f"the baseline {str(path)!r} cannot be read ({error}).") from error


def _seal_of(content: bytes) -> re.Match[bytes] | None:
    """Return where the digest stands: behind its name, Parquet's mark of a text, and its length."""
    place = content.rfind(_SEAL)
    return None if place < 0 else re.compile(rb".{2}([0-9a-f]{64})", re.DOTALL).match(content, place + len(_SEAL))


def _sound(path: Path, content: bytes) -> bytes:
    """Return the content of a baseline that is what was written.

    Raises:
        BaselineError: It is something else, or damaged.
    """
    if content.startswith(_POINTER):
        raise BaselineError(f"{str(path)!r} is Git LFS's pointer to a baseline; `git lfs pull` fetches the file.")
    seal = _seal_of(content)
    if seal is None:
        cut_off = content.startswith(_MAGIC) and not content.endswith(_MAGIC)
        trouble = "is cut off" if cut_off else "is no baseline of omnibench's"
        raise BaselineError(f"{str(path)!r} {trouble}; restore it, name another file, or {_ANEW}.")
    begin, end = seal.span(1)
    found = hashlib.sha256(content[:begin] + _ZEROS + content[end:]).hexdigest().encode()
    if found != seal[1]:
        raise BaselineError(f"the baseline {str(path)!r} is damaged (its sha256 differs); restore it, or {_ANEW}.")
    return content


def refuse_others(path: Path) -> None:
    """Refuse to replace a file that is something else than a baseline.

    Raises:
        BaselineError: It is, or its directory does not exist.
    """
    if not path.parent.is_dir():
        raise BaselineError(f"{str(path.parent)!r} is no directory, so {path.name!r} cannot be written there; make it.")
    if not path.exists():
        return
    content = _read(path)
    if content and _seal_of(content) is None and not content.startswith(_POINTER):
        raise BaselineError(
            f"{str(path)!r} is no baseline of omnibench's, so it is not replaced; remove it, or name another file."
        )
