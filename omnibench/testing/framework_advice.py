"""What whoever writes the adapter of a framework, or a program, should change, in the place of what a class would."""

from __future__ import annotations

from collections.abc import Mapping

from omnibench.testing import advice

_LISTS = (
    "what `score(model, task, fold)` yields: users and their scores, an array of users x fold.n_items, NaN for items without one; "
    "or what `lists` yields, or what the program writes to {output}."
)
_RATINGS = (
    "what `rate(model, task, fold)` returns: one finite number for each row of fold.test (of a program a line for each pair). "
    "For a user or an item that it does not know it needs a fallback, such as the mean rating of training."
)
_STATE = (
    "hand `task.snapshots.point` a function that saves all that the next iteration depends on, an optimizer and random states "
    "among it, take it back inside of `task.snapshots.restoring()`, and begin the loop behind the iteration that was saved (of a "
    "program: all of that lies in {checkpoint}, whenever it tells of one)."
)

OF_FRAMEWORKS: Mapping[str, str] = {
    advice.FIT: (
        "what is said below, by the functions of the adapter: `fit(task, fold)` gets codes in fold.train (.user, .item; .rating and "
        ".timestamp, or None), `save(model, directory)` writes one file there, which `load` reads in another process: what pickle "
        "cannot take is to be saved by a method of the framework's, or made anew in `load`. Where the algorithm needs other or more "
        "data, give the test class `dataset = ...`."
    ),
    advice.LISTS: _LISTS,
    advice.RATINGS: _RATINGS,
    advice.LEFTOVERS: (
        "what an earlier `fit` leaves behind in the process: variables of the module or of the framework, a default argument that is "
        "changed, a generator that goes on to draw. Let `fit` begin with fresh ones, seeded by task.seed."
    ),
    advice.UNSEEDED: (
        "what the seed does not reach: generators that `fit` seeds by nothing, numpy's and torch's global ones among them "
        "(`np.random.seed(task.seed % 2**32)`), threads that draw or add up in another order each time, a process's id or address, "
        "the clock. Where the framework itself cannot be seeded, say so in `expected_failures`."
    ),
    advice.DETERMINISTIC: 'leave out `"deterministic": True`: with it, an algorithm is fitted once for several seeds.',
    advice.CHANGES_ITSELF: (
        "let `score`, `lists` and `rate` leave the model as it is, and draw nothing: they are called again for longer lists."
    ),
    advice.ELSEWHERE: (
        "let `save` write all that `score`, `lists` and `rate` need into its one file, and `load` read it from there: nothing may "
        "be left in variables of the module, or in a file beside it."
    ),
    advice.BARE: (
        "let `fit` do without fold.train.rating and fold.train.timestamp, which are None where the data have none. What needs them "
        "overrides this check."
    ),
    advice.RATED: "let `fit` take data that have fold.train.rating and fold.train.timestamp, too.",
    advice.HISTORY: (
        "let `score` or `lists` look for what it knows of a user in fold.history, and never in what `fit` has learned of users: "
        "these are unknown in training."
    ),
    advice.EMPTY_HISTORIES: (
        "what takes every user and item for one of training: fold.n_users and fold.n_items count all of the data set, of which some "
        "have no row in fold.train, so a division by their count, or a table of those in training, has to allow for them."
    ),
    advice.SINGLE_ITEMS: (
        "what needs two items of a user or two candidates (a division by n - 1, a variance, negative samples of a user who has "
        "nearly everything)."
    ),
    advice.FULL_LISTS: "say so with `fills_lists = False` in the test class, if the algorithm cannot score every item.",
    advice.TAKING: (
        "what saving a snapshot changes in the model or draws at random: a snapshot has to leave everything as it is, because the Fit "
        "goes on after it."
    ),
    advice.SAVING: "let the function that `task.snapshots.point` gets write all of the state into the directory that it is called with.",
    advice.RESUMING: _STATE,
    advice.LOADING: _STATE,
    advice.NEEDED: _STATE,
    advice.LACKING: _STATE,
    advice.LOOPING: (
        "begin the loop behind the iteration of the snapshot, count from 1, and call `task.snapshots.point` once for each, as the last "
        "thing that it does."
    ),
}
"""By what would be said of a class."""


def to_change(change: str, *, is_class: bool) -> str:
    """Return what to change, said of a class, as it is said of a framework.

    Args:
        change: What would be said of a class; see ``omnibench.testing.advice``.
        is_class: Whether it is one.
    """
    return change if is_class else OF_FRAMEWORKS.get(change, change)
