"""All benchmarks, one after the other: python -m benchmarks"""

from benchmarks import command, jobserver, startup, thumbnails

for benchmark in (thumbnails, command, startup, jobserver):
    benchmark.main()
