"""Fit and Predict on Dask workers: an item stays where the store is, its guest runs elsewhere.

The seam is the pool of guests. A worker thread of the submitting process takes an item through its phases as ever:
it holds the lease, publishes, records, evaluates. What it asks a guest for, it asks a ``RemoteGuest`` of a ``RemotePool``.

For each item the pool submits one task (``session.serve``), which Dask puts on a worker that is free, and which keeps that
place until the item ends. The task drives guests of an ordinary ``GuestPool`` of its worker's process, which stay warm from
task to task. Submitter and task talk through a ``Mailbox``, which the submitter empties by asking the scheduler: it needs a
way to the scheduler alone. Where the worker sees the submitter's files, they go by path, else by content (``files``).
A place that is lost is asked for anew (``pool``); who submitted is missed by the task, which ends its guest (``mailbox``).
"""
