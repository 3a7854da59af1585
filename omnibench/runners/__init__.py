"""WHO computes: the frameworks, their environments, and the guests that run in them."""
