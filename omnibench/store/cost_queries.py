"""Queries of what phases have cost, which read no record whole: they are for estimates, of which there may be many."""

from __future__ import annotations

from omnibench.store.schema import Phase, RecordType

_RANGES = " OR ".join(
    "key BETWEEN '{}' AND '{}'".format(*record_type.bounds)
    for record_type in (RecordType.FIT, RecordType.PREDICT, RecordType.OLD)
)

COSTS_OF_PHASES = f"""
SELECT json_extract(value, '$.dataset'), json_extract(value, '$.algorithm'), json_extract(value, '$.phase') AS phase,
       avg(json_extract(value, '$.seconds')), max(json_extract(value, '$.peak_rss'))
FROM Cache
WHERE raw = 1 AND json_valid(value) AND phase IN ('{Phase.FIT}', '{Phase.PREDICT}') AND ({_RANGES})
      AND key NOT GLOB '{RecordType.OLD.prefix}*/{RecordType.SNAPSHOT.prefix}*'
GROUP BY 1, 2, 3
"""  # noqa: S608 - of constants
"""Dataset, algorithm, phase, mean seconds and largest memory of each."""

PEAKS_OF_FITS = f"""
SELECT json_extract(value, '$.dataset'), json_extract(value, '$.effective'), max(json_extract(value, '$.peak_rss'))
FROM Cache
WHERE raw = 1 AND ({_RANGES}) AND instr(value, ?) > 0 AND json_valid(value)
      AND json_extract(value, '$.phase') = '{Phase.FIT}'
      AND key NOT GLOB '{RecordType.OLD.prefix}*/{RecordType.SNAPSHOT.prefix}*'
GROUP BY json_extract(value, '$.algorithm'), 1
"""  # noqa: S608 - of constants
"""Dataset, hyperparameters and largest memory of each configuration whose records have a text in them."""
