"""Files of trec_eval's forms for what a store has: a run for each item's lists, and qrels for each test part."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from omnibench.comparison.current import current_items, names_of
from omnibench.data.stored_ids import read_ids
from omnibench.errors import ExportError, StoreError
from omnibench.guest.folds import Fold
from omnibench.guest.predictions import read_predictions
from omnibench.naming import first_few
from omnibench.report.files import replace
from omnibench.store.artifacts import resolve
from omnibench.store.beneath import tree
from omnibench.store.queries import Store
from omnibench.store.schema import DROPPED, Record, RecordType, Status
from omnibench.store.selection import select, select_datasets
from omnibench.tables.names import recorded_names

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_BLANK = re.compile(r"\s")
_NAMED_ITEMS = 3
"""Items that a note names; it counts the others."""

_ESCAPED = re.compile(r"[\s%]")


class RunFiles(NamedTuple):
    """What was written.

    Attributes:
        files: The files, in the order in which they were written.
        notes: What is to be said of them, a sentence each.
    """

    files: list[Path]
    notes: list[str]


def write_run_files(
    store: Store,
    directory: Path,
    *,
    datasets: Sequence[str] = (),
    algorithms: Sequence[str] = (),
    all_items: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> RunFiles:
    """Write the lists of a store's items as runs, and their test parts as qrels.

    They are ``DATASET/fold_0/ALGORITHM.run`` and ``DATASET/fold_0/test.qrels`` below the directory, without the fold
    where there is one split. A run's order is that of the lists under trec_eval's sorting, too: scores that 32 bits do not
    tell apart are replaced by numbers made of the ranks.

    Args:
        store: The store.
        directory: Where to write; it is made where it is missing.
        datasets: Only these, by their names, with or without the hash.
        algorithms: Only what these texts stand for; see ``docs/store.md``, "Naming items".
        all_items: Also what is not in the last plan, and earlier versions of own classes.
        notify: Called with the sentence about what was left out.

    Raises:
        ExportError: There is nothing to write, a file cannot be written, or an id has no form in a run.
        StoreError: The store cannot be read.
    """
    records = store.brief_records()
    items = _chosen(store, records, datasets, algorithms, all_items=all_items, notify=notify)
    labels = recorded_names(items)
    files: list[Path] = []
    notes: list[str] = []
    without_lists: list[str] = []
    tied: list[str] = []
    by_test: dict[tuple[str, int | None], list[Record]] = {}
    for item in items:
        by_test.setdefault((item["dataset"], item["fold"]), []).append(item)
    for (dataset, fold_number), of_test in by_test.items():
        prepared = _prepared(store, of_test[0])
        fold = Fold(prepared, fold_number or 0)
        users, items_names = (_Names.of(read_ids(prepared, name), f"{dataset}, {name}") for name in ("users", "items"))
        notes += [f"{labels.dataset(dataset)}: {names.note}" for names in (users, items_names) if names.note]
        folder = directory / dataset / (f"fold_{fold_number}" if fold_number is not None else "")
        _make(folder)
        runs = []
        for item in of_test:
            lists = _lists(store, item)
            if lists is None:
                without_lists.append(labels.recorded_item(item))
                continue
            scores = _scores(lists)
            if not scores.are_own:
                tied.append(labels.recorded_item(item))
            tag = _BLANK.sub("_", labels.configuration(item["algorithm"]))
            text = "".join(_run_lines(lists, scores.values, users.names, items_names.names, tag))
            runs.append(_written(folder / f"{item['algorithm']}.run", text))
        if runs:
            text = "".join(_qrels_lines(fold, users.names, items_names.names))
            files += [_written(folder / "test.qrels", text), *runs]
    if not files:
        raise ExportError(
            f"no item of {str(store.root)!r} has lists; runs are of rankings, so measure a metric of them, e.g. NDCG(10)."
        )
    for labels_of, words in (
        (tied, "the scores of {} runs are made of the ranks, because 32 bits do not tell their own apart"),
        (without_lists, "{} items have predicted ratings alone, or their predictions are not there any more"),
    ):
        if labels_of:
            notes.append(f"{words.format(len(labels_of))}: {first_few(labels_of, _NAMED_ITEMS)}")
    return RunFiles(files, notes)


def _chosen(
    store: Store,
    records: Mapping[str, Record],
    datasets: Sequence[str],
    algorithms: Sequence[str],
    *,
    all_items: bool,
    notify: Callable[[str], None],
) -> list[Record]:
    """Return the records of the items that are done and meant."""
    everything = store.items_in(dict(records))
    items = everything
    if not all_items and not algorithms and not datasets:
        current = current_items(records)
        names = names_of(current.items)
        items = {name: item for name, item in everything.items() if name in names}
        notify(current.notice())
    try:
        named = set(items) if not algorithms else {name for text in algorithms for name in select(text, items)}
        of_datasets = (
            set(items)
            if not datasets
            else {
                name
                for text in datasets
                for name, item in items.items()
                if item["dataset"] in select_datasets(text, items)
            }
        )
    except StoreError as error:
        raise ExportError(str(error)) from error
    done = [item for name, item in items.items() if name in named & of_datasets and item["status"] == Status.DONE]
    if not done:
        raise ExportError(f"no item of {str(store.root)!r} that is meant is done, so there is nothing to write.")
    return sorted(done, key=lambda item: (item["dataset"], item["fold"] or 0, item["algorithm"]))


def _prepared(store: Store, item: Record) -> Path:
    root, record = store.root, store.record(RecordType.DATA.key(item.get("data_key") or ""))
    if record is None or record.get(DROPPED) or not (root / record["directory"]).is_dir():
        raise ExportError(
            f"the prepared dataset {item['dataset']} is not there, which says what is relevant; run its benchmark again, and it "
            "is made anew."
        )
    return tree(root, record["directory"])


def _lists(store: Store, item: Record) -> npt.NDArray[np.void] | None:
    """Return the lists that an item's metrics are made of; None where it has none."""
    whole = store.record(RecordType.ITEM.key(item["fit_key"])) or item  # those of many lack what few are asked for
    record = store.record(RecordType.PREDICT.key(whole.get("predict_key") or ""))
    path = None if record is None else resolve(record["predictions"], store.root)
    return None if path is None or not path.is_file() else read_predictions(path).lists


class _Names(NamedTuple):
    """What ids are called in files whose fields are separated by blanks."""

    names: list[str]
    note: str

    @classmethod
    def of(cls, ids: Sequence[Hashable], source: str) -> _Names:
        names = [str(own_id) for own_id in ids]
        if "" in names:
            raise ExportError(f"{source}: an id is an empty text, which a run cannot hold; give it a name.")
        with_blanks = [name for name in names if _BLANK.search(name)]
        if not with_blanks:
            return cls(names, "")
        escaped = [_ESCAPED.sub(lambda match: quote(match[0], safe=""), name) for name in names]
        example = escaped[names.index(with_blanks[0])]
        noun = source.rpartition(" ")[2]
        return cls(
            escaped,
            f"ids of {noun} have blanks, which are written as in addresses: {with_blanks[0]!r} is {example!r}, '%' is '%25'",
        )


class _Scores(NamedTuple):
    """The scores of lists in a run, and whether they are the algorithm's own."""

    values: npt.NDArray[np.float32] | npt.NDArray[np.float64]
    are_own: bool


def _scores(lists: npt.NDArray[np.void]) -> _Scores:
    """Return scores that fall from rank to rank also in 32 bits, which trec_eval keeps them in."""
    with np.errstate(over="ignore"):
        single = lists["score"].astype(np.float32)
    is_next = lists["item"][:, 1:] >= 0
    falls = (single[:, 1:] < single[:, :-1]) & np.isfinite(single[:, 1:]) & np.isfinite(single[:, :-1])
    if (falls | ~is_next).all():
        return _Scores(lists["score"], True)
    length = lists["item"].shape[1]
    return _Scores(np.broadcast_to(np.arange(length, 0, -1, dtype=np.float64), lists["item"].shape), False)


def _run_lines(
    lists: npt.NDArray[np.void], scores: npt.NDArray[np.floating], users: Sequence[str], items: Sequence[str], tag: str
) -> Iterator[str]:
    for user, of_user, of_scores in zip(lists["user"].tolist(), lists["item"].tolist(), scores.tolist(), strict=True):
        for rank, (item, score) in enumerate(zip(of_user, of_scores, strict=True), start=1):
            if item >= 0:
                yield f"{users[user]} Q0 {items[item]} {rank} {score!r} {tag}\n"


def _qrels_lines(fold: Fold, users: Sequence[str], items: Sequence[str]) -> Iterator[str]:
    pairs = dict.fromkeys(zip(fold.test.user.tolist(), fold.test.item.tolist(), strict=True))
    for user, item in pairs:
        yield f"{users[user]} 0 {items[item]} 1\n"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(
            f"{str(folder)!r} cannot be made ({error.strerror or error}); name another directory."
        ) from error


def _written(path: Path, text: str) -> Path:
    replace(path, text.encode("utf-8", "surrogatepass"))
    return path
