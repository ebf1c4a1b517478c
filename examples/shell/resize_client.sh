#!/bin/sh
# A thumbnail from the shell. Usage: resize_client.sh IN OUT [HOST [PORT]]
exec gearman -h "${3:-127.0.0.1}" -p "${4:-4730}" -f resize < "$1" > "$2"
