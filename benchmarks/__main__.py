"""All benchmarks, one after the other: python -m benchmarks"""

from benchmarks import command, payloads, thumbnails

for benchmark in (thumbnails, command, payloads):
    benchmark.main()
