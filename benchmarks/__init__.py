"""Speed and accuracy figures: ratios measured in one run, since machines are noisy."""

import time
from collections.abc import Callable

REPEATS = 3


def fastest(work: Callable[[], object]) -> float:
    """Give the shortest of several wall-clock times of a call, in seconds."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
