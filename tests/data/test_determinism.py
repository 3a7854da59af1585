"""Every step gives the same for a seed: in another process, under another pandas, with other types of columns."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibench import (
    Apply,
    AtMost,
    CorePruning,
    Deduplicate,
    KeepRepeats,
    LeaveLastOut,
    LeaveNOut,
    MakeImplicit,
    RandomCrossValidation,
    RandomHoldout,
    RatingFilter,
    RollingWindows,
    Sessions,
    SessionSplit,
    StrongGeneralization,
    Subsample,
    TimeBasedHoldout,
    TimeFilter,
    UserCrossValidation,
    UserHoldout,
    UserTimeBasedHoldout,
    from_frame,
)
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.parts import Split


def frame_of(n: int = 1500) -> pd.DataFrame:
    """Interactions by arithmetic alone, with repeats; every user and item has many."""
    number = np.arange(n, dtype=np.int64)
    return pd.DataFrame(
        {
            "user": number * 7919 % 31,
            "item": number * 104729 % 37,
            "rating": (number * 31 % 9 + 1) / 2,
            "timestamp": 880_000_000 + number * 7907 % 1009,
        }
    )


def later_half(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["timestamp"] >= frame["timestamp"].median()]


RECIPES: dict[str, tuple[Any, ...]] = {
    "MakeImplicit": (Deduplicate(), MakeImplicit(0.5)),
    "RatingFilter": (Deduplicate(), RatingFilter(1.5, 4)),
    "TimeFilter": (Deduplicate(), TimeFilter("1997-11-20T04:26:50Z", 880_000_900)),
    "CorePruning": (Deduplicate(), Subsample(700), CorePruning(user_core=18, item_core=15)),
    "one pass": (Deduplicate(), Subsample(700), CorePruning(20, one_pass=True)),
    "Subsample": (Deduplicate(), Subsample(0.3)),
    "Subsample users": (Deduplicate(), Subsample(10, "users")),
    "Subsample items": (Deduplicate(), Subsample(0.5, "items")),
    "AtMost": (Deduplicate(), AtMost(20, 25)),
    "AtMost random": (Deduplicate(), AtMost(20, 20, "random")),
    "Deduplicate first": (Deduplicate("first"),),
    "Deduplicate highest": (Deduplicate("highest"),),
    "Deduplicate sum": (Deduplicate("sum"),),
    "Apply": (Deduplicate(), Apply(later_half, version=1)),
    "UserHoldout": (Deduplicate(), UserHoldout(0.1, 0.2)),
    "RandomHoldout": (Deduplicate(), RandomHoldout(0.1, 0.2)),
    "UserCrossValidation": (Deduplicate(), UserCrossValidation(5, 0.1)),
    "RandomCrossValidation": (Deduplicate(), RandomCrossValidation(5, 0.1)),
    "TimeBasedHoldout": (Deduplicate(), TimeBasedHoldout(0.1, 0.2)),
    "UserTimeBasedHoldout": (Deduplicate(), UserTimeBasedHoldout(0.1, 0.2)),
    "LeaveLastOut": (Deduplicate(), LeaveLastOut()),
    "LeaveNOut": (Deduplicate(), LeaveNOut(2, 3, "random")),
    "RollingWindows": (Deduplicate(), RollingWindows(3, "3min", 0.1, gap="30s")),
    "Sessions": (Sessions("25s"),),
    "SessionSplit": (KeepRepeats(), Sessions("25s"), SessionSplit("3min", "2min", n=2)),
    "StrongGeneralization": (Deduplicate(), StrongGeneralization(0.1, 0.2, 0.3)),
}


def content(dataset: RecSysDataSet) -> str:
    """Digest what a recipe leaves, by the user's own ids, and the parts of every fold."""
    rows = dataset.interactions()
    digest = hashlib.sha256()
    frame = rows.frame()
    for name in frame.columns:
        is_text = not pd.api.types.is_numeric_dtype(frame[name])
        digest.update(
            "\n".join(frame[name]).encode()
            if is_text
            else frame[name].astype("float64").to_numpy().astype("<f8").tobytes()
        )
    for parts in dataset.parts(rows) if isinstance(dataset.steps[-1], Split) else ():
        for part in parts:
            digest.update(part.astype("<i8").tobytes() + b"|")
    return digest.hexdigest()[:16]


@pytest.mark.parametrize("name", RECIPES)
def test_what_a_step_gives_never_changes(name: str) -> None:
    """A frozen outcome on every machine: whoever changes it must raise the step's version."""
    assert content(from_frame(frame_of()).pipe(*RECIPES[name])) == FROZEN[name]


@pytest.mark.parametrize("name", RECIPES)
def test_what_a_step_gave_for_old_stores_never_changes(name: str) -> None:
    """Datasets that an earlier omnibench has recorded keep the order of their rows, and with it their numbers."""
    assert content(from_frame(frame_of()).as_recorded().pipe(*RECIPES[name])) == RECORDED[name]


@pytest.mark.parametrize("name", RECIPES)
def test_the_order_of_rows_does_not_matter(name: str) -> None:
    """Shuffled rows are the same data with the same key, unless a step asks for the last of several at one moment."""
    shuffled = frame_of().sample(frac=1.0, random_state=3)
    dataset, other = (from_frame(frame).pipe(*RECIPES[name]) for frame in (frame_of(), shuffled))
    assert dataset.key == other.key
    assert content(other) == FROZEN[name]


def test_another_process_gives_the_same() -> None:
    """Another process prepares the same data, whatever its hash seed."""
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from data.test_determinism import RECIPES, content, frame_of, from_frame\n"
        "print({name: content(from_frame(frame_of()).pipe(*steps)) for name, steps in RECIPES.items()})"
    )
    tests = __file__.rpartition("/data/")[0]
    done = subprocess.run(
        [sys.executable, "-c", code, tests],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.strip() == str(FROZEN)


WHOLE = ["int64", "int32", "uint16", "Int64", "object", "category", pd.ArrowDtype(pa.int64())]
MOMENTS = ["int64", "Int64", "object", pd.ArrowDtype(pa.int64()), "datetime64[s]", "datetime64[ns]"]
RATINGS = ["float64", "float32", "Float64", "object", pd.ArrowDtype(pa.float64())]


@settings(max_examples=40)
@given(
    st.sampled_from(sorted(RECIPES)),
    st.sampled_from(WHOLE),
    st.sampled_from(WHOLE),
    st.sampled_from(RATINGS),
    st.sampled_from(MOMENTS),
)
def test_the_types_of_columns_do_not_matter(name: str, user: Any, item: Any, rating: Any, timestamp: Any) -> None:
    """Numbers of any width, nullable, in objects, categories or Arrow are the same interactions, and dates seconds."""
    typed = frame_of()
    if str(timestamp).startswith("datetime"):
        typed["timestamp"] = pd.to_datetime(typed["timestamp"], unit="s")
    typed = typed.astype({"user": user, "item": item, "rating": rating, "timestamp": timestamp})
    assert content(from_frame(typed).pipe(*RECIPES[name])) == FROZEN[name]


FROZEN: dict[str, str] = {
    "MakeImplicit": "c724338f0e879cdb",
    "RatingFilter": "f5374531077f9692",
    "TimeFilter": "70d986e06a609a11",
    "CorePruning": "f0e2630987d17622",
    "one pass": "63e8d091619f92ef",
    "Subsample": "d244b45d4b9298c9",
    "Subsample users": "5d2fbc6b313280d4",
    "Subsample items": "df7b201613036e64",
    "AtMost": "fb0bfb0c9345c49a",
    "AtMost random": "96927c22637532e9",
    "Deduplicate first": "69ca5395ba10338b",
    "Deduplicate highest": "946d62733ff7df1f",
    "Deduplicate sum": "c1ec217a5030e654",
    "Apply": "94f6ec6220c898c9",
    "UserHoldout": "333f7aeb2eb0efde",
    "RandomHoldout": "6b8277a972ec5f97",
    "UserCrossValidation": "12b3a2a8d0675518",
    "RandomCrossValidation": "4230889a44a51acf",
    "TimeBasedHoldout": "22f67ff488f8727f",
    "UserTimeBasedHoldout": "99984e53a373f155",
    "LeaveLastOut": "0bb331b7e05143f6",
    "LeaveNOut": "b93836125890a389",
    "RollingWindows": "eaec2c907512e069",
    "Sessions": "064bff4ead1bac75",
    "SessionSplit": "2a5c1a0387cd68f0",
    "StrongGeneralization": "d02d4b94dda1f4b0",
}
"""With rows in canonical order."""

RECORDED: dict[str, str] = {
    "MakeImplicit": "134aa8f3c1a4a70d",
    "RatingFilter": "7bd0fde2e381df80",
    "TimeFilter": "84b7e8c772545010",
    "CorePruning": "deb7b73119677052",
    "one pass": "460cef266e1f4852",
    "Subsample": "3ca6358d18d69153",
    "Subsample users": "bf95059fe4df21ed",
    "Subsample items": "ec59ee15d8126db0",
    "AtMost": "42a28afc4942df6a",
    "AtMost random": "d6a8c62be6ab0672",
    "Deduplicate first": "ec543c0faf7d56ea",
    "Deduplicate highest": "335d3daafa87a2ba",
    "Deduplicate sum": "2bbfdd15772d4615",
    "Apply": "10d91c2c2ffe6395",
    "UserHoldout": "6fa72f6211a612ca",
    "RandomHoldout": "1ae43ee9dfe25e2f",
    "UserCrossValidation": "fd479b470b4832c1",
    "RandomCrossValidation": "c3bd9efdb4e54949",
    "TimeBasedHoldout": "0f9d98b8c55445e5",
    "UserTimeBasedHoldout": "78a71f8fe14f1237",
    "LeaveLastOut": "4240e99f2e33492c",
    "LeaveNOut": "2d0b71a43be2684e",
    "RollingWindows": "ed13be8f9054087a",
    "Sessions": "e5bb7e1e1311111c",
    "SessionSplit": "d13e49844fd5111f",
    "StrongGeneralization": "ee657133e5f170f2",
}
"""With rows as they come, as the first stores have them."""
