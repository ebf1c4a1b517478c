#!/bin/sh
# The talk's hello world: a client by HTTP. Usage: reverse_client.sh [HOST:PORT]
curl -sS --fail-with-body --data-binary "Hello World!" "http://${1:-127.0.0.1:8080}/reverse" && echo
