#!/bin/sh
# The talk's hello world: a client in the shell. Usage: reverse_client.sh [HOST [PORT]]
gearman -h "${1:-127.0.0.1}" -p "${2:-4730}" -f reverse "Hello World!" && echo
