"""What columns are usually called: which of them is the user, the item, the rating and the time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_TIMES = (
    "timestamp time date ts datetime unixreviewtime eventtime tdat createdat eventdate utctimestamp reviewtime unixtime"
)
_NAMES = {
    role: frozenset(names.split())
    for role, names in {
        "user": "user userid uid usersid visitorid customerid reviewerid memberid username sessionid session personid "
        "accountid profilename steamid",
        "item": "item itemid iid movieid articleid productid asin parentasin isbn bookid videoid artistid songid trackid "
        "animeid businessid venueid gameid newsid aid sku beerid recipeid appid poiid",
        "rating": "rating ratings stars score overall bookrating weight plays playcount",
        "timestamp": _TIMES,
    }.items()
}
"""What columns are called, in lower case without signs."""

ROLES = tuple(_NAMES)
"""What a column may be, in the order in which calls name it."""

_AMBIGUOUS = frozenset(
    {
        *("username", "profilename", "sessionid", "session", "personid", "accountid"),
        *("aid", "weight", "plays", "playcount", "reviewtime"),
    }
)
"""Names of these that may stand for something else as well, so that nobody guesses by them."""


def usual_columns(names: Sequence[Any]) -> dict[str, Any]:
    """Return the columns whose names are usual, by what they are."""
    columns: dict[str, Any] = {}
    for name in names:
        role = next((role for role, usual in _NAMES.items() if plain_name(name) in usual and role not in columns), None)
        if role is not None:
            columns[role] = name
    return columns


def candidate_columns(names: Sequence[Any], roles: Sequence[str]) -> dict[str, list[Any]]:
    """Return the columns whose names can hardly stand for anything else, by what they may be.

    Args:
        names: The columns' names.
        roles: What is looked for: user, item, rating, timestamp.
    """
    return {role: [name for name in names if plain_name(name) in _NAMES[role] - _AMBIGUOUS] for role in roles}


def plain_name(name: Any) -> str:
    """Return a column's name in lower case, without signs and without what others put around it: ``userid`` of ``review/user_id:token``."""
    own = str(name).lower().split(":")[0].rpartition("/")[2]  # review/userId, as blocks of Amazon's have it
    return "".join(letter for letter in own if letter.isalnum())
