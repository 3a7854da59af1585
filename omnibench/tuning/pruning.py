def prune(pruner, number, history, finished, higher_is_better, epochs=None):
    return None
