"""Files of interactions, read by pyarrow: how a file is laid out, its columns, and the line of what is wrong in it."""
