#!/bin/sh
# The talk's hello world: a worker in the shell. Usage: reverse_worker.sh [HOST [PORT]]
exec gearman -h "${1:-127.0.0.1}" -p "${2:-4730}" -w -f reverse -- rev
