"""All benchmarks, one after the other: python -m benchmarks"""

from benchmarks import command, jobserver, thumbnails

for benchmark in (thumbnails, command, jobserver):
    benchmark.main()
