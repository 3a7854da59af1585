"""What a user should change, for what the checks of the contract find."""

from __future__ import annotations

import textwrap

from omnibench.errors import GuestError, OmnibenchError

_WIDTH = 100
"""Characters in a line of a message."""

FIT = (
    "what `fit` has raised; it is below. `fit` gets a pandas frame with the columns user and item (rating and timestamp where "
    "the data have them), and where it names them validation, items, users and report. Where the algorithm needs other or "
    "more data, give the test class `dataset = ...`."
)
LISTS = (
    "what `recommend(users, k)` returns: for every user a list of k different items of the dataset, the best first, or pairs "
    "of item and finite score."
)
RATINGS = (
    "what `predict(users, items)` returns: a finite rating for each pair, in the order of the pairs. For a pair whose user "
    "or item it does not know it needs a fallback, such as the mean rating of training."
)
FULL_LISTS = (
    "have `recommend(users, k)` return k items, as many as it is asked for: k is longer than what is judged, because what a "
    "user has is taken out afterwards. An algorithm that cannot score every item says so with `fills_lists = False` in "
    "the test class."
)
LEFTOVERS = (
    "what an earlier `fit` leaves behind in the process: attributes of the class, a default argument that is changed, "
    "variables of the module. Let `fit` begin with fresh attributes of `self`."
)
UNSEEDED = (
    "what the seed does not reach: generators without a seed (`numpy.random.default_rng()`, `random.Random()`: give them "
    "`self.seed`, and take `seed` in the constructor), a process's id or address, the clock, the order of files. "
    "Attributes that only measure, such as a time, are no trouble: they are not predicted with."
)
DETERMINISTIC = "leave out `deterministic = True`: with it, an algorithm is fitted once for several seeds."
CHANGES_ITSELF = (
    "let `recommend` and `predict` leave `self` as it is (no popping from lists, no cursor that moves on): they are called in "
    "batches of users, and again for longer lists."
)
ELSEWHERE = (
    "keep all that `recommend` and `predict` need in attributes of `self`, which are pickled: nothing in the class, in the "
    "module or in a file beside it, and no relative path. What `__getstate__` leaves out has to come back in `__setstate__`."
)
BARE = (
    "let `fit` do without the columns rating and timestamp (`if 'rating' in train`), or say `uses_ratings = True` in the "
    "class if it needs ratings. What needs timestamps overrides this check."
)
REFUSAL = (
    "leave out `sequential` or `timed` in the catalogue of its framework, if it does without timestamps. Else this is omnibench's fault: "
    "a plan has to refuse such data before anything runs."
)
RATED = "let `fit` take a frame that has the columns rating and timestamp, too: name the columns that it uses."
HISTORY = (
    "let `recommend(users, k, history)` look for what it knows of a user in `history`, the frame of what these users have, "
    "and never in what `fit` has learned of users: these are unknown in training."
)
EMPTY_HISTORIES = (
    "what takes every user or item of `users`, `items` or `validation` for one of `train`: some have no row there, so a "
    "division by their count, or a dictionary made of `train`, has to allow for them."
)
FEATURES = (
    "take the ids by name, `items['item']` and `users['user']`, and what is known of them by its column's name: the frames have "
    "further columns where the dataset has features, and some of what is in them is missing (None or NaN)."
)
SINGLE_ITEMS = (
    "what needs two items of a user or two candidates (a division by n - 1, a variance, negative samples of a user who has "
    "nearly everything), or lists that are longer than the catalogue: `k` may be larger than what there is."
)
TAKING = (
    "what `checkpoint_save` or `__getstate__` changes in `self`: a snapshot has to leave everything as it is, because the "
    "Fit goes on after it."
)
SAVING = (
    "let `checkpoint_save(directory)` write all of the state into the directory that it gets, or leave it out: then the "
    "attributes of `self` are pickled."
)
RESUMING = (
    "keep all that the next iteration depends on in attributes of `self` (or write it in `checkpoint_save`, and take it back "
    "in `checkpoint_load`): a variable of `fit` is gone after a resume, be it an optimizer, a learning rate that decays, or a "
    "generator. Let the loop begin with `report.iteration + 1`, set up what the first iteration needs only if "
    "`report.iteration == 0`, and name random states that lie elsewhere in `random_state_of`."
)
LOADING = (
    "what `checkpoint_load(directory)` does with the files that `checkpoint_save(directory)` has written: it gets them in an "
    "instance that was constructed as in the beginning, and sets whatever the loop and `recommend` need."
)
UNPAIRED = "write both, or neither: then the attributes of `self` are pickled."
NEEDED = (
    "keep in an attribute of `self` what `fit` needs after a resume, or make it whatever `report.iteration` is: a variable that "
    "is set only if `report.iteration == 0` is not there."
)
LOOPING = "begin the loop with `report.iteration + 1`, count from 1, and report each iteration once, as the last thing that it does."
EARLY = (
    "report an iteration as the last thing that it does: what comes after `report(iteration=...)` is not in the snapshot of "
    "that iteration, and is not done after a resume."
)
LACKING = (
    "let `restore_parts(self, missing)` make the missing parts anew, or `checkpoint_save` and `checkpoint_load` keep them. "
    "What can be made from the others may be left out in `__getstate__`."
)
KILLED = (
    "what a process that is killed leaves behind, in the way of the next one: a lock, a file that is half written, a folder "
    "that has to be new."
)


def of_failure(error: OmnibenchError, usual: str) -> str:
    """Return what to change where something has failed.

    Args:
        error: Why.
        usual: What to change where the algorithm itself is to blame.
    """
    text = str(error)
    if not isinstance(error, GuestError):
        return "what the message says: no plan would take the algorithm like this."
    if "took more than" in text:
        return (
            "`parameters`, so that there are fewer iterations, or `timeout` of the test class, if it needs that long."
        )
    if error.died:
        return (
            "what ends its process: a crash of a native library, `os._exit`, want of memory. Its last words are below."
        )
    if "cannot be stored" in text:
        return (
            "leave out what cannot be pickled in `__getstate__`, and make it anew in `__setstate__`: a model is stored, so "
            "that it can be asked in another process."
        )
    return usual


def of_resume(text: str) -> str:
    """Return what to change where a Fit does not go on from a snapshot.

    Args:
        text: What was said of it.
    """
    from omnibench.runners import own_report, own_snapshots  # which import pandas

    causes = {
        own_snapshots.LOAD_FAILED: LOADING,
        own_snapshots.NO_ATTRIBUTE: NEEDED,
        own_snapshots.AFTER_A_CHANGE: LACKING,
        own_report.HOW_TO_LOOP: LOOPING,
    }
    return next((change for cause, change in causes.items() if cause in text), RESUMING)


def without_options(text: str) -> str:
    """Return a message without what it says of the options of a run, which a test class does not have."""
    from omnibench.runners.own_snapshots import AFTER_A_CHANGE  # as above

    return text.replace(AFTER_A_CHANGE, "").replace(" (--omnirec-timeout)", "").rstrip()


def message(finding: str, change: str, details: str = "") -> str:
    """Return a check's message: what was found, what to change, and a traceback if there is one."""
    lines = textwrap.TextWrapper(_WIDTH, break_long_words=False, break_on_hyphens=False)
    advice = textwrap.indent(lines.fill(f"Change: {change}"), "  ")
    return "\n\n".join(filter(None, [lines.fill(f"{finding.rstrip('.')}."), advice, details.strip()]))
