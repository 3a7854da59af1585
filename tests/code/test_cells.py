"""Classes and functions of a notebook's cells, as IPython keeps their source."""

from __future__ import annotations

import itertools
import linecache
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from omnibench.code import code_of
from omnibench.code.identity import identify
from omnibench.errors import PlanError

Run = Callable[..., dict[str, Any]]

KNN = """class Knn:
    def fit(self, train):
        self.items = order(train)[:K]

    def recommend(self, users, k):
        return {user: self.items for user in users}
"""
ORDER = "def order(train):\n    return sorted(train, key=math.sqrt)\n"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run cells one after the other, as a kernel does, and return what their names stand for."""
    kept: list[tuple[str, str]] = []
    numbers = itertools.count()

    def run_cells(*cells: str) -> dict[str, Any]:
        module = ModuleType("__main__")
        monkeypatch.setitem(sys.modules, "__main__", module)
        namespace = vars(module)
        namespace["_ih"] = [""]
        for cell in cells:
            file = next((name for name, text in kept if text == cell), f"<ipython-input-{next(numbers)}>")
            linecache.cache[file] = len(cell), None, cell.splitlines(keepends=True), file
            kept.append((file, cell))
            namespace["_ih"].append(cell)
            exec(compile(cell, file, "exec"), namespace)
        return namespace

    yield run_cells
    for file, _ in kept:
        linecache.cache.pop(file, None)


def rebuilt(source: str) -> dict[str, Any]:
    """What the source makes in a process that knows nothing else."""
    namespace: dict[str, Any] = {"__name__": "rebuilt"}
    exec(compile(source, "<rebuilt>", "exec"), namespace)
    return namespace


def test_a_class_takes_along_what_it_uses_of_other_cells(run: Run) -> None:
    """Functions, constants, imports and bases; nothing else of the notebook."""
    namespace = run(
        "import math\nimport os.path as paths\nfrom collections import Counter as Tally\nK = 2\n",
        "train = [9, 4, 1]\nnames = object()\n",
        ORDER,
        "class Base:\n    counts = Tally('aab')\n    home = paths.sep\n",
        KNN.replace("class Knn:", "class Knn(Base):"),
    )
    source = identify(namespace["Knn"]).source
    made = rebuilt(source)["Knn"]()
    made.fit([9, 4, 1])
    assert made.recommend(["u"], 1) == {"u": [1, 4]}
    assert made.counts["a"] == 2
    assert "names" not in source
    assert "train = " not in source


def test_the_same_class_in_a_file_has_the_same_key(run: Run, imported: Callable[[str], ModuleType]) -> None:
    """Who moves a class from a cell into a file keeps its results."""
    cell = f"import math\nK = 2\n{ORDER}{KNN}"
    assert code_of(run("import math", "K = 2", ORDER, KNN)["Knn"]) == code_of(imported(cell).Knn)


@pytest.mark.parametrize(
    "changed",
    [
        ("import math", "K = 3", ORDER, KNN),
        ("import math", "K = 2", ORDER.replace("math.sqrt", "math.sin"), KNN),
        ("import math", "K = 2", ORDER, KNN.replace("user: self.items", "user: self.items[:k]")),
    ],
)
def test_what_it_uses_is_its_key(changed: tuple[str, ...], run: Run) -> None:
    """Another constant, helper or method makes another key; a docstring, comment or other cell does not."""
    before = code_of(run("import math", "K = 2", ORDER, KNN)["Knn"])
    assert code_of(run(*changed)["Knn"]) != before
    documented = KNN.replace("class Knn:", 'class Knn:  # nearest\n    """Neighbours."""\n')
    assert code_of(run("import math\nfrom os import sep", "K = 2", ORDER, documented, "J = 3")["Knn"]) == before


def test_the_latest_run_of_a_cell_counts(run: Run) -> None:
    """Cells that were edited, or run again later, stand for what they did last."""
    cells = ("import math", ORDER, KNN)
    two, three = (code_of(run(*cells, f"K = {k}")["Knn"]) for k in (2, 3))
    assert code_of(run(*cells, "K = 2", "K = 3")["Knn"]) == three
    assert code_of(run(*cells, "K = 2", "K = 3", "K = 2")["Knn"]) == two
    tables = ("from array import array", "ORDERS = array('i', [1])", "ORDERS = array('i', [2])")
    method = "class Knn:\n    def fit(self, train):\n        self.order = ORDERS[0]\n"
    for order, value in [((0, 1, 2), 2), ((0, 2, 1), 1), ((0, 1, 2, 1), 1)]:
        made = rebuilt(identify(run(*(tables[number] for number in order), method)["Knn"]).source)["Knn"]()
        made.fit(None)
        assert made.order == value


def test_circles_of_definitions_come_in_an_order_that_works(run: Run) -> None:
    """A method may use a class that inherits from its own."""
    one = "class Knn:\n    def fit(self, train):\n        return Heir.__mro__[1] is Knn\n"
    other = "class Heir(Knn):\n    pass\n"
    assert rebuilt(identify(run(one, other)["Knn"]).source)["Knn"]().fit(None)


def test_functions_of_cells_have_keys_too(run: Run) -> None:
    """Functions of cells that are steps and metrics, which run in the notebook itself, have keys by their source."""
    cell = "def few(frame):\n    return frame.head(N)\n"
    keys = {code_of(run(f"N = {n}", cell)["few"]) for n in (1, 2)}
    assert len(keys) == 2


def test_decorated_functions_are_found(run: Run) -> None:
    """Their source begins at the decorator."""
    for decorator in ("wraps(len)", "cache"):
        cell = f"import functools\n\n\n@functools.{decorator}\ndef order(train):\n    return sorted(train)\n"
        made = rebuilt(identify(run("K = 1", cell, KNN)["Knn"]).source)["Knn"]()
        made.fit((2, 1))
        assert made.items == [1]


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (("K = open", "K = type('T', (), {})()", "order = sorted", KNN), None),
        (("import io", "K = 1", "for order in [io.StringIO()]:\n    pass", KNN), "order, which it uses, is a StringIO"),
        (
            ("K = 1", "order = None\ndef outer():\n    " + KNN.replace("\n", "\n    ") + "return Knn\nKnn = outer()"),
            "inside",
        ),
    ],
)
def test_what_no_source_makes_is_refused_with_the_way_out(cells: tuple[str, ...], says: str | None, run: Run) -> None:
    """Two lines move the class into a file."""
    algorithm = run(*cells)["Knn"]
    if says is None:
        assert identify(algorithm).source
        return
    with pytest.raises(PlanError, match=says) as refused:
        identify(algorithm)
    assert "%%writefile mymodel.py" in str(refused.value)
    assert "from mymodel import " in str(refused.value)


SESSION = """
import sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
for cell in {cells!r}:
    result = shell.run_cell(cell, store_history=True)
    if not result.success:
        sys.exit(1)
"""

DATA = """
import pandas as pd
from omnibench import *

frame = pd.DataFrame({"user": [n % 30 for n in range(600)], "item": [n * n % 41 * (n % 3) for n in range(600)]})
data = from_frame(frame.drop_duplicates(), "tiny").pipe(CorePruning(2), UserHoldout(0, 1))

def run(algorithm):
    plan = ExperimentPlan("notebook")
    plan.add_algorithm(algorithm)
    evaluator = run_omnirec(data, plan, Evaluator(NDCG(3), HitMetric(first, 3)))
    print("value", evaluator.to_frame()["value"].tolist())
"""
RANKED = "def ranked(train, ascending):\n    return train['item'].value_counts(ascending=ascending).index.tolist()\n"
ALGORITHM = (
    "class Knn:\n    def fit(self, train):\n        self.items = ranked(train, ASCENDING)\n"
    + KNN[KNN.index("\n    def rec") :]
)


@pytest.mark.guests
def test_a_notebook_runs_its_classes_in_a_guest(tmp_path: Path) -> None:
    """A real IPython sends classes by value, from the store, anew when a cell has changed, and by the way out."""
    pytest.importorskip("IPython")
    cells = [
        DATA,
        "def first(hits, relevant):\n    return hits[:, 0] * 1.0\n",
        RANKED,
        "ASCENDING = False",
        ALGORITHM,
        "run(Knn)",
        "run(Knn)",
        "ASCENDING = True",
        "run(Knn)",
        f"%%writefile mymodel.py\nASCENDING = False\n{RANKED}{ALGORITHM}",
        "from mymodel import Knn\nrun(Knn)",
    ]
    script = tmp_path / "session.py"
    script.write_text(SESSION.format(cells=cells))
    session = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert session.returncode == 0, session.stdout + session.stderr
    values = [line for line in session.stdout.splitlines() if line.startswith("value")]
    assert values[0] == values[1] == values[3] != values[2]
    assert session.stderr.count("1 done, 0 failed, 0 pending") == 2
