"""Names of snapshots: the ten keys of the seed's page, exact matches, counts past 999, and which older ones go."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.errors import OmnibenchError
from omnibench.snapshots.names import KEYS, free_name, matches, next_count, surplus
from omnibench.snapshots.values import NAMING_FORMAT

MOMENT = datetime.fromisoformat("2026-03-09T04:05:06")

GLOMPO = "%(count)_s[p$e^c._{h}e|llo%(date)%(time)_%(weird)_]%(hour)%(year)%(yr)%(month)%(day)%(hour)%(min)%(sec)"  # its own test

formats = st.lists(
    st.sampled_from([f"%({key})" for key in KEYS]) | st.text(st.characters(exclude_categories=["C"]), max_size=5)
).map("".join)
moments = st.datetimes(datetime.fromisoformat("0002-01-01"), datetime.fromisoformat("9998-01-01"))


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("date", "20260309"),
        ("year", "2026"),
        ("yr", "26"),
        ("month", "03"),
        ("day", "09"),
        ("time", "040506"),
        ("hour", "04"),
        ("min", "05"),
        ("sec", "06"),
        ("count", "000"),
    ],
)
def test_keys_are_those_of_the_seed(key: str, text: str) -> None:
    """Each of the ten keys has the form of the table, on its own and among others."""
    assert free_name(f"a_%({key})", MOMENT, ()) == f"a_{text}"
    assert matches(f"a_%({key})", f"a_{text}")
    assert not matches(f"a_%({key})", f"a_{text[:-1]}")
    assert not matches(f"a_%({key})", f"a_{text[:-1]}x")


@given(formats, moments, st.sets(st.integers(0, 5000), max_size=5))
def test_a_format_matches_the_names_that_it_makes(naming_format: str, moment: datetime, counts: set[int]) -> None:
    """Whatever stands in a format, and however many snapshots there are: a new name matches it, and is new."""
    taken = {naming_format.replace("%(count)", f"{count:03}") for count in counts}
    try:
        name = free_name(naming_format, moment, taken)
    except OmnibenchError:  # a format without a key, whose one name is taken
        assert not any(f"%({key})" in naming_format for key in KEYS)
        return
    assert matches(naming_format, name)
    assert name not in taken


@given(formats, moments, st.text(min_size=1, max_size=3))
def test_what_is_longer_than_a_name_does_not_match(naming_format: str, moment: datetime, more: str) -> None:
    """GloMPO took ``..._KEEP_ME.txt`` for a checkpoint, and removed it: a match ends where the format ends."""
    name = free_name(naming_format, moment, ())
    if not re.search(r"[0-9]", more):  # a digit more can be a larger count
        assert not matches(naming_format, name + more)
        assert not matches(naming_format, more + name) or naming_format == ""


@pytest.mark.parametrize("more", ["_KEEP_ME.txt", ".tar.gz.bak", ".tar.gz", "\n", " ", "0"])
def test_endings_do_not_match(more: str) -> None:
    """The names that GloMPO removed although no format of its has made them."""
    assert not matches(NAMING_FORMAT, f"snapshot_20260309_040506{more}")


def test_other_digits_do_not_match() -> None:
    """A format makes ASCII digits only, and regular expressions know more of them."""
    assert not matches("a_%(count)", "a_\u0660\u0660\u0661")


@pytest.mark.parametrize(
    "text", [r"why?", "a\\b", r"a\d", "[x]", "(x", "x)*", "a|b", "^a$", "{2}", "a.b", "%(foo)", "%()", "%", "%%(day"]
)
def test_everything_else_stands_for_itself(text: str) -> None:
    """Characters that mean something in regular expressions, and keys that nobody knows, match themselves only."""
    name = free_name(f"{text}_%(count)", MOMENT, ())
    assert name == f"{text}_000"
    assert matches(f"{text}_%(count)", name)
    assert not matches("a.b_%(count)", "axb_000")


def test_format_of_glompos_own_test() -> None:
    """What GloMPO's tests say about matches, and about the count that follows from them."""
    names = [f"00{count}_s[p$e^c._{{h}}e|llo00000000000000_%(weird)_]000000000000000000" for count in range(3)]
    assert all(matches(GLOMPO, name) for name in names)
    assert not matches(GLOMPO, "00_sp$e^c._{h}e|llo00000000123000_]000000000000000")
    assert next_count(GLOMPO, ()) == 0
    assert next_count(GLOMPO, names) == 3
    assert next_count(GLOMPO, [names[0], "000_s[p$e^c._{h}e|llo0_%(weird)_]000000000000000000"]) == 1


@given(st.sets(st.integers(0, 2000), max_size=8), st.sets(st.text(max_size=8), max_size=4))
def test_count_goes_on_from_the_largest(counts: set[int], strangers: set[str]) -> None:
    """The count is above the largest there is, or 0; names that do not match do not count."""
    strangers -= {name for name in strangers if matches("s_%(count)", name)}
    taken = {f"s_{count:03}" for count in counts} | strangers | {"s_9999.tar.gz", "t_9999"}
    assert free_name("s_%(count)", MOMENT, taken) == f"s_{max(counts, default=-1) + 1:03}"


def test_count_goes_on_past_999() -> None:
    """GloMPO's count stayed at 1000, and overwrote itself."""
    taken = {"s_998"}
    for count in range(999, 1003):
        taken.add(free_name("s_%(count)", MOMENT, taken))
        assert f"s_{count}" in taken
    assert not matches("s_%(count)", "s_0999")  # with more than three digits, none of them is filled up


def test_count_may_stand_twice() -> None:
    """GloMPO ended with an error of regular expressions; both have the same count, or the name is not ours."""
    name = free_name("%(count)_%(day)_%(count)", MOMENT, ["041_01_041"])
    assert name == "042_09_042"
    assert matches("%(count)_%(count)", "042_042")
    assert not matches("%(count)_%(count)", "042_043")
    assert not matches("%(count)_%(count)", "1042_042")


def test_taken_name_becomes_that_of_the_next_second() -> None:
    """Two snapshots within a second do not overwrite each other, at the end of a year either."""
    taken: set[str] = set()
    for _ in range(3):
        taken.add(free_name(NAMING_FORMAT, datetime.fromisoformat("2026-12-31T23:59:58"), taken))
    assert taken == {"snapshot_20261231_235958", "snapshot_20261231_235959", "snapshot_20270101_000000"}


@pytest.mark.parametrize(
    ("naming_format", "second"),
    [("%(hour)h%(min)", "04h06"), ("%(hour)h", "05h"), ("%(date)", "20260310"), ("%(month)", "04"), ("%(yr)", "27")],
)
def test_formats_without_seconds_take_the_next_of_what_they_have(naming_format: str, second: str) -> None:
    """Where a name has no seconds, the next minute, hour, day, month or year is free."""
    assert free_name(naming_format, MOMENT, {free_name(naming_format, MOMENT, ())}) == second


def test_an_exhausted_format_says_so() -> None:
    """Sixty names are all that ``%(sec)`` has, and the error says what to add."""
    taken = {f"{second:02}" for second in range(60)}
    with pytest.raises(OmnibenchError, match=re.escape("all names that it makes are taken; add %(count)")):
        free_name("%(sec)", MOMENT, taken)


@pytest.mark.parametrize(("keep_past", "gone"), [(-1, []), (0, ["s_002", "s_001"]), (1, ["s_001"]), (2, []), (9, [])])
def test_keep_past(keep_past: int, gone: list[str]) -> None:
    """-1 keeps all, 0 only the newest, n as many beside it; what does not match neither counts nor goes."""
    names = ["s_003", "mine", "s_002", "s_002.tar.gz", "s_001", "s_1"]
    assert surplus("s_%(count)", names, keep_past) == gone


def test_what_goes_is_what_is_old() -> None:
    """GloMPO sorted names, so that those that begin with the day lost the newest: here the order of making counts."""
    days = [datetime.fromisoformat("2026-01-30") + timedelta(days=day) for day in range(4)]
    newest_first = [free_name("%(day)_%(month)", day, ()) for day in reversed(days)]
    assert newest_first == ["02_02", "01_02", "31_01", "30_01"]
    assert surplus("%(day)_%(month)", newest_first, 0) == ["01_02", "31_01", "30_01"]


@given(st.lists(st.integers(0, 3000).map("s_{:03}".format) | st.text(max_size=6), unique=True), st.integers(-1, 6))
def test_only_old_matches_go(names: list[str], keep_past: int) -> None:
    """What goes matches, and is older than the newest and as many others as are to be kept; all of it goes at once."""
    gone = surplus("s_%(count)", names, keep_past)
    matching = [name for name in names if matches("s_%(count)", name)]
    kept = [name for name in matching if name not in gone]
    assert kept + gone == matching
    assert len(kept) == (len(matching) if keep_past < 0 else min(len(matching), keep_past + 1))
    assert surplus("s_%(count)", [name for name in names if name not in gone], keep_past) == []
