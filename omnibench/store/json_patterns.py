"""Patterns of JSON values as ``json.dumps`` writes them, for texts of records that are matched instead of parsed."""

from __future__ import annotations

TEXT = r'"[^"\\\x00-\x1f]*+"'
"""A string in which nothing is escaped."""

CAPTURED_TEXT = r'"([^"\\\x00-\x1f]*+)"'
"""The same, with a group for what stands between its quotation marks."""

ANY_TEXT = r'"[^"\\\x00-\x1f]*+(?:\\["\\/bfnrt][^"\\\x00-\x1f]*+)*+"'
"""A string in which characters may be escaped, but for those that are written as four digits."""

INTEGER = r"(?:0|[1-9][0-9]{0,17})"
"""A whole number that is not negative, below ten to the power of 18; in ASCII, unlike ``\\d``."""

NUMBER = r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
"""A number."""

FLOAT = r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]++(?:[eE][+-]?[0-9]++)?|[eE][+-]?[0-9]++)"
"""A number that is no whole one."""

COST = r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]++)?(?:e[+-]?[0-9]{1,3})?"
"""A number that is not negative, which a float holds to its last digit where it is whole."""
