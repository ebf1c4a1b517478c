"""All benchmarks, one after the other: python -m benchmarks"""

from benchmarks import command, jobserver, sizes, startup, thumbnails

for benchmark in (thumbnails, sizes, command, startup, jobserver):
    benchmark.main()
