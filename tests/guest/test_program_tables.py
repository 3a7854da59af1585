"""What programs read and write: interactions as lines, lists as lines, and the number of the line that is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnibench.guest.parts import Part
from omnibench.guest.program_commands import ProgramError
from omnibench.guest.program_tables import read_lists, read_ratings, write_part
from omnibench.guest.ranked_lists import RankedLists

USERS = np.array([2, 5, 9], dtype=np.int32)
WANTED = np.array([2, 2, 1], dtype=np.int32)
SOUND = "5\t1\t0.5\n5\t3\t0.75\n9\t0\t-2\n2\t4\t1e3\n2\t1\t1e3\n"


def read(folder: Path, text: str, order: str = "score", *, may_be_short: bool = False) -> RankedLists:
    """Read lists of ten items that a program has written."""
    path = folder / "lists.tsv"
    path.write_text(text)
    return read_lists(path, order, USERS, WANTED, 10, may_be_short=may_be_short)


def as_dict(lists: RankedLists) -> dict[int, list[int]]:
    """Return the items of each user."""
    spans = zip(USERS.tolist(), lists.begin.tolist(), lists.length.tolist(), strict=True)
    return {user: lists.item[begin : begin + length].tolist() for user, begin, length in spans}


def test_what_decides_the_order(tmp_path: Path) -> None:
    """The highest score, the lowest rank, or the order of lines; what scores alike stays as it was written."""
    assert as_dict(read(tmp_path, SOUND)) == {2: [4, 1], 5: [3, 1], 9: [0]}
    assert as_dict(read(tmp_path, SOUND.replace("1\t1e3", "1\t7"), "rank")) == {2: [1, 4], 5: [1, 3], 9: [0]}
    by_line = "".join(line.rpartition("\t")[0] + "\n" for line in SOUND.splitlines())
    assert as_dict(read(tmp_path, by_line, "order")) == {2: [4, 1], 5: [1, 3], 9: [0]}
    assert as_dict(read(tmp_path, SOUND.replace("\t", " "))) == {2: [4, 1], 5: [3, 1], 9: [0]}
    assert as_dict(read(tmp_path, "9\t7\t1\n", may_be_short=True)) == {2: [], 5: [], 9: [7]}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("9\t0\t-2", "9\t10\t-2", r"line 3: item 10 is unknown; items are the codes 0 to 9"),
        ("9\t0\t-2", "9\t-1\t-2", r"line 3: item -1 is unknown"),
        ("9\t0\t-2", "4\t0\t-2", r"line 3: user 4 was not asked for"),
        ("9\t0\t-2", "9\t0", r"line 3 \('9\\t0'\): there are 2 columns where there have to be 3"),
        ("9\t0\t-2", "", r"line 3 \(.*: there are 0 columns"),
        ("9\t0\t-2", "9", r"line 3 \('9'\): there is 1 column where there have to be 3"),
        ("9\t0\t-2", f"9\t{2**63}\t-2", r"line 3 \(.*: no user and no item has a code as large as that"),
        ("9\t0\t-2", "9\tmilk\t-2", r"line 3 \('9\\tmilk\\t-2'\): it is not of the form user, item, number"),
        ("9\t0\t-2", "9\t0.5\t-2", r"line 3 .*whole numbers"),
        ("9\t0\t-2", "9\t0\tnan", r"line 3: the score is nan; give a number, or leave the line out"),
        ("2\t1\t1e3", "2\t4\t0.1", r"line 5: user 2 has item 4 twice, here and in line 4"),
        ("2\t1\t1e3\n", "", r"the list of user 2 has 1 items where 2 were asked for \(1 of 3 lists are too short\)"),
        (SOUND, "", r"the list of user 2 has 0 items where 2 .*3 of 3 lists"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    """Unknown ids, other columns, no numbers, items twice, and lists that end too early."""
    assert old in SOUND
    with pytest.raises(ProgramError, match=says):
        read(tmp_path, SOUND.replace(old, new))


def test_ranks_have_to_differ_and_something_has_to_be_written(tmp_path: Path) -> None:
    """Two items of one rank have no order; a file that is not there, or recommends nothing to anybody, is no answer."""
    with pytest.raises(ProgramError, match="line 5: user 2 has rank 1000 twice, here and in line 4"):
        read(tmp_path, SOUND, "rank")
    with pytest.raises(ProgramError, match=r"recommended nothing to any of the 3 users"):
        read(tmp_path, "", may_be_short=True)
    with pytest.raises(ProgramError, match=r"has written no lists; it is to write them to \{output\}"):
        read_lists(tmp_path / "nowhere" / "lists.tsv", "score", USERS, WANTED, 10, may_be_short=False)
    (tmp_path / "elsewhere" / "lists.tsv").mkdir(parents=True)
    with pytest.raises(ProgramError, match=r"has made something that is no file for its lists; it is to write them to"):
        read_lists(tmp_path / "elsewhere" / "lists.tsv", "score", USERS, WANTED, 10, may_be_short=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99), st.floats(-(2.0**60), 2.0**60, width=32)), min_size=1),
    st.booleans(),
)
def test_what_is_written_is_read_back_by_others(
    tmp_path: Path, rows: list[tuple[int, int, float]], has_times: bool
) -> None:
    """By pandas, with the very same numbers: two columns, and those that the data has."""
    user, item, rating = (np.array(column) for column in zip(*rows, strict=True))
    times = np.arange(len(rows)) * 10**9 if has_times else None
    part = Part(user.astype(np.int32), item.astype(np.int32), rating.astype(np.float32), times)
    write_part(tmp_path / "train.tsv", part)
    frame = pd.read_csv(tmp_path / "train.tsv", sep="\t", header=None)
    assert len(frame.columns) == 3 + has_times
    assert frame[0].tolist() == user.tolist()
    assert frame[1].tolist() == item.tolist()
    assert frame[2].astype(np.float32).tolist() == part.rating.tolist()  # type: ignore[union-attr]
    assert not has_times or frame[3].tolist() == times.tolist()  # type: ignore[union-attr]


PAIR_USERS, PAIR_ITEMS = np.array([2, 2, 5], dtype=np.int32), np.array([1, 4, 0], dtype=np.int32)


def test_ratings_belong_to_the_pairs_whatever_their_order(tmp_path: Path) -> None:
    """Each pair has the rating of its line; blanks may stand for tabs."""
    path = tmp_path / "ratings.tsv"
    for text in ("5\t0\t-1\n2\t4\t3.5\n2\t1\t4\n", "2 1 4\n5 0 -1e0\n2 4  3.5\n"):
        path.write_text(text)
        assert read_ratings(path, PAIR_USERS, PAIR_ITEMS).tolist() == [4.0, 3.5, -1.0]
    path.write_text("")
    assert len(read_ratings(path, PAIR_USERS[:0], PAIR_ITEMS[:0])) == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "5\t0\t1\n2\t1\t4\n2\t2\t4\n",
            "the ratings that the program has written, line 3: user 2 and item 2 were not asked for",
        ),
        ("5\t0\t1\n2\t1\t4\n", r"user 2 and item 4 have no rating \(1 of 3 pairs have none\)"),
        ("5\t0\t1\n2\t1\tinf\n2\t4\t1\n", "line 2: the rating is inf"),
        ("5\t0\t1\n2\t1\tnan\n2\t4\t1\n", "line 2: the rating is nan"),
        (
            "5\t0\t1\n2\t1\t3\n2\t4\t-1e39\n",
            r"line 3: the rating is -1e\+39; give a number from -3\.403e\+38 to 3\.403e\+38",
        ),
        ("5\t0\t1\n2\t1\t4\n2\t1\t4\n", "line 3: user 2 has item 1 twice, here and in line 2"),
        ("5\t0\t1\n2\t1\n", "line 2 .*: there are 2 columns where there have to be 3"),
    ],
)
def test_ratings_that_cannot_be_are_refused(tmp_path: Path, text: str, says: str) -> None:
    """With the number of the line, or the first pair that has none."""
    path = tmp_path / "ratings.tsv"
    path.write_text(text)
    with pytest.raises(ProgramError, match=says):
        read_ratings(path, PAIR_USERS, PAIR_ITEMS)
    path.unlink()
    with pytest.raises(ProgramError, match="has written no ratings"):
        read_ratings(path, PAIR_USERS, PAIR_ITEMS)
