"""The baseline: one Parquet file of measurements, to be committed or kept, and to compare later ones with.

A row is a user in a fold of a dataset under a configuration: ``dataset``, ``algorithm``, ``fold``, ``user`` (a code; no
id of the user's), and a column for each metric. A row group is one configuration on one dataset. The file's metadata
has the rest as JSON under ``omnibench``, and under ``omnibench.sha256`` the digest of the whole file, computed with
zeros in its place. The digest is checked first, so that pyarrow never reads a damaged file.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench import __version__
from omnibench.comparison.user_values import UserValues
from omnibench.errors import BaselineError
from omnibench.gate import baseline_form
from omnibench.gate.arrow import number_array, number_column, repeated_text
from omnibench.gate.entries import Dataset, Entry, EntrySource, Score, ValuesByFold
from omnibench.gate.series import summary
from omnibench.guest.distinct import distinct
from omnibench.paths import expanded, overlong_name
from omnibench.store.artifacts import replace_file
from omnibench.store.schema import timestamp

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1

_MAGIC = b"PAR1"
_METADATA_KEY, _DIGEST_KEY = b"omnibench", b"omnibench.sha256"
_DIGEST_PLACEHOLDER = b"0" * 64
_LFS_POINTER = b"version https://git-lfs"
_REWRITE_HINT = "write it anew: `omnibench baseline FILE`, or a run of pytest with --omnirec-baseline=FILE"


class _NewerBaselineError(BaselineError):
    """A baseline is of a newer format than this omnibench reads."""


class Baseline:
    """A baseline that was read from its file, to compare later measurements with.

    Args:
        path: The file.

    Attributes:
        path: The file.
        written: When it was written, as an ISO timestamp in UTC.
        omnibench: The version that wrote it.
        git: ``{commit, dirty}`` of the repository that it was written in, or None.
        entries: The measurements, one entry per configuration and dataset.

    Raises:
        BaselineError: It is not there, cannot be read, is damaged, is something else, or is of a newer format.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.abspath(expanded(path)))
        self._content = _verified(self.path, _read(self.path))
        metadata = self._parsed_metadata()
        self.written: str = metadata["written"]
        self.omnibench: str = metadata["omnibench"]
        self.git: dict[str, Any] | None = metadata["git"]
        datasets = [
            Dataset(fields["name"], fields["shown"], fields["key"], tuple(fields["test"]))
            for fields in metadata["datasets"]
        ]
        self._row_groups: list[int | None] = [fields["row_group"] for fields in metadata["entries"]]
        self.entries: list[Entry] = [
            Entry(
                datasets[fields["dataset"]],
                fields["algorithm"],
                fields["shown"],
                fields["configuration"],
                {label: _score(score) for label, score in fields["scores"].items()},
                fields["finished"],
                index,
                tuple(fields.get("sources", ())),  # which the first baselines lack
                fields.get("deterministic", False),  # likewise
                {int(fold): values for fold, values in fields.get("chosen", {}).items()},  # what is not tuned lacks it
                fields.get("user_label", ""),
            )
            for index, fields in enumerate(metadata["entries"])
        ]
        if len({entry.key for entry in self.entries}) < len(self.entries):
            raise self._other_form("two of its entries are of one dataset and configuration")

    def __repr__(self) -> str:
        return f"<Baseline {self.path}: {summary(self.entries)}, {self.age}>"

    @property
    def age(self) -> str:
        """The date and the commit of the baseline, e.g. ``of 2026-11-21, commit 1a2b3c4d``."""
        return f"of {self.written[:10]}" + (f", commit {self.git['commit'][:8]}" if self.git else "")

    @cached_property
    def _file(self) -> Any:
        """The opened file; its footer, which is as long as the file has entries, is read once."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return pq.ParquetFile(pa.BufferReader(self._content))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._other_form(f"Parquet's own metadata cannot be read ({error})") from error

    def _other_form(self, trouble: str) -> BaselineError:
        """Return the error about a file that is whole, and not what omnibench writes."""
        return BaselineError(
            f"{str(self.path)!r} is no baseline that omnibench has written: {trouble}. Name another file, or {_REWRITE_HINT}."
        )

    def _parsed_metadata(self) -> dict[str, Any]:
        try:
            return self._checked_metadata()
        except _NewerBaselineError:
            raise
        except BaselineError as error:
            raise self._other_form(str(error)) from error

    def _checked_metadata(self) -> dict[str, Any]:
        metadata = baseline_form.parsed((self._file.metadata.metadata or {}).get(_METADATA_KEY, b"null"))
        if metadata["format"] > FORMAT:
            raise _NewerBaselineError(
                f"the baseline {str(self.path)!r} has the format {metadata['format']} of omnibench "
                f"{metadata.get('omnibench', '(unknown)')}; omnibench {__version__} reads formats up to {FORMAT}. Upgrade "
                f"omnibench, or {_REWRITE_HINT}."
            )
        baseline_form.check(metadata, self._file.metadata.num_row_groups)
        baseline_form.check_columns(self._file.schema_arrow, metadata["entries"])
        return metadata

    def values(self, entry: Entry) -> ValuesByFold:
        """Return the values per user of an entry, by label and fold."""
        row_group = self._row_groups[entry.index]
        if row_group is None:
            return {}
        table = self._row_group(row_group)
        if not table.num_rows:
            raise self._other_form(f"its row group {row_group} has no rows")
        folds, users = number_column(table, "fold", "<i2"), number_column(table, "user", "<i4")
        if table.column("fold").null_count or table.column("user").null_count:
            raise self._other_form(f"its row group {row_group} lacks folds or users")
        if not ((positions := folds.astype(np.int64) << 32 | users)[:-1] < positions[1:]).all() or users.min() < 0:
            raise self._other_form(f"its row group {row_group} has a user twice, or users in no order")
        values_by_fold = {}
        for label, score in entry.scores.items():
            if not score.per_user:
                continue
            column = number_column(table, label, "<f8")
            defined = ~np.isnan(column)
            for fold in score.folds:
                in_fold = defined & (folds == fold)
                if not in_fold.any():
                    raise self._other_form(f"its row group {row_group} has no values of {label} in fold {fold}")
                values_by_fold[label, fold] = UserValues(users[in_fold], column[in_fold])
        return values_by_fold

    def _row_group(self, number: int) -> pa.Table:
        """Return a row group, each column in one piece."""
        import pyarrow as pa

        try:
            return self._file.read_row_group(number).combine_chunks()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._other_form(f"its row group {number} cannot be read ({error})") from error


def write(
    path: str | os.PathLike[str], source: EntrySource, entries: Sequence[Entry], git: Mapping[str, Any] | None
) -> Baseline:
    """Write a baseline; where that fails, the file that was there stays as it was.

    Args:
        path: The file; a baseline that is there is replaced.
        source: The source of the values per user.
        entries: The entries to write; at least one.
        git: ``{commit, dirty}`` of the repository around it, or None.

    Raises:
        BaselineError: There is nothing to write, or the file cannot be written, or is there and is something else.
        OmnibenchError: Values per user cannot be read.
    """
    if not entries:
        raise BaselineError("nothing is done, so there is nothing to compare with later; run the benchmarks first.")
    final = Path(os.path.realpath(expanded(path)))
    refuse_other_files(final)
    try:
        replace_file(final, _with_digest(_parquet(source, entries, git)))
    except OSError as error:
        raise BaselineError(f"the baseline {str(final)!r} cannot be written ({error}); nothing was changed.") from error
    return Baseline(final)


def _score(fields: Mapping[str, Any]) -> Score:
    folds = {int(fold): value for fold, value in fields["folds"].items()}
    return Score(fields["metric"], fields["higher_is_better"], folds, fields["per_user"])


def _parquet(source: EntrySource, entries: Sequence[Entry], git: Mapping[str, Any] | None) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    datasets = list(dict.fromkeys(entry.dataset for entry in entries))
    labels = list(dict.fromkeys(label for entry in entries for label, score in entry.scores.items() if score.per_user))
    group_numbers = itertools.count()
    row_groups = [
        next(group_numbers) if any(score.per_user for score in entry.scores.values()) else None for entry in entries
    ]
    metadata = {
        "format": FORMAT,
        "omnibench": __version__,
        "written": timestamp(),
        "git": git,
        "datasets": [
            {
                "name": dataset.name,
                "shown": dataset.display_name,
                "key": dataset.key,
                "test": list(dataset.tests),
            }
            for dataset in datasets
        ],
        "entries": [
            {
                "dataset": datasets.index(entry.dataset),
                "algorithm": entry.algorithm,
                "shown": entry.display_name,
                "configuration": entry.configuration,
                "finished": entry.finished,
                "sources": list(entry.sources),
                "deterministic": entry.deterministic,
                **({"chosen": entry.chosen} if entry.chosen else {}),
                **({"user_label": entry.user_label} if entry.user_label else {}),
                "row_group": row_group,
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
            for entry, row_group in zip(entries, row_groups, strict=True)
        ],
    }
    text_type = pa.dictionary(pa.int32(), pa.string())
    keys = [pa.field(name, text_type, nullable=False) for name in ("dataset", "algorithm")]
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
        for entry, row_group in zip(entries, row_groups, strict=True):
            if row_group is not None:
                table = _row_group(entry, source.values(entry), labels, schema)
                writer.write_table(table, row_group_size=max(1, table.num_rows))
        # The digest comes last, so that no text in the other metadata is taken for it.
        writer.add_key_value_metadata(
            {_METADATA_KEY: json.dumps(metadata, ensure_ascii=False).encode(), _DIGEST_KEY: _DIGEST_PLACEHOLDER}
        )
    return sink.getvalue()


def _row_group(entry: Entry, values: ValuesByFold, labels: Sequence[str], schema: pa.Schema) -> pa.Table:
    """Return the row group of an entry: its users fold by fold, null where a metric is undefined or absent."""
    import pyarrow as pa

    folds = sorted({fold for _, fold in values})
    users = [
        distinct(np.concatenate([column.users for (_, number), column in values.items() if number == fold]))
        for fold in folds
    ]
    counts = [len(codes) for codes in users]
    metrics = []
    for label in labels:
        column = np.full(sum(counts), np.nan)
        start = 0
        for fold, codes in zip(folds, users, strict=True):
            measured = values.get((label, fold))
            if measured is not None:
                column[start + np.searchsorted(codes, measured.users)] = measured.values
            start += len(codes)
        metrics.append(number_array(column, schema.field(label).type))
    names = [repeated_text(name, sum(counts)) for name in (entry.dataset.display_name, entry.display_name)]
    fold_numbers = number_array(np.repeat(np.array(folds, "<i2"), counts), pa.int16())
    return pa.Table.from_arrays(
        [*names, fold_numbers, number_array(np.concatenate(users).astype("<i4"), pa.int32()), *metrics], schema=schema
    )


def _with_digest(content: bytes) -> Iterator[bytes | memoryview]:
    """Yield the parts of a baseline's content with its digest, which are no copies: there may be a hundred megabytes."""
    start, whole = content.rindex(_DIGEST_PLACEHOLDER), memoryview(content)
    yield whole[:start]
    yield hashlib.sha256(content).hexdigest().encode()
    yield whole[start + len(_DIGEST_PLACEHOLDER) :]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise BaselineError(f"there is no baseline {str(path)!r}; {_REWRITE_HINT.replace('anew', 'first')}.") from None
    except OSError as error:
        raise BaselineError(f"the baseline {str(path)!r} cannot be read ({error}); name another file.") from error


def _digest_match(content: bytes) -> re.Match[bytes] | None:
    """Find the digest, which stands behind its key, Parquet's mark of a text, and its length."""
    position = content.rfind(_DIGEST_KEY)
    if position < 0:
        return None
    return re.compile(rb".{2}([0-9a-f]{64})", re.DOTALL).match(content, position + len(_DIGEST_KEY))


def _verified(path: Path, content: bytes) -> bytes:
    """Return the content of a baseline, once its digest has been checked.

    Raises:
        BaselineError: It is something else, or damaged.
    """
    if content.startswith(_LFS_POINTER):
        raise BaselineError(f"{str(path)!r} is Git LFS's pointer to a baseline; `git lfs pull` fetches the file.")
    match = _digest_match(content)
    if match is None:
        cut_off = content.startswith(_MAGIC) and not content.endswith(_MAGIC)
        trouble = "is cut off" if cut_off else "is no baseline of omnibench's"
        raise BaselineError(
            f"{str(path)!r} {trouble}; restore it, name another file, or remove it and {_REWRITE_HINT}."
        )
    begin, end = match.span(1)
    digest = hashlib.sha256()
    whole = memoryview(content)  # of which slices are no copies
    for part in (whole[:begin], _DIGEST_PLACEHOLDER, whole[end:]):
        digest.update(part)
    if digest.hexdigest().encode() != match[1]:
        raise BaselineError(
            f"the baseline {str(path)!r} is damaged (its sha256 differs); restore it, or {_REWRITE_HINT}."
        )
    return content


def refuse_other_files(path: Path) -> None:
    """Refuse to replace a file that is not a baseline.

    Raises:
        BaselineError: The file is something else, or its directory does not exist.
    """
    if overlong := overlong_name(path):
        raise BaselineError(f"{overlong}; give a shorter one.")
    if not path.parent.is_dir():
        raise BaselineError(f"{str(path.parent)!r} is no directory, so {path.name!r} cannot be written there; make it.")
    if not path.exists():
        return
    content = _read(path)
    if content and _digest_match(content) is None and not content.startswith(_LFS_POINTER):
        raise BaselineError(
            f"{str(path)!r} is no baseline of omnibench's, so it is not replaced; remove it, or name another file."
        )
