"""Pictures beside the talk's own set-up, vipsthumbnail and sharp: speed, processor time, memory and quality.

Each part prints its figures and yields the goals that it measured. python -m benchmarks.images [PART...]
"""
