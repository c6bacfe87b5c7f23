#!/bin/sh
# The emulator's stand-in for a tool such as the Azure CLI, for a machine that has curl or python3.
PATH="$PATH:/usr/local/bin:/usr/bin:/bin"
url='@CONTROL@/tools/@TOOL@'
if command -v curl >/dev/null; then
    for argument do
        shift
        set -- "$@" --data-urlencode "argument=$argument"
    done
    output=$(curl -s --noproxy '*' --fail-with-body "$@" "$url")
else
    output=$(python3 -c '
import sys, urllib.error, urllib.parse, urllib.request
body = urllib.parse.urlencode([("argument", argument) for argument in sys.argv[2:]]).encode()
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    print(opener.open(sys.argv[1], body).read().decode())
except urllib.error.HTTPError as error:
    sys.exit(print(error.read().decode()) or 1)
' "$url" "$@")
fi
status=$?
if [ "$status" -eq 0 ]; then
    printf '%s\n' "$output"
else
    printf '%s\n' "$output" >&2
    exit 1
fi
