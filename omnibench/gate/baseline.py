"""The baseline: one Parquet file of measurements, to be committed or kept, and to compare later ones with.

A row is a user in a fold of a dataset under a configuration: ``dataset``, ``algorithm``, ``fold``, ``user`` (a code; no
id of the user's), and a column for each metric. The file's metadata has what holds for all as JSON under ``omnibench``, the
entries under ``omnibench.entries`` (see ``baseline_lines``), each with where its rows are, and under ``omnibench.sha256`` the
digest of the whole file, computed with zeros in its place. The digest is checked first, so that pyarrow never reads a damaged
file. In format 1 the entries stand in the JSON under ``omnibench``, and each has a row group of its own.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench import __version__
from omnibench.arguments import checked_arguments
from omnibench.comparison.user_values import UserValues
from omnibench.errors import BaselineError
from omnibench.gate import baseline_form, baseline_lines
from omnibench.gate.baseline_file import (
    DIGEST_KEY,
    DIGEST_PLACEHOLDER,
    REWRITE_HINT,
    read,
    refuse_other_files,
    verified,
    with_digest,
)
from omnibench.gate.baseline_rows import NAMES, Rows, RowWriter, UserRows, schema_of
from omnibench.gate.entries import Dataset, Entry, EntrySource, ValuesByFold
from omnibench.gate.scores import Score
from omnibench.gate.series import summary
from omnibench.method_caches import cached_method
from omnibench.paths import expanded
from omnibench.store.artifacts import replace_file
from omnibench.store.schema import timestamp

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 2

_METADATA_KEY, _ENTRIES_KEY = b"omnibench", b"omnibench.entries"

_ROW_GROUPS_AT_HAND = 8
"""Row groups that are kept: entries of which values are asked for follow each other for the most part."""


class _NewerBaselineError(BaselineError):
    """A baseline is of a newer format than this omnibench reads."""


@checked_arguments
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
        self._content = verified(self.path, read(self.path))
        self._row_group = cached_method(self._row_group_numbered, _ROW_GROUPS_AT_HAND)
        try:
            self._take_metadata()
        except _NewerBaselineError:
            raise
        except BaselineError as error:
            raise self._other_form(str(error)) from error
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
            f"{str(self.path)!r} is no baseline that omnibench has written: {trouble}. Name another file, or {REWRITE_HINT}."
        )

    def _take_metadata(self) -> None:
        """Read the metadata.

        Raises:
            BaselineError: It is of another form; the message begins with what is wrong.
        """
        texts = self._file.metadata.metadata or {}
        metadata = baseline_form.parsed(texts.get(_METADATA_KEY, b"null"))
        if metadata["format"] > FORMAT:
            raise _NewerBaselineError(
                f"the baseline {str(self.path)!r} has the format {metadata['format']} of omnibench "
                f"{metadata.get('omnibench', '(unknown)')}; omnibench {__version__} reads formats up to {FORMAT}. Upgrade "
                f"omnibench, or {REWRITE_HINT}."
            )
        has_lines = metadata["format"] > 1
        baseline_form.check(metadata, has_entries=not has_lines)
        self.written: str = metadata["written"]
        self.omnibench: str = metadata["omnibench"]
        self.git: dict[str, Any] | None = metadata["git"]
        datasets = [
            Dataset(fields["name"], fields["shown"], fields["key"], tuple(fields["test"]))
            for fields in metadata["datasets"]
        ]
        lines = baseline_lines.unpacked(texts.get(_ENTRIES_KEY, b""))
        entries = map(baseline_form.parsed_entry, lines) if has_lines else metadata["entries"]
        counts = [self._file.metadata.row_group(number).num_rows for number in range(self._file.num_row_groups)]
        form = baseline_form.EntryForm(len(datasets), counts, shares_row_groups=has_lines)
        self._rows: list[Rows | None] = []
        self.entries: list[Entry] = []
        for index, fields in enumerate(entries):
            form.check(index, fields)
            self._rows.append(form.rows_of(fields))
            self.entries.append(_entry(index, fields, datasets))
        baseline_form.check_columns(self._file.schema_arrow, form.labels)

    def values(self, entry: Entry) -> ValuesByFold:
        """Return the values per user of an entry, by label and fold."""
        rows = self._rows[entry.index]
        if rows is None:
            return {}
        values_by_fold = {}
        try:
            user_rows = UserRows(self._row_group(rows.row_group), rows)
            for label, score in entry.scores.items():
                for fold, users, values in user_rows.values(label, [*score.folds]) if score.per_user else ():
                    values_by_fold[label, fold] = UserValues(users, values)
        except BaselineError as error:
            raise self._other_form(f"its row group {rows.row_group} {error}") from error
        return values_by_fold

    def _row_group_numbered(self, number: int) -> pa.Table:
        """Return a row group, each column in one piece."""
        import pyarrow as pa

        columns = [name for name in self._file.schema_arrow.names if name not in NAMES]
        try:
            return self._file.read_row_group(number, columns=columns).combine_chunks()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise BaselineError(f"cannot be read ({error})") from error


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
        replace_file(final, with_digest(_parquet(source, entries, git)))
    except OSError as error:
        raise BaselineError(f"the baseline {str(final)!r} cannot be written ({error}); nothing was changed.") from error
    return Baseline(final)


def _entry(index: int, fields: Mapping[str, Any], datasets: Sequence[Dataset]) -> Entry:
    """Return the entry with an index, of which the form was checked."""
    return Entry(
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


def _score(fields: Mapping[str, Any]) -> Score:
    folds = {int(fold): value for fold, value in fields["folds"].items()}
    return Score(fields["metric"], fields["higher_is_better"], folds, fields["per_user"])


def _fields(entry: Entry, dataset: int, rows: Rows | None) -> dict[str, Any]:
    """Return an entry as plain data; see ``_entry``.

    Args:
        entry: The entry.
        dataset: The position of its dataset.
        rows: Where its rows are; None where it has no values per user.
    """
    return {
        "dataset": dataset,
        "algorithm": entry.algorithm,
        "shown": entry.display_name,
        "configuration": entry.configuration,
        "finished": entry.finished,
        "sources": list(entry.sources),
        "deterministic": entry.deterministic,
        **({"chosen": entry.chosen} if entry.chosen else {}),
        **({"user_label": entry.user_label} if entry.user_label else {}),
        "rows": rows,
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


def _parquet(source: EntrySource, entries: Sequence[Entry], git: Mapping[str, Any] | None) -> bytes:
    import pyarrow.parquet as pq

    datasets = {dataset: number for number, dataset in enumerate(dict.fromkeys(entry.dataset for entry in entries))}
    labels = _labels_with_users(entries)
    head = {
        "format": FORMAT,
        "omnibench": __version__,
        "written": timestamp(),
        "git": git,
        "datasets": [
            {"name": dataset.name, "shown": dataset.display_name, "key": dataset.key, "test": list(dataset.tests)}
            for dataset in datasets
        ],
    }
    schema, sink = schema_of(labels), io.BytesIO()
    with pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        use_dictionary=[*NAMES, *labels],
        column_encoding=dict.fromkeys(("fold", "user"), "DELTA_BINARY_PACKED"),
        write_statistics=False,
    ) as writer:
        rows = RowWriter(writer, labels, schema)

        def lines() -> Iterator[dict[str, Any]]:
            for entry in entries:
                has_users = any(score.per_user for score in entry.scores.values())
                yield _fields(
                    entry, datasets[entry.dataset], rows.add(entry, source.values(entry)) if has_users else None
                )

        packed = baseline_lines.packed(lines())
        rows.flush()
        # The digest comes last, so that no text in the other metadata is taken for it.
        writer.add_key_value_metadata(
            {
                _METADATA_KEY: json.dumps(head, ensure_ascii=False).encode(),
                _ENTRIES_KEY: packed,
                DIGEST_KEY: DIGEST_PLACEHOLDER,
            }
        )
    return sink.getvalue()


def _labels_with_users(entries: Iterable[Entry]) -> list[str]:
    """Return the labels of the metrics of which some entry has values per user."""
    return list(dict.fromkeys(label for entry in entries for label, score in entry.scores.items() if score.per_user))
