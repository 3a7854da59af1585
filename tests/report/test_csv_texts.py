"""Texts in CSV are as Python's own writer has them, and no spreadsheet computes one."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from omnibench.report.csv_texts import written

ODD = [
    "",
    "=1+1",
    "-2",
    "+a",
    "@b",
    "\tc",
    "\rd",
    "\ne",
    "\uff1df",
    'a "b", c',
    "x\ny",
    "ü",
    "a,b",
    "Popularity(power=1880)",
    " a",
]


@given(st.text(max_size=6) | st.sampled_from(ODD) | st.from_regex(r"[-\w .:/()\[\]{}=+#@,\"]{0,8}", fullmatch=True))
def test_a_text_is_written_as_the_standard_writer_does(text: str) -> None:
    """What begins as a formula has an apostrophe before it; all else comes back as it was."""
    line = io.StringIO()
    safe = f"'{text}" if text[:1] and text[0] in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20" else text
    csv.writer(line, lineterminator="\n").writerow([safe, "behind"])
    assert f"{written(text)},behind\n" == line.getvalue()
