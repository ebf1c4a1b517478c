#!/bin/sh
# A thumbnail by HTTP. Usage: resize_client.sh IN OUT [HOST:PORT]
exec curl -sS --fail --data-binary "@$1" --output "$2" "http://${3:-127.0.0.1:8080}/resize"
