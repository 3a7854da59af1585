"""What ``formulations.py`` has numba compile."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np


@numba.njit
def implicit(user: Any, item: Any, rating: Any, timestamp: Any, threshold: Any) -> Any:
    """Keep the rows rated at least the threshold."""
    kept = 0
    for row in range(len(user)):
        kept += rating[row] >= threshold
    users, items, times = np.empty(kept, np.int32), np.empty(kept, np.int32), np.empty(kept, np.int64)
    place = 0
    for row in range(len(user)):
        if rating[row] >= threshold:
            users[place], items[place], times[place] = user[row], item[row], timestamp[row]
            place += 1
    return users, items, times


@numba.njit
def prune(user: Any, item: Any, timestamp: Any, core: int) -> Any:
    """Drop rows of users and items with too few, pass by pass; return also the first row of each user."""
    user_counts, item_counts = np.zeros(user.max() + 1, np.int32), np.zeros(item.max() + 1, np.int32)
    for row in range(len(user)):
        user_counts[user[row]] += 1
        item_counts[item[row]] += 1
    stays = np.ones(len(user), np.bool_)
    left, before = len(user), -1
    while left != before:
        before = left
        for row in range(len(user)):
            if stays[row] and (user_counts[user[row]] < core or item_counts[item[row]] < core):
                stays[row] = False
                left -= 1
                user_counts[user[row]] -= 1
                item_counts[item[row]] -= 1
    users, items, times = np.empty(left, np.int32), np.empty(left, np.int32), np.empty(left, np.int64)
    place = 0
    for row in range(len(user)):
        if stays[row]:
            users[place], items[place], times[place] = user[row], item[row], timestamp[row]
            place += 1
    first = np.zeros(len(user_counts) + 1, np.int64)
    for one in range(len(user_counts)):
        first[one + 1] = first[one] + user_counts[one]
    return users, items, times, first


@numba.njit(parallel=True)
def shuffle(first: Any, folds: int, seed: int) -> Any:
    """Deal folds in turn to each user's rows, and shuffle them within the user (Fisher and Yates, xorshift64)."""
    fold_of_row = np.empty(first[-1], np.uint8)
    for user in numba.prange(len(first) - 1):
        state = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(user + 1) * np.uint64(0xBF58476D1CE4E5B9)
        state ^= state >> np.uint64(30)
        state *= np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(27)
        start = state % np.uint64(folds)
        for row in range(first[user], first[user + 1]):
            fold_of_row[row] = (np.uint64(row - first[user]) + start) % np.uint64(folds)
        for place in range(first[user + 1] - first[user] - 1, 0, -1):
            state ^= state << np.uint64(13)
            state ^= state >> np.uint64(7)
            state ^= state << np.uint64(17)
            other = np.int64(((state >> np.uint64(32)) * np.uint64(place + 1)) >> np.uint64(32))
            one, two = first[user] + place, first[user] + other
            fold_of_row[one], fold_of_row[two] = fold_of_row[two], fold_of_row[one]
    return fold_of_row


@numba.njit
def parts(fold_of_row: Any, fold: int) -> Any:
    """Return the training and test rows of a fold."""
    tested = 0
    for row in range(len(fold_of_row)):
        tested += fold_of_row[row] == fold
    test, train = np.empty(tested, np.int64), np.empty(len(fold_of_row) - tested, np.int64)
    in_test = in_train = 0
    for row in range(len(fold_of_row)):
        if fold_of_row[row] == fold:
            test[in_test] = row
            in_test += 1
        else:
            train[in_train] = row
            in_train += 1
    return train, test
