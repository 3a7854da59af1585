"""The words of ``docs/scale.md``, between the tables that ``eight_page.py`` makes of the numbers."""

from __future__ import annotations

INTRODUCTION = """
# Large data

Cost should grow with the work and no faster. This page shows what eight algorithms cost from Fit to published metrics, beside
bare scripts that call the same framework as its guide does, on the same split: generated interactions with the users, items and
long tails of MovieLens, a fifth of each user's in the test part, lists of 20 items, NDCG and hit rate. After that come the growth of
each step, the work that it cannot do without, and what is on disk.

All numbers are CPU seconds of one thread, which depend less than the clock on what else the machine does. They were measured on
several days, though, with the code of each, and machines that many programs share take up to twice the CPU seconds for work that
leaves their caches: so compare the two numbers of a cell rather than those of two tables.
"""

IN_SHORT = """
## In short

All steps together: CPU seconds with omnibench as a multiple of those of the bare script. Below 1 omnibench takes less.
"""

SHORT_REASONS = """
What makes it less is lists: the frameworks' own predicting and measuring costs more and more beside their Fit, and omnibench does both
in their place. What makes it more is what a script leaves out (intervals, checks, records, files that are synced): a tenth of a
second for each item of small data, three seconds at 19.2 million rows. It shows where a script takes as little, so with small data, and with
the own class, which only counts.
"""

STEPS = """
## Step by step

With omnibench *fit* and *predict* are those of the framework's process, the others those of the run's own. *Check* is looking for
wrong lists, *publish* writing, syncing and recording model, predictions, readable copy and values per user; a bare script writes its
lists, or RecBole its model. *Rest* is everything else that omnibench does for an item, records and tables among it. RecBole ranks and
measures in one, which stands under *predict*. Omnibench's *evaluate* has the intervals of every metric, which no bare script has.
Not in the numbers: imports, and the text files that RecBole's script reads. The hit rates tell that both did the same: they are equal
unless the algorithm draws numbers, whose seeds are others.

What takes hours, or more memory than the machine has, was not run: there is an estimate in its place, with a ~, and below the table
what the estimate exceeds.

`python benchmarks/scale/eight_algorithms.py --write` measures the three largest sizes again and writes this page, with `--rows 312500`
the three smallest. That takes a day of CPU, nearly all of it for LightGCN; `--only Pop SVD` and `--sizes 1 4` (sixteenths of the rows)
do a part, and what needs more memory than the machine has is left out. `python benchmarks/scale/eight_page.py` writes the page
alone.
"""

GROWTH = """
## Growth

By which power of the rows a step grows, from the smallest to the largest size: 1 is as the rows do. Each size has four times the
rows of the one before and twice the items, so making the scores of all items for all users grows by a power of 1.5, and so does
inverting EASE's matrix of items by items.
"""

LATE_GROWTH = """
Small data costs what starting costs, which hides some of the growth. From one size to the next, of the two largest that were run:
"""

LATE_GROWTH_REASONS = """
An epoch of RecBole's networks grows by about 2 where that is most of a Fit: in each batch its optimiser changes the vectors of all users and
items, and LightGCN passes over the whole graph. *Publish* grows by less at the largest size because there the readable copy is
Parquet instead of JSON. Steps of milliseconds, as a bare *publish*, have no growth to speak of.
"""

LIMITS = """
## The bare work of a step

How near each step is to what limits it: the CPU seconds of what it is about and nothing around it, and how many times as much omnibench takes,
at the largest size at which both ways were run.

| step | its bare work | limited by | what omnibench does beyond it |
| --- | --- | --- | --- |
| fit | the bare script's Fit: no limit of the machine, but the work is the framework's | the framework | hands the data over; may take less |
| predict | the product that makes the scores: by BLAS in float32 for factors, by SciPy for neighbours and EASE; for popularity reading the training part once | multiplications of a core | finds the 20 best that a user has not seen; for neighbours it needs less than SciPy's product |
| check | reading lists and training part once | reading memory | looks up each item of a list in what the user has seen |
| evaluate | reading lists and test part once | reading memory | draws as many users as there are a thousand times, for the intervals: nine tenths of it |
| publish | writing, syncing and digesting as many bytes | digests, and the disk (whose time is no CPU time) | makes the texts of the readable copy, four fifths of the own class's (JSON up to a million entries, Parquet above); writes models that are not kept afterwards (EASE) |
"""

RATES = """
That is, at {rows} rows: BLAS did {operations} GFLOP per second for {scores} thousand million scores, memory was read at {reading} GB
per second, and {publishing} GB per second were written and digested. The intervals draw {draws} million users; with everything else that
evaluating is, omnibench takes {each} ns for each of them.
"""

ALL_USERS = """
## All users at once

Lists of 20 items for all 138,493 users of a generated fold with 26,744 items, in CPU seconds of one thread beside the bare
computation, and what ranking adds to the guest's memory; at load 14 to 24 on two cores,
LensKit's ItemKNN at load 3 (`python benchmarks/scale/predicting.py --parts 1`).

|  | omnibench / bare | ratio | added, MB |
| --- | ---: | ---: | ---: |
| LensKit popularity / a set per user | 0.38 / 4.77 | 0.08x | 35 |
| RecPack popularity / a set per user | 0.41 / 5.09 | 0.08x | 0 |
| RecBole popularity / a set per user | 0.59 / 5.24 | 0.11x | 0 |
| RecBole BPR, d=64 / BLAS in float32 | 6.64 / 5.91 | 1.12x | 0 |
| RecPack ItemKNN, K=100 / SciPy's product | 12.9 / 16.3 | 0.79x | 0 |
| LensKit ImplicitMF, d=64 / BLAS in float32 | 5.94 / 4.90 | 1.21x | 0 |
| LensKit ItemKNN, 100 similar items, 20 count / SciPy's product | 9.98 / 7.10 | 1.41x | 0 |

For a part of the users, and the whole catalogue; the cost grows as the users do (at load 6 to 20):

| users x items |  | omnibench / bare | ratio | added, MB |
| --- | --- | ---: | ---: | ---: |
| 8,655 x 26,744 | LensKit ImplicitMF, d=64 / BLAS in float32 | 0.35 / 0.31 | 1.14x | - |
| 8,655 x 26,744 | RecPack SVD, d=64 / BLAS in float64 | 0.58 / 0.64 | 0.91x | 56 |
| 8,655 x 26,744 | LensKit ItemKNN, 100 similar items, 20 count / SciPy's product | 0.92 / 0.82 | 1.13x | 23 |
| 34,623 x 26,744 | LensKit ImplicitMF, d=64 / BLAS in float32 | 1.19 / 1.43 | 0.83x | 15 |
| 34,623 x 26,744 | RecBole BPR, d=64 / BLAS in float32 | 1.45 / 1.47 | 0.99x | 52 |
| 34,623 x 26,744 | RecPack SVD, d=64 / BLAS in float64 | 2.43 / 2.69 | 0.90x | 98 |
| 34,623 x 26,744 | RecPack ItemKNN, K=100 / SciPy's product | 2.94 / 3.50 | 0.84x | 30 |
| 34,623 x 26,744 | LensKit ItemKNN, 100 similar items, 20 count / SciPy's product | 2.76 / 2.54 | 1.09x | 52 |
| 581,466 x 164,288 | LensKit popularity / a set per user | 0.97 / 12.5 | 0.08x | 208 |
| 36,341 x 164,288 | LensKit popularity / a set per user | 0.06 / 0.84 | 0.07x | 13 |
| 36,341 x 164,288 | RecPack popularity / a set per user | 0.05 / 0.99 | 0.05x | 1 |
| 36,341 x 164,288 | RecBole popularity / a set per user | 0.06 / 1.03 | 0.06x | 25 |
| 36,341 x 164,288 | LensKit ImplicitMF, d=64 / BLAS in float32 | 4.41 / 5.60 | 0.79x | 59 |
| 36,341 x 164,288 | RecBole BPR, d=64 / BLAS in float32 | 4.89 / 8.22 | 0.59x | 0 |
| 36,341 x 164,288 | RecPack SVD, d=64 / BLAS in float64 | 7.76 / 16.0 | 0.48x | 73 |
| 36,341 x 164,288 | RecPack ItemKNN, K=100 / SciPy's product | 1.15 / 0.90 | 1.28x | - |
| 36,341 x 164,288 | LensKit ItemKNN, 100 similar items, 20 count / SciPy's product | 1.26 / 0.81 | 1.55x | - |

LensKit's ItemKNN of all users was 1.31 to 1.56 times SciPy's product in five runs at load 2 to 4: similar items are more often popular ones with
more users, so that more sums have over 20 terms, while SciPy's rows get shorter. Bounds tell which of these sums matter. A third of the time are
LensKit's heaps, whose order gives the last bit of the 20 sums that are in a list. In the shop, where neither counts bounds, it takes 1.42 to 1.67 times it.
In the shop sums are made without SciPy's product, which counts what is reached before it adds anything up; LensKit's also count neighbours.

RecBole's autoencoders are ranked by the weights of their last layer, and read histories as lists of items instead of rows of all items:
4,192 users of 26,744 items take MultiVAE 2.0 s, 4.1 s by RecBole's own scores, and CDAE 0.6 s, 1.3 s by its own (load 12), with equal
lists. Others have no such form: ADMMSLIM adds a random number to each score, NAIS weighs a history anew for each item,
MacridVAE's scores are logarithms of sums, each step of DiffRec has a number for each item, and LensKit's UserKNN takes an item's
nearest neighbours among those who have it. Cutting the lists is 0.4 % (UserKNN), 3 % (MacridVAE), 6 % (DiffRec) and 9 %
(ADMMSLIM) of what they take of 1,453 users and 3,400 items.

100 sampled candidates for each of them are drawn in 8.4 s, with numba in 8.2 s (load 7); they are kept beside the fold. By the draws
of 4,096 users, those of a shop of 581,466 users and 164,288 items take 179 s, with numba 37 s (`python benchmarks/scale/drawing.py`).
"""

DISK = """
## On disk

Megabytes of the prepared data, once, and of each algorithm's item: predictions, their readable copy, values per user, records, and the
model where `keep_models=auto` keeps it, since it is small or was long in the making (LightGCN's at 1.13 million rows).
"""

DISK_BEFORE = """
Before anything was done about sizes (commit 9d52222, `python benchmarks/scale/eight_disk.py` in an environment of it) the columns of
the data were stored twice, and every model was kept. Lists whose scores have double precision keep it since then:
"""

DISK_FOLDS = """
Several folds share their rows: five folds of 3.75 million rows with text ids take 67 MB, where copies of the rows for
each fold took 363 MB, and a fold opens in 2 ms whatever its size (`python benchmarks/scale/folds.py`).
"""

NEXT = """
## Large stores

`status`, `show`, `why`, `logs` and exports of a store of 100,000 items (600,000 records, 1 GB), in CPU seconds and peak memory on two
cores that did little else; `python benchmarks/scale/stores.py` makes such stores and asks them.

|  | 10,000 items | 100,000 items |
| --- | ---: | ---: |
| `show`, `why`, `logs` of an item that is done | 0.2 s, 32 MB | 0.2 s, 69 MB |
| `status` | 0.6 s, 48 MB | 4.9 s, 210 MB |
| `open_store().results()` | 1.2 s, 146 MB | 6.6 s, 247 MB |
| `export results.csv` | 1.4 s, 80 MB | 9.6 s, 221 MB |
| `export results.parquet` | 1.5 s, 124 MB | 10.3 s, 270 MB |
| `export results.json` | 1.5 s, 68 MB | 10.2 s, 220 MB |

Wanted at 100,000 items are 0.3 s for `show`, `why` and `logs`, 5 s for `status`, 10 s for `results()` and each export, and less than
300 MB. The machine's own speed differs by a tenth from hour to hour, so that exports to JSON and Parquet are now below 10 s and now above.

Reading all records once and comparing each with its checksum takes 1.9 s of 100,000 items.

## Next

[Running](running.md) says what `-n auto` reckons with; [the store](store.md) has what is kept, and how to keep less.
"""
