"""Classes of the user's own that need packages, for tests."""

from __future__ import annotations

from pathlib import Path

WALKS = '''
class PageRank:
    """Ranks items by the PageRank of walks that begin at what a user has."""

    requirements = ["igraph==1.*"]

    def __init__(self, damping=0.85, seed=None):
        self.damping, self.seed = damping, seed

    def fit(self, train, items, users, report):
        import os
        import igraph

        self.items = items["item"].tolist()
        numbers = {item: number for number, item in enumerate(self.items)}
        self.start = {user: len(self.items) + number for number, user in enumerate(users["user"])}
        edges = zip(train["user"].map(self.start).tolist(), train["item"].map(numbers).tolist())
        self.graph = igraph.Graph(len(self.items) + len(self.start), list(edges))
        print("igraph", igraph.__version__, "threads", os.environ["OMP_NUM_THREADS"], "seed", self.seed)
        for iteration in range(report.iteration + 1, 4):
            report(iteration=iteration, iterations=3, damping=self.damping)

    def recommend(self, users, k):
        return {user: zip(self.items, self._ranks(user)) for user in users}

    def _ranks(self, user):
        return self.graph.personalized_pagerank(damping=self.damping, reset_vertices=[self.start[user]])[: len(self.items)]
'''

LOCK = """# no-such-lib==9.* on Python 3.12
no-such-lib==9.1.2 \\
    --hash=sha256:00
numpy==2.4.6 \\
    --hash=sha256:11
pandas==3.0.0
"""


def write_class(folder: Path, name: str, body: str, lock: str = LOCK) -> Path:
    """Write a class named ``Needy`` into a module, and its lock beside it; return the module's file."""
    path = folder / f"{name}.py"
    text = f"class Needy:\n    requirements = ['no-such-lib==9.*']\n    python = '3.12'\n\n{body}"
    path.write_text(text + "\n\n    def recommend(self, users, k):\n        return {}\n")
    if lock:
        (folder / f"{name}.Needy.lock").write_text(lock)
    return path


BOOSTED = '''
class Boosted:
    """Ranks items by trees that are boosted to tell what a user has bought from what the user has not."""

    requirements = ["lightgbm==4.*"]

    def __init__(self, n_estimators=20, seed=None):
        self.n_estimators, self.seed = n_estimators, seed

    def fit(self, train, items, users):
        import lightgbm
        import numpy as np

        self.items = items["item"].tolist()
        self.popularity = train["item"].value_counts().reindex(self.items, fill_value=0).to_numpy()
        bought = set(zip(train["user"], train["item"]))
        pairs = [(user, number) for user in users["user"] for number in range(len(self.items))]
        rows = [[user, number, self.popularity[number]] for user, number in pairs]
        labels = [(user, self.items[number]) in bought for user, number in pairs]
        data = lightgbm.Dataset(np.array(rows), np.array(labels), params={"verbose": -1})
        settings = {"objective": "binary", "seed": self.seed, "num_threads": 1, "verbose": -1, "min_data_in_leaf": 5}
        self.booster = lightgbm.train(settings, data, self.n_estimators)

    def recommend(self, users, k):
        import numpy as np

        rows = {user: [[user, number, self.popularity[number]] for number in range(len(self.items))] for user in users}
        return {user: zip(self.items, self.booster.predict(np.array(row))) for user, row in rows.items()}
'''
