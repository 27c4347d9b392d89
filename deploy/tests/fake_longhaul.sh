#!/bin/sh
# A program that notes how it was called, and ends with the next exit code of a list.
echo "$@" >> "$CALLS"
n=$(wc -l < "$CALLS")
exit "$(sed -n "${n}p" "$ENDS")"
