#!/bin/sh
# The talk's distributed grep: one job is one pattern, to be looked for in this host's part of the log.
read pattern
grep "$pattern" log_file
