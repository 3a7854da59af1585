"""The regression gate: a file of what was measured once, and whether what is measured now is worse.

Nothing here knows pytest: ``omnibench gate``, ``compare_with_baseline`` and pytest's ``--omnirec-gate`` say the same.
"""
