"""Reports and files of results, in Markdown, LaTeX, HTML, CSV, Parquet and JSON.

It reads results and what ``comparison`` says of them; it never computes an item.
"""
