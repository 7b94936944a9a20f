#!/bin/sh
# Health of nats-server in compose. A server whose disk was full refuses writes for good (docs/adr/0088): with room again it is
# ended here, and `restart: unless-stopped` starts it anew. Arguments: port of the monitoring, folder of the store, pid of the server.
port=${1:-8222} dir=${2:-/data} pid=${3:-1} needed_kib=8192
answer=$(printf 'GET /healthz HTTP/1.0\r\n\r\n' | nc 127.0.0.1 "$port")
case $answer in
  *'write error'*)
    free_kib=$(df -Pk "$dir" | awk 'NR == 2 { print $4 }')
    echo "nats-server cannot write, so nothing is recorded: $free_kib KiB free, $needed_kib KiB needed"
    [ "$free_kib" -lt "$needed_kib" ] || kill "$pid"
    exit 1 ;;
  *'"status":"ok"'*) exit 0 ;;
  *) exit 1 ;;
esac
