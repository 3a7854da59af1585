import random


class Proposals:
    def __init__(self, space, tuning, key, higher, defaults):
        self.space, self.tuning, self.key = space, tuning, key

    def round_of(self, number):
        size = self.tuning.round_size
        return range(10**9) if size is None else range(number // size * size, number // size * size + size)

    def propose(self, number, finished):
        if number == 0:
            return {}
        rng = random.Random(f"{self.key}{number}")
        return self.space.at([rng.random() for _ in self.space.dimensions])
