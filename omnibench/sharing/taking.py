"""Taking items over: what a store lacks of a source goes in under its key, what contradicts it is told and left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from omnibench.errors import SharingError
from omnibench.keys import recorded_text, sha256
from omnibench.sharing.bundles import OF_PHASES, Bundle
from omnibench.sharing.comparing import Difference, additions, differences, with_metrics_of
from omnibench.sharing.sources import Source
from omnibench.store import CheckpointStore
from omnibench.store.changes import portions
from omnibench.store.item_names import title_of
from omnibench.store.leases import Lease, free_leases
from omnibench.store.reader import Reader
from omnibench.store.schema import DROPPED, Artifact, Record, RecordType, Status
from omnibench.store.stops import STOPPED
from omnibench.store.taken import computed_by, mark
from omnibench.store.written_names import stem_of

_CONTEXT = (RecordType.RUN, RecordType.DATA, RecordType.SEARCH, RecordType.TRIAL)
"""The types of records that items refer to."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """An item of which two stores say different things under the same keys.

    Attributes:
        title: What people call it.
        fit_key: Its key.
        differences: What differs.
        ours: Who has computed it here, when, with which versions.
        theirs: The same of the other store.
    """

    title: str
    fit_key: str
    differences: Sequence[Difference]
    ours: str
    theirs: str


@dataclass
class Outcome:
    """What came of taking items over.

    Attributes:
        gained: The names of items that were not done here and are now.
        extended: The names of items that have got metrics, lists or models.
        equal: How many items were here already, with all that the source has.
        conflicts: The items that were left alone because the stores contradict each other.
        refused: Why an item of the source cannot be used, by what people call it.
        busy: How many items somebody computes right now, so that they were left alone.
        absent: How many items the source does not have.
        models: How many models were left where they are.
    """

    gained: list[str] = field(default_factory=list)
    extended: list[str] = field(default_factory=list)
    equal: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    busy: int = 0
    absent: int = 0
    models: int = 0


def take_over(
    store: CheckpointStore,
    source: Source,
    fit_keys: Sequence[str],
    *,
    models: bool = False,
    progress: Callable[[int, int], None] = lambda _, __: None,
) -> Outcome:
    """Take items over into a store; whatever is killed in between, each is there whole or not at all.

    Args:
        store: The store.
        source: What they are taken from.
        fit_keys: The keys of the items.
        models: Whether models are taken over, too: loading one runs what is in it.
        progress: Called with how many items were looked at, and how many there are.

    Raises:
        SharingError: The source cannot be read any more; what was taken over before stays.
        StoreError: The store cannot be written.
    """
    outcome, done = Outcome(), 0
    for portion in portions(fit_keys):
        busy: list[str] = []
        with free_leases(store.lease, portion, busy) as leases:
            _take_portion(store, source, leases, outcome, models=models)
        outcome.busy += len(busy)
        done += len(portion)
        progress(done, len(fit_keys))
    return outcome


def _take_portion(
    store: CheckpointStore, source: Source, leases: Mapping[str, Lease], outcome: Outcome, *, models: bool
) -> None:
    offers = list(source.offers(list(leases)))
    own = store.read(lambda reader: _own_records(reader, [offer.bundle for offer in offers if offer.bundle]))
    records: dict[str, Record] = {}
    context: dict[str, Record] = {}
    takings: list[_Taking] = []
    for offer in offers:
        if offer.bundle is None:
            if offer.trouble:
                outcome.refused[offer.fit_key] = offer.trouble
            else:
                outcome.absent += 1
            continue
        takings.append(_Taking(store, source, offer.bundle, own, models=models))
    with (
        store.temporary() as scratch,
        source.fetching([file for taking in takings for file in taking.files()], scratch),
    ):
        for taking in takings:
            changed = taking.records(outcome)
            if changed:
                records |= changed
                context |= dict(taking.bundle.of_type(*_CONTEXT))
    if records:
        _register(store, {key: record for key, record in context.items() if key not in own})
        store.commit(list(leases.values()), records)


def _own_records(reader: Reader, bundles: Sequence[Bundle]) -> dict[str, Record]:
    """Return what a store has under the keys of bundles, and of their items."""
    keys = {key for bundle in bundles for key in bundle.records}
    keys |= {RecordType.TAKEN.key(bundle.fit_key) for bundle in bundles}
    records = {key: record for key in keys if (record := reader.get(key)) is not None}
    for item in [record for key, record in records.items() if RecordType.ITEM.has(key)]:  # whose run it was
        key = RecordType.RUN.key(str(item.get("run")))
        if key not in records and (run := reader.get(key)) is not None:
            records[key] = run
    return records


def _register(store: CheckpointStore, records: Mapping[str, Record]) -> None:
    """Add what items refer to, which is not there yet; datasets that somebody prepares right now add themselves."""
    store.register({key: record for key, record in records.items() if not RecordType.DATA.has(key)})
    datasets = {RecordType.DATA.identity(key): record for key, record in records.items() if RecordType.DATA.has(key)}
    busy: list[str] = []
    with free_leases(store.lease, [f"data-{key}" for key in datasets], busy) as leases:
        free = [key for key in datasets if f"data-{key}" in leases]
        present = store.read(lambda reader: reader.present([RecordType.DATA.key(key) for key in free]))
        for key in free:
            if RecordType.DATA.key(key) in present:
                continue
            record = datasets[key]
            directory = store.claim(store.root / "datasets", str(record["name"]), key)
            path = directory.relative_to(store.root).as_posix()
            store.commit(leases[f"data-{key}"], {RecordType.DATA.key(key): {**record, "directory": path}})


def _with_members(records: Mapping[str, Record]) -> Iterator[tuple[str, str, Record]]:
    """Yield the records that name a file, with their keys and the member that does."""
    for key, record in records.items():
        member = next((OF_PHASES[of] for of in OF_PHASES if of.has(key)), "")
        if member and record.get(member):
            yield key, member, record


class _Taking:
    """Takes one item over.

    Args:
        store: The store.
        source: What it is taken from.
        bundle: What the source says of it.
        own: What the store has under the keys of the bundle, and of others.
        models: Whether models are taken over.
    """

    def __init__(
        self, store: CheckpointStore, source: Source, bundle: Bundle, own: Mapping[str, Record], *, models: bool
    ) -> None:
        self._store, self._source, self._own, self._models = store, source, own, models
        self.bundle = bundle
        self._contradictions = differences(own, bundle)
        self._added = {} if self._contradictions else additions(own, bundle, models=models)

    def files(self) -> Iterator[Artifact]:
        """Yield the files that will be copied."""
        return (record[member] for _, member, record in _with_members(self._added) if not record.get(DROPPED))

    def records(self, outcome: Outcome) -> dict[str, Record]:
        """Return the records to be committed, once their files are in place; none where nothing is to be done."""
        bundle, title = self.bundle, title_of(self.bundle.item)
        own_item = self._own.get(RecordType.ITEM.key(bundle.fit_key))
        if self._contradictions:
            ours, theirs = provenances([(own_item or {}, self._own), (bundle.item, bundle.records)])
            outcome.conflicts.append(Conflict(title, bundle.fit_key, self._contradictions, ours, theirs))
            return {}
        added = self._added
        is_done = own_item is not None and own_item["status"] == Status.DONE
        item = with_metrics_of(own_item, bundle.item) if is_done else self._item(own_item)
        if not added and item is None:
            outcome.equal += 1
            return {}
        try:
            records = self._with_files(added, own_item)
        except SharingError as error:
            outcome.refused[title] = str(error)
            return {}
        if item is not None:
            records[RecordType.ITEM.key(bundle.fit_key)] = {**item, "directory": self._directory}
        records |= self._mark(added, item)
        (outcome.extended if is_done else outcome.gained).append(title)
        if not self._models:
            outcome.models += sum(member == "model" for _, member, _ in bundle.files())
        return records

    def _item(self, own_item: Record | None) -> Record:
        """Return the record of the item as it is here from now on, which was not done here."""
        left = {name: member for name, member in self.bundle.item.items() if name not in (STOPPED, "snapshot")}
        return {**left, "exported": 0, "generation": (own_item or {}).get("generation", 0), "failures": 0, "deaths": 0}

    def _claimed(self) -> Path:
        item = self.bundle.item
        identity = item["identity"][1]
        store = self._store
        parent = store.claim(store.root, stem_of(item["dataset"]), identity["data"])
        base = store.claim(parent, stem_of(item["algorithm"]), sha256(recorded_text(identity["configuration"])))
        base = base if item["fold"] is None else base / f"fold_{item['fold']}"
        store.make_directory(base)
        return base

    def _with_files(self, added: Mapping[str, Record], own_item: Record | None) -> dict[str, Record]:
        """Return records as they are here, after their files were copied, checked and published.

        Raises:
            SharingError: A file is not what its record says.
        """
        from omnibench.sharing.contents import check_contents  # by numpy, which the help of no command needs

        base, store = self._claimed(), self._store
        self._directory = base.relative_to(store.root).as_posix()
        generation = (own_item or {}).get("generation", 0)
        home = base / f"generation_{generation}" if generation else base
        published: dict[str, Record] = {}
        records: dict[str, Record] = {}
        with store.temporary() as scratch:
            for key, original in added.items():
                member = next((OF_PHASES[of] for of in OF_PHASES if of.has(key)), "")
                artifact = original.get(member)
                record = {**original, "directory": self._directory}
                if artifact and record.get(DROPPED):
                    final = home / PurePosixPath(artifact["path"]).name
                    record[member] = {**artifact, "path": final.relative_to(store.root).as_posix()}
                elif artifact:
                    name = PurePosixPath(artifact["path"]).name
                    if name not in published:  # metrics that were computed together share their file
                        partial = scratch / name
                        self._source.copy(artifact, partial)
                        check_contents(partial, member, self._naming(name, member, added), self._dataset)
                        published[name] = dict(store.publish(partial, home / name, until_commit=True))
                    record[member] = published[name]
                    if published[name]["sha256"] != artifact["sha256"]:
                        raise SharingError(f"two of its records say different things of {name}")
                    if "batch" in record:
                        record["batch"] = published[name]["path"]
                records[key] = record
        return records

    @staticmethod
    def _naming(name: str, member: str, added: Mapping[str, Record]) -> list[Record]:
        """Return the records that name a file."""
        records = (record for _, of_record, record in _with_members(added) if of_record == member)
        return [record for record in records if PurePosixPath(record[member]["path"]).name == name]

    @property
    def _dataset(self) -> Record:
        key = RecordType.DATA.key(str(self.bundle.item["identity"][1]["data"]))
        return self._own.get(key) or self.bundle.records.get(key, {})

    def _mark(self, added: Mapping[str, Record], item: Record | None) -> dict[str, Record]:
        """Return the record of what is taken over."""
        bundle = self.bundle
        key = RecordType.TAKEN.key(bundle.fit_key)
        metrics = {
            label: metric["key"]
            for label, metric in bundle.item["metrics"].items()
            if RecordType.EVAL.key(metric["key"]) in added or item is not None
        }
        earlier = self._own.get(key, {}).get("marks", [])
        own_item = self._own.get(RecordType.ITEM.key(bundle.fit_key), {})
        if own_item.get("status") == Status.DONE:
            metrics = {label: value for label, value in metrics.items() if label not in own_item["metrics"]}
        if not metrics:
            return {}
        new = mark(self._source.name, computed_by(bundle.run), bundle.sha256, metrics)
        labels = {name: bundle.item[name] for name in ("item", "fit_key")}
        return {key: {**labels, "directory": self._directory, "marks": [*earlier, new]}}


def provenances(sides: Sequence[tuple[Record, Mapping[str, Record]]]) -> list[str]:
    """Return who has computed an item in each of two stores, when and with what, as far as it is recorded.

    Of versions those are named in which the stores differ.

    Args:
        sides: The item's record in each store, and the records that it refers to.
    """
    runs = [records.get(RecordType.RUN.key(str(item.get("run"))), {}) for item, records in sides]
    versions = [run.get("versions") or {} for run in runs]
    differing = [
        name for name in dict.fromkeys([*versions[0], *versions[1]]) if versions[0].get(name) != versions[1].get(name)
    ]
    texts = []
    for (item, records), run, of_run in zip(sides, runs, versions, strict=True):
        git = f"git {run['git']['commit'][:12]}{' (changed)' if run['git']['dirty'] else ''}" if run.get("git") else ""
        version = records.get(RecordType.FIT.key(str(item.get("fit_key"))), {}).get("version")
        named = ", ".join(f"{name} {of_run[name]}" for name in differing if name in of_run)
        parts = [
            computed_by(run) or "unknown",
            str(item.get("finished") or ""),
            f"framework {version}" if version else "",
            git,
            named,
        ]
        texts.append("; ".join(filter(None, parts)))
    return texts


def pending_keys(records: Mapping[str, Record]) -> Iterator[str]:
    """Yield the keys of the items of a plan that are not done, as they are recorded."""
    planned = {
        key for record_key, record in records.items() if RecordType.PLAN.has(record_key) for key in record["items"]
    }
    items = {record["fit_key"]: record for key, record in records.items() if RecordType.ITEM.has(key)}
    for fit_key in sorted(planned | items.keys()):
        item = items.get(fit_key)
        if (fit_key in planned or not planned) and (item is None or item["status"] != Status.DONE):
            yield fit_key
