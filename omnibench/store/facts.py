"""Facts about an item: what it was made of, with which result, and how, when and where that was computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from omnibench.code import SEED_NAMES
from omnibench.data.words import recipe_words, source_words
from omnibench.keys import recorded_text, sha256
from omnibench.store.frames import phase_rows
from omnibench.store.item_names import asks_once, title_of
from omnibench.store.item_records import failure_text, result_of
from omnibench.store.resumption import resumable, resume_text, snapshot_rows
from omnibench.store.schema import (
    COMPUTED,
    DROPPED,
    PHASE_OF,
    SEARCHED,
    UNSUPPLIED,
    Record,
    RecordType,
    Status,
    configuration_in,
    snapshot_identity,
)
from omnibench.store.searches import fit_of
from omnibench.store.series import Epoch, series_facts, series_records, series_words
from omnibench.store.states import RecordsInMemory, RecordSource
from omnibench.store.tuned_items import facts_of, searches_by_key, tuned_item, tuning_lines
from omnibench.store.why import expanded, explain, recipes_of, without_long_digests
from omnibench.terminal import terminal_line

_MADE_OF = ("salt", "seed", "version", "adapter", "device", "threads", "refit", "code")
"""What is part of a configuration's key beside its algorithm and hyperparameters."""

_SEARCH = "search"
"""What a tuned configuration's key has beside that: its search space, its budget, how trials are proposed."""

_MOST_DEFAULTS = 10
"""Hyperparameters that nobody has chosen and that are shown; as JSON there are all."""

_RUN_MEMBERS = ("host", "user", "platform", "cores", "command", "cwd", "git")


class FactSource:
    """Gathers the facts about the items of a store.

    Args:
        records: All records of the store, or those that tell of the items that are asked for.
        datasets: What is known already of datasets, by key, name and fold; it becomes more.
    """

    def __init__(
        self, records: Mapping[str, Record], datasets: dict[tuple[str, str, int | None], dict[str, Any]] | None = None
    ) -> None:
        self._records = records
        self._datasets = {} if datasets is None else datasets
        self._recipes = recipes_of(records)
        self._phase_records: dict[str, dict[str, Record]] = {}
        for key, record in records.items():
            if RecordType.of(key) in PHASE_OF:
                self._phase_records.setdefault(record["fit_key"], {})[key] = record

    def facts_of(self, item: Record) -> dict[str, Any]:
        """Return the facts about an item as plain data; what older versions have not recorded is None, or is missing.

        Args:
            item: Its record, with its status as of now; see ``queries.Store.items``.

        Returns:
            ``item``, ``title`` (its name for people), ``fit_key``, ``status`` and ``error``; ``dataset`` (name, key,
            its recipe in ``words`` and as data, source, seed, sizes, and the ``digests`` of its arrays); ``fold``; what its
            ``seeds`` have to do with each other, as a text; ``algorithm`` (name, parameters, all ``effective`` ones,
            ``notes`` on the model, what else is in the key); ``metrics`` by label;
            ``predictions`` (their sha256); ``phases`` by name, each with its costs, and in ``circumstances`` what is
            part of no key: host, threads, versions, git commit; ``attempts``, the parts of a Fit that went on from
            snapshots, or would, each with its costs; ``snapshots``, as ``resumption.snapshot_rows`` has them; ``series``,
            the losses and validation values by epoch in short (see ``series.series_facts``), or None; ``stopped``, the
            attempts that came to nothing;
            ``tuning``, what a search has tried and chosen (see ``tuned_items.facts_of``), or None.
        """
        fit = fit_of(item, self._records.get) or {}
        predict = self._records.get(RecordType.PREDICT.key(str(item.get("predict_key"))), {})
        identity = item.get("identity") or fit.get("identity")  # store format 1 has it in some records only
        dataset, algorithm = self._dataset(item, identity), _algorithm(item, fit)
        return {
            "item": item["item"],
            "title": title_of(item),
            "fit_key": item["fit_key"],
            "status": item["status"],
            "error": item.get("error"),
            "dataset": dataset,
            "fold": item["fold"],
            "seeds": seeds_words(item, predict),
            "algorithm": algorithm,
            "metrics": {label: metric["value"] for label, metric in item.get("metrics", {}).items()},
            "predictions": predict["predictions"]["sha256"] if predict else None,
            "phases": self._phases(item["fit_key"]),
            "series": series_facts([Epoch(*pair) for pair in self._series.get(item["fit_key"], {}).get("series", ())]),
            "attempts": self._attempts(fit, self._snapshots.get(item["item"], [])),
            "snapshots": self._snapshots.get(item["item"], []),
            "stopped": item.get("attempts", []),
            "tuning": self._tuning(item),
        }

    def _tuning(self, item: Record) -> dict[str, Any] | None:
        """Return what a search has tried and chosen for an item; None where it is not tuned."""
        if not item.get(SEARCHED):
            return None
        return facts_of(tuned_item(item, *self._searches.get(item[SEARCHED], ({}, []))), with_trials=False)

    def _attempts(self, fit: Record, snapshots: list[dict[str, Any]]) -> list[Record]:
        """Return the attempts at a Fit so far: the recorded one's, or those until the snapshot that it would go on from."""
        if fit:
            return list(fit.get("attempts") or [])
        resumed = next((row for row in snapshots if row["resumes"]), None)
        if resumed is None:
            return []
        record = self._records[RecordType.SNAPSHOT.key(snapshot_identity(resumed["fit_key"], resumed["name"]))]
        return list(record.get("attempts") or [])

    @cached_property
    def _snapshots(self) -> dict[str, list[dict[str, Any]]]:
        rows: dict[str, list[dict[str, Any]]] = {}
        for row in snapshot_rows(RecordsInMemory(self._records)):
            rows.setdefault(row["item"], []).append(row)
        return rows

    @cached_property
    def _series(self) -> dict[str, Record]:
        return series_records(self._records)

    @cached_property
    def _searches(self) -> dict[str, tuple[Record, list[Record]]]:
        return searches_by_key(self._records)

    def _dataset(self, item: Record, identity: Any) -> dict[str, Any]:
        key = item.get("data_key") or (identity[1]["data"] if identity else "")
        subject = (key, item["dataset"], item["fold"])
        if subject not in self._datasets:
            self._datasets[subject] = self._facts_of_dataset(item, key)
        return self._datasets[subject]

    def _facts_of_dataset(self, item: Record, key: str) -> dict[str, Any]:
        data = self._records.get(RecordType.DATA.key(key), {})
        recipe = self._recipes.get(key)
        name = data.get("name") or item["dataset"].rpartition("-")[0]
        facts: dict[str, Any] = {"name": name, "key": key, "words": name, "source": "", "seed": None, "recipe": None}
        if recipe:
            parts = recipe[1]
            steps = recipe_words(parts)
            words = f"{name}: {steps}" if steps else name
            facts |= {"words": words, "source": source_words(parts["source"]), "seed": parts["seed"], "recipe": parts}
        sizes = {noun: data.get(noun) for noun in _SIZES}
        sizes |= {"positions": data["positions"]} if data.get("positions") else {}
        return {**facts, **sizes, "digests": _digests(data, item["fold"])}

    def _phases(self, fit_key: str) -> dict[str, Any]:
        """Return the costs and circumstances of each finished phase, the latest of those of a name."""
        rows = sorted(phase_rows(self._phase_records.get(fit_key, {})), key=lambda row: str(row["finished"]))
        latest = {row["phase"]: row for row in rows}
        return {
            phase.value: {**latest[phase], "circumstances": self._circumstances(latest[phase])}
            for phase in COMPUTED
            if phase in latest
        }

    def _circumstances(self, row: Mapping[str, Any]) -> dict[str, Any]:
        run = self._records.get(RecordType.RUN.key(str(row["run"])), {})
        worker = self._records.get(RecordType.WORKER.key(str(row["worker"])), {})
        facts = {name: run.get(name) for name in _RUN_MEMBERS}
        threads = {} if row["threads"] is None else {"threads": row["threads"]}
        return {**facts, "host": worker.get("host") or facts["host"], **threads, "versions": run.get("versions", {})}


_SIZES = ("users", "items", "interactions")

_COLUMNS = ("user.npy", "item.npy", "rating.npy", "timestamp.npy", "indptr.npy")
"""The files of a dataset's interactions."""


def _digests(data: Record, fold: int | None) -> dict[str, str]:
    """Return the digests of what a fold is computed from: all interactions, the rows of each part, and the test pairs.

    They are what tells whether a recipe has made the same data twice. Several folds have a digest of all of their parts
    together, as they share the interactions; in earlier releases they did not, and single splits had ``interactions``, too.
    """
    if not data:
        return {}
    own_fold = f"fold_{fold or 0}/"
    names = {artifact["path"].removeprefix(f"{data['directory']}/"): artifact["sha256"] for artifact in data["files"]}
    arrays = {name: names[name] for name in sorted(_COLUMNS) if name in names}
    parts = {name: digest for name, digest in names.items() if name.startswith(own_fold)}
    interactions = "interactions" if "user.npy" in arrays else "shared"
    return {
        **({interactions: sha256(recorded_text(arrays))} if arrays else {}),
        **{name.removeprefix(own_fold).removesuffix(".npy"): digest for name, digest in sorted(parts.items())},
        **({"evaluated": data["test"][fold or 0]} if data.get("test") else {}),
    }


def _algorithm(item: Record, fit: Record) -> dict[str, Any]:
    configuration = configuration_in(item) or configuration_in(fit)
    words = result_of(item).configuration
    return {
        "name": item["algorithm"].rpartition("-")[0],
        "words": words,
        "parameters": item["parameters"],
        "effective": fit.get("effective"),
        "notes": fit.get("notes", []),
        **{member: configuration[member] for member in (*_MADE_OF, _SEARCH) if member in configuration},
    }


def seeds_words(item: Record, predict: Record) -> str:
    """Return what an item has to do with the other seeds that its benchmark asks for; empty where it asks for one.

    Args:
        item: Its record.
        predict: The record of its predictions, or an empty one.
    """
    seeds, alike = item.get("seeds", 1), item.get("as_seed")
    if asks_once(item):
        return f"deterministic: fitted once for {seeds} seeds"
    if "as_seed" in predict:
        return f"as seed_{predict['as_seed']}: not fitted, because two seeds have made equal predictions"
    return "" if alike is None else f"as seed_{alike}, which has made equal predictions"


def fact_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield lines for people that say what an item was made of.

    Args:
        facts: As ``FactSource.facts_of`` returns them.
    """
    dataset, algorithm = facts["dataset"], facts["algorithm"]
    yield f"dataset          {dataset['words']}"
    sizes = ", ".join(f"{dataset[noun]:,} {noun}" for noun in (*_SIZES, "positions") if dataset.get(noun))
    seed = "" if dataset["seed"] is None else f"seed {dataset['seed']}"
    details = "; ".join(filter(None, [sizes, seed, dataset["source"]]))
    if details:
        yield f"                 {details}"
    yield f"algorithm        {algorithm['words']}"
    titles = {"version": algorithm["name"].partition(".")[0]}  # that of the framework
    parts = [
        f"{titles.get(name, name)} {without_long_digests(algorithm[name])}"
        for name in _MADE_OF
        if algorithm.get(name) not in (None, "")
    ]
    if parts:
        yield f"                 {', '.join(parts)}"
    tuning = facts.get("tuning")
    yield from tuning_lines(tuning) if tuning else ()
    effective, chosen = algorithm["effective"] or {}, algorithm["parameters"]
    if tuning and tuning["chosen"]:
        chosen = {**chosen, **tuning["chosen"]["parameters"]}
    defaults = [
        f"{name}={value!r}{' (the seed, filled in)' if name in SEED_NAMES and value == algorithm.get('seed') else ''}"
        for name, value in effective.items()
        if name not in chosen
    ]
    if defaults:
        more = f" and {len(defaults) - _MOST_DEFAULTS} more" if len(defaults) > _MOST_DEFAULTS else ""
        yield f"by default       {', '.join(defaults[:_MOST_DEFAULTS])}{more}"
    if facts.get("series"):
        yield f"by epoch         {series_words(facts['series'])}"
    for note in algorithm["notes"] or ():
        yield f"note             {note}"
    if facts["fold"] is not None:
        yield f"fold             {facts['fold']}"
    if facts["seeds"]:
        yield f"seeds            {facts['seeds']}"


def origin_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield lines for people that say when, where and with what the phases of an item were computed."""
    origins: dict[tuple[str, ...], list[str]] = {}
    for name, phase in facts["phases"].items():
        circumstances = phase["circumstances"]
        versions = ", ".join(f"{package} {version}" for package, version in circumstances["versions"].items())
        site = f"on {circumstances['host'] or 'an unknown host'}" + (f", run {phase['run']}" if phase["run"] else "")
        count = circumstances.get("threads")
        threads = "" if count is None else f", {count} thread{'' if count == 1 else 's'}"
        origin = (site, _git_words(circumstances["git"]), versions)
        origins.setdefault(origin, []).append(f"{name} at {phase['finished'] or 'an unknown time'}{threads}")
    for (site, git, versions), phases in origins.items():
        yield f"computed         {site}: {'; '.join(phases)}"
        yield from (f"                 {line}" for line in (git, versions) if line)


def _git_words(git: Mapping[str, Any] | None) -> str:
    return f"git {git['commit'][:12]}{' (changed)' if git['dirty'] else ''}" if git else ""


def is_explained_alone(item: Record, records: Mapping[str, Record]) -> bool:
    """Whether ``explanation`` takes no records but those that tell of an item: something is recorded under its key.

    Args:
        item: Its record.
        records: Those that tell of it.
    """
    predict = records.get(RecordType.PREDICT.key(str(item.get("predict_key"))), {})
    return fit_of(item, records.get) is not None or "as_seed" in predict


def explanation(item: Record, records: Mapping[str, Record], source: RecordSource) -> str:
    """Say what an item was made of, or which parts of its key differ from the nearest one that was fitted.

    Args:
        item: Its record, with its status as of now.
        records: Those that tell of it.
        source: All records of its store, for where those do not say it; see ``is_explained_alone``.
    """
    lines = [f"{title_of(item)} is {item['status']} ({terminal_line(item['item'])})."]
    if item.get("error"):
        reason = failure_text(item["error"]).replace("\n", "\n  | ")
        lines.append(f"Last time {reason}")
    if is_explained_alone(item, records):
        facts = FactSource(records).facts_of(item)
        lines += [f"  {terminal_line(line)}" for line in (*fact_lines(facts), *origin_lines(facts))]
    elif "identity" in item:
        search = (
            tuned_item(item, *searches_by_key(records).get(item[SEARCHED], ({}, []))) if item.get(SEARCHED) else None
        )
        if search is not None and search.finished:
            lines += [f"  {terminal_line(line)}" for line in tuning_lines(facts_of(search, with_trials=False))]
            if search.state == Status.INTERRUPTED:
                lines.append(f"The next run goes on with its search: {search.counts_text} known.")
        else:
            lines.append("No model is recorded under its key.")
            resumed = resumable(source, [item]).get(item["item"])
            if resumed is not None:
                origin = f", from the snapshot {terminal_line(resumed['name'])}"
                lines.append(f"Its next Fit {resume_text(resumed)}{'' if resumed.get(UNSUPPLIED) else origin}.")
            lines.append(explain(item["identity"], item["fit_key"], source))
    return "\n".join(lines)


def provenance_of(item: Record, records: Mapping[str, Record]) -> dict[str, Any]:
    """Return where an item's numbers come from; see ``queries.Store.provenance``.

    Args:
        item: Its record.
        records: All records of its store.
    """
    fit = fit_of(item, records.get) or {}
    identity = item.get("identity") or fit.get("identity")  # store format 1 has it in some records only
    text = recorded_text(identity) if identity else ""
    return {
        "item": item["item"],
        "configuration": expanded(identity, recipes_of(records)) if text else None,
        "configuration_json": text,
        "sha256": sha256(text),
        "effective": fit.get("effective"),
        "dropped": fit.get(DROPPED),
        "run": records.get(RecordType.RUN.key(str(item.get("run")))),
    }
