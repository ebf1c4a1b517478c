"""All benchmarks, one after the other: python -m benchmarks"""

from benchmarks import command, durability, isolation, jobserver, startup, thumbnails

for benchmark in (thumbnails, isolation, command, startup, jobserver, durability):
    benchmark.main()
