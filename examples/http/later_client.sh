#!/bin/sh
# A job in so long (5m, 2h, 7d), tried three times. Usage: later_client.sh FUNCTION WORKLOAD SPAN [HOST:PORT]
exec curl -sS --fail-with-body --data-binary "$2" -H "X-Gearman-Background: true" -H "X-Gearman-Delay: $3" \
    -H "X-Gearman-Attempts: 3" --write-out "%header{x-gearman-job-handle}" "http://${4:-127.0.0.1:8080}/$1"
