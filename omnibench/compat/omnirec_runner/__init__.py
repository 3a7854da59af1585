"""What scripts of runners import."""
