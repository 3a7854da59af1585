"""``--omnirec-plan``: what would run, from which phase on, and why. Nothing runs, nothing is written."""

from __future__ import annotations

import json
from collections import Counter

from omnibench.engine.fit_needs import oversized
from omnibench.engine.items import Item
from omnibench.engine.outlook import outlook
from omnibench.keys import canonical
from omnibench.plugin.items import ExperimentItem
from omnibench.plugin.lines import write_line
from omnibench.plugin.options import CLUSTER
from omnibench.plugin.session import BenchSession
from omnibench.store.artifacts import is_intact
from omnibench.store.resumption import resumable, resume_text
from omnibench.store.schema import WORKED, Phase, Record, RecordType, artifacts_of
from omnibench.store.states import RecordsInMemory
from omnibench.store.why import explain


def _asks(session: BenchSession, item: ExperimentItem) -> str:
    """Return what a Fit asks for, and what this machine does not have of it."""
    if not item.experiment.resources.is_said:
        return ""
    if CLUSTER.value(session.config):  # which a look does not ask
        return f"; asks for {item.experiment.resources}"
    trouble = oversized(item.experiment, session.policy)
    return f"; {trouble}: it would be refused" if trouble else f"; asks for {item.experiment.resources}"


def show_plan(session: BenchSession, snapshot: dict[str, Record]) -> None:
    """Print a line per item that is not done; with ``-v``, also which parts of its key are new."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return

    def is_there(record: Record) -> bool:
        return all(is_intact(artifact, session.directory, "off") for artifact in artifacts_of(record))

    phases: Counter[str] = Counter()
    source = RecordsInMemory(snapshot)
    recorded = (snapshot.get(RecordType.ITEM.key(item.experiment.fit_key)) for item in session.pending)
    snapshots = resumable(source, (record for record in recorded if record is not None))
    for item in session.pending:
        resumed = snapshots.get(item.experiment.name)
        computed = Item.of(item.experiment, item.evaluator)
        expected = outlook(snapshot.get, computed, is_there, has_snapshot=resumed is not None)
        phases[expected.phase] += 1
        resumed = resumed if expected.phase == Phase.FIT else None
        reason = expected.reason if resumed is None else f"{expected.reason}; {resume_text(resumed)}"
        asked = _asks(session, item) if expected.phase in (Phase.TUNE, Phase.FIT) else ""
        write_line(reporter, f"  from {expected.phase:7}  {item.experiment.label}  ({reason}{asked})")
        if session.config.option.verbose > 0 and expected.phase in (Phase.TUNE, Phase.FIT):
            dataset = item.experiment.dataset
            recipes = {dataset.key: json.loads(canonical(dataset.identity))}
            explanation = explain(item.experiment.recorded_identity, item.experiment.fit_key, source, recipes)
            write_line(reporter, "      " + explanation.replace("\n", "\n      "))
    counts = ", ".join(f"{phases[phase]} from {phase}" for phase in WORKED if phases[phase])
    write_line(reporter, f"omnibench: would run {phases.total()} items ({counts or 'nothing'}); nothing was run")
