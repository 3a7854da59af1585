"""Rows of plain numbers in the bytes of a text file, and the codes of whole numbers.

Digits are read eight at a time as one 64-bit word (D. Lemire, "Quickly parsing eight digits", 2022). A number counts as
plain where it is written as numbers usually are; at the first one that is not, the loop ends and says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    import numpy.typing as npt

UNUSED, USER, ITEM, RATING, TIMESTAMP = range(5)
"""What a column is for."""

PADDING = 32
"""Bytes that may be looked at behind the end of the rows, whatever they are."""

MOST_RATING_DIGITS = 15
"""With so many, a rating is the quotient of two numbers that 64-bit floats hold, and so the nearest float to what is written."""

_COMPILED = {"cache": True, "nogil": True, "error_model": "numpy"}

_WORD = 8
_ZEROS = np.uint64(0x3030303030303030)
_TO_NINE = np.uint64(0x7676767676767676)
"""Added to a byte, this sets its highest bit where the byte is above nine."""
_HIGHEST_BITS = np.uint64(0x8080808080808080)
_LOWEST_BITS = np.uint64(0x0101010101010101)
_PAIRS, _QUADS, _OCTETS = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
_OF_PAIRS, _OF_QUADS, _OF_OCTETS = np.uint64(2561), np.uint64(6553601), np.uint64(42949672960001)
"""10 and 1, 100 and 1, 10,000 and 1 at the distance of the digits that they are multiplied with."""

_LONGEST_INTEGER = 19
_LARGEST = np.uint64(2**63 - 1)
_POWERS = 10 ** np.arange(20, dtype=np.uint64)
_FLOAT_POWERS = 10.0 ** np.arange(16)
_LARGEST_RATING = 2.0**24

_STRANGE = np.int64(-1)
"""The position behind what is no plain number."""

_MINUS, _POINT, _ZERO, _QUOTE, _LINE_FEED, _RETURN = 0x2D, 0x2E, 0x30, 0x22, 0x0A, 0x0D

_ROWS = "UniTuple(int64, 2)(uint8[::1], int64, uint8, uint8[::1], int64[::1], int64[::1], float32[::1], int64[::1])"


@njit
def _word_at(content: npt.NDArray[np.uint8], position: int) -> np.uint64:
    """Return eight bytes as a word, the first lowest; the compiler makes one load of this."""
    at = np.uint64(position)
    word = np.uint64(content[at])
    for byte in range(1, _WORD):
        word |= np.uint64(content[at + np.uint64(byte)]) << np.uint64(8 * byte)
    return word


@njit
def _digits(word: np.uint64) -> np.int64:
    """Return how many digits a word begins with."""
    values = word ^ _ZEROS
    strange = ((values + _TO_NINE) | values) & _HIGHEST_BITS
    if strange == 0:
        return np.int64(_WORD)
    below = (strange & (~strange + np.uint64(1))) - np.uint64(1)  # all bits below the lowest
    return np.int64(((below & _LOWEST_BITS) * _LOWEST_BITS) >> np.uint64(56)) - np.int64(1)


@njit
def _number(word: np.uint64, digits: np.int64) -> np.uint64:
    """Return the number that the first digits of a word are, 1 to 8 of them."""
    values = (word ^ _ZEROS) << np.uint64(8 * (_WORD - digits))
    values = ((values & _PAIRS) * _OF_PAIRS) >> np.uint64(8)
    values = ((values & _QUADS) * _OF_QUADS) >> np.uint64(16)
    return ((values & _OCTETS) * _OF_OCTETS) >> np.uint64(32)


@njit
def _integer(content: npt.NDArray[np.uint8], position: np.int64) -> tuple[np.int64, np.int64]:
    """Return an integer and the position behind it; or ``_STRANGE`` where it is no plain one."""
    start = position
    is_negative = content[start] == _MINUS
    if is_negative:
        start += 1
    word = _word_at(content, start)
    digits = _digits(word)
    if digits == 0 or (content[start] == _ZERO and (digits > 1 or is_negative)):
        return np.int64(0), _STRANGE
    number = _number(word, digits)
    size = digits
    while digits == _WORD and size < _LONGEST_INTEGER:
        word = _word_at(content, start + size)
        digits = _digits(word)
        if size + digits > _LONGEST_INTEGER:
            return np.int64(0), _STRANGE
        if digits:
            number = number * _POWERS[digits] + _number(word, digits)
            size += digits
    if number > _LARGEST:  # the lowest integer of 64 bits is for the other way, too
        return np.int64(0), _STRANGE
    signed = np.int64(number)
    return (-signed if is_negative else signed), start + size


@njit
def _rating(content: npt.NDArray[np.uint8], position: np.int64) -> tuple[np.float64, np.int64]:
    """Return a decimal number and the position behind it; or ``_STRANGE`` where it is no plain one."""
    start = position
    is_negative = content[start] == _MINUS
    if is_negative:
        start += 1
    word = _word_at(content, start)
    whole = _digits(word)
    if whole == 0 or (content[start] == _ZERO and whole > 1):
        return np.float64(0), _STRANGE
    number = _number(word, whole)
    start += whole
    decimals = np.int64(0)
    if content[start] == _POINT:
        start += 1
        digits = np.int64(_WORD)
        while digits == _WORD and whole + decimals <= MOST_RATING_DIGITS:
            word = _word_at(content, start + decimals)
            digits = _digits(word)
            if whole + decimals + digits > MOST_RATING_DIGITS:
                return np.float64(0), _STRANGE
            if digits:
                number = number * _POWERS[digits] + _number(word, digits)
                decimals += digits
        if decimals == 0:
            return np.float64(0), _STRANGE
    rating = np.float64(number) / _FLOAT_POWERS[decimals]
    if rating > _LARGEST_RATING:
        return np.float64(0), _STRANGE
    return (-rating if is_negative else rating), start + decimals


@njit
def _behind_unused(content: npt.NDArray[np.uint8], position: np.int64, separator: int) -> np.int64:
    """Return the position of what ends a field that nobody reads; ``_STRANGE`` where it holds a quotation mark."""
    while True:
        byte = content[position]
        if byte == separator or byte == _LINE_FEED or byte == _RETURN:  # noqa: PLR1714, SIM109 - bytes of two types
            return position
        if byte == _QUOTE:
            return _STRANGE
        position += 1


@njit(_ROWS, **_COMPILED)
def parse_rows(  # noqa: C901, PLR0912 - a row is a line of cases, and nothing is called in between
    content: npt.NDArray[np.uint8],
    end: int,
    separator: int,
    uses: npt.NDArray[np.uint8],
    user: npt.NDArray[np.int64],
    item: npt.NDArray[np.int64],
    rating: npt.NDArray[np.float32],
    timestamp: npt.NDArray[np.int64],
) -> tuple[int, int]:
    """Write the numbers of rows into columns.

    Args:
        content: The rows, each with its end of line, and ``PADDING`` bytes behind them.
        end: How many bytes the rows have.
        separator: What separates fields: no digit, sign, point, quotation mark or end of a line.
        uses: What each column is for.
        user: Where users are written; shape (n,), with room for all rows.
        item: The same for items.
        rating: The same, or empty where there are none.
        timestamp: The same.

    Returns:
        The number of rows that were written, and of bytes that they have: fewer than all where something is not plain.
    """
    position, row = np.int64(0), np.int64(0)
    last = len(uses) - 1
    while position < end:
        start = position
        if content[position] == _RETURN:
            position += 1
        if content[position] == _LINE_FEED:  # an empty line
            position += 1
            continue
        if position != start:
            return row, start
        for column in range(last + 1):
            use = uses[column]
            behind = _STRANGE
            if use == RATING:
                number, behind = _rating(content, position)
                rating[row] = np.float32(number)
            elif use == UNUSED:
                behind = _behind_unused(content, position, separator)
            else:
                integer, behind = _integer(content, position)
                if use == USER:
                    user[row] = integer
                elif use == ITEM:
                    item[row] = integer
                else:
                    timestamp[row] = integer
            if behind == _STRANGE:
                return row, start
            position = behind
            if column < last:
                if content[position] != separator:
                    return row, start
                position += 1
        if content[position] == _RETURN:
            position += 1
        if content[position] != _LINE_FEED:
            return row, start
        position += 1
        row += 1
    return row, position


@njit("int64(int64[::1], int32[::1], int32[::1], int64[::1], int64)", **_COMPILED)
def code_numbers(
    numbers: npt.NDArray[np.int64],
    table: npt.NDArray[np.int32],
    codes: npt.NDArray[np.int32],
    new: npt.NDArray[np.int64],
    next_code: int,
) -> int:
    """Write the codes of numbers, the next one for each that has none yet.

    Args:
        numbers: From 0 to below the length of the table; shape (n,).
        table: The code of each number, -1 of those that have none yet.
        codes: Where codes are written; shape (n,).
        new: Where the numbers are written that had none, with room for n.
        next_code: The first code that no number has yet.

    Returns:
        How many had none.
    """
    n_new = np.int64(0)
    for row in range(len(numbers)):
        number = numbers[row]
        code = table[number]
        if code < 0:
            code = np.int32(next_code + n_new)
            table[number] = code
            new[n_new] = number
            n_new += 1
        codes[row] = code
    return n_new
