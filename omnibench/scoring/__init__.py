"""Lists and predicted ratings that somebody else made: files and frames of them, judged by omnibench's metrics.

Nothing here knows a store but ``run_files``, which writes what a store has in the forms that others read.
"""
