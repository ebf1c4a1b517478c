"""Several sizes of one upload, against one size and against a job for each."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

from benchmarks.measure import SAMPLES, fleet, in_turn, ratio, row
from fleet import Client
from fleet.images import Spec, render, render_many

ROUNDS = 7
PICTURES = 6
# A page's thumbnails; and a set whose largest needs all of a 12-megapixel picture's resolution, which rules the rest.
THUMBNAILS = (480, 320, 240, 160, 96)
WITH_A_LARGE_ONE = (1024, 640, 320, 160, 64)
MOST_OF_ONE, MOST_OF_FIVE = 1.35, 0.35


def specs(sides: Sequence[int]) -> dict[str, Spec]:
    return {str(side): Spec(side, side) for side in sides}


def several_sizes(sides: Sequence[int]) -> None:
    data = (SAMPLES / "large.jpg").read_bytes()
    sizes = specs(sides)
    largest = sizes[str(sides[0])]

    def many() -> object:
        return dict(render_many(data, sizes))

    def one() -> object:
        return render(data, largest)

    def each() -> object:
        return [render(data, spec) for spec in sizes.values()]

    figures = in_turn(ROUNDS, *(spent(call) for call in (many, one, each)))
    print(
        f"large.jpg to {', '.join(sizes)}, {ROUNDS} rounds of {PICTURES}, processor time per picture, in this process"
    )
    report(*figures)


def through_the_fleet() -> None:
    """The same with everything around it: the upload, the job server, a process for each job."""
    data, sizes = (SAMPLES / "large.jpg").read_bytes(), specs(THUMBNAILS)
    with fleet(1) as server, Client(server) as client:

        def took(call: Callable[[], object]) -> Callable[[], float]:
            def measured() -> float:
                began = time.perf_counter()
                for _ in range(PICTURES):
                    call()
                return (time.perf_counter() - began) / PICTURES * 1e3

            return measured

        def many() -> object:
            return client.thumbnails(data, sizes).result()

        def one() -> object:
            return client.resize(data, THUMBNAILS[0], THUMBNAILS[0]).result()

        def each() -> object:
            return [client.resize(data, spec.width, spec.height).result() for spec in sizes.values()]

        in_turn(1, took(many), took(each))
        figures = in_turn(ROUNDS, *(took(call) for call in (many, one, each)))
    print(f"{', '.join(sizes)} through a fleet with one slot, one caller, {ROUNDS} rounds of {PICTURES}, wall clock")
    report(*figures)


def report(together: list[float], alone: list[float], apart: list[float]) -> None:
    for name, figures in (("five of one", together), ("the largest alone", alone), ("a job for each", apart)):
        print(row(name, figures, "ms"))
    print(f"  against one {ratio(together, alone):.2f} (wanted: at most {MOST_OF_ONE}), ", end="")
    print(f"against five {ratio(together, apart):.2f} (wanted: at most {MOST_OF_FIVE})")


def spent(call: Callable[[], object]) -> Callable[[], float]:
    """Processor time, in milliseconds."""

    def measured() -> float:
        times = []
        for _ in range(PICTURES):
            before = time.process_time()
            call()
            times.append(time.process_time() - before)
        return statistics.median(times) * 1e3

    return measured


def main() -> None:
    several_sizes(THUMBNAILS)
    several_sizes(WITH_A_LARGE_ONE)
    through_the_fleet()


if __name__ == "__main__":
    main()
