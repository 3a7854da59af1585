"""What people read of a store: reports and files with results, in Markdown, LaTeX, HTML, CSV, Parquet and JSON.

It reads results and what ``comparison`` says of them; it never computes an item.
"""
