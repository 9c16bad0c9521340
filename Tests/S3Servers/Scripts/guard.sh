#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a server for as long as whoever started this keeps the other end of standard input open, so that nothing
# survives a test process, however it ended. Then the server's whole process group is killed and its directory removed.
# Usage: guard.sh DIRECTORY PROGRAM [ARGUMENT...]; writes DIRECTORY/log and DIRECTORY/pid (the process group).
set -u
directory=$1
shift

end() {
    trap - EXIT
    # The server's data are for one test: there is nothing to be stopped in good order.
    kill -KILL -- "-$server" 2>/dev/null
    wait "$server" 2>/dev/null
    # Files may still appear while the last member of the group dies.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        rm -rf -- "$directory" 2>/dev/null && break
        sleep 0.1
    done
    exit 0
}
trap end EXIT TERM INT HUP

# Job control gives the server a process group of its own.
set -m
"$@" </dev/null >"$directory/log" 2>&1 &
server=$!
set +m
echo "$server" >"$directory/pid.new" && mv "$directory/pid.new" "$directory/pid"
while read -r _; do :; done
end
