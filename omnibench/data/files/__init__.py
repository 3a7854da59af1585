"""Files on disk: archives and compression, how tables are laid out, their columns, and the line of what is wrong in them."""
