#!/bin/sh
# run.sh PROGRAM...: runs every test program, shows what failed, and closes
# with one line: N passed, N failed, N skipped. Run from the project's root.
set -u
passed=0 failed=0 skipped=0
programs="$*"
for program in $programs; do
    start=$(date +%s)
    log=$(timeout 1800 "$program" 2>&1)
    status=$?
    line=$(printf '%s\n' "$log" | sed -n 's/^.*Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\).*$/\1 \2 \3/p' | tail -n 1)
    # shellcheck disable=SC2086
    set -- $line
    checks=${1:-0}
    bad=$((${2:-0} + ${3:-0}))
    [ "$status" -ne 0 ] && [ "$bad" -eq 0 ] && bad=1 && checks=$((checks + 1))
    skips=$(printf '%s\n' "$log" | grep -c '^SKIPPED')
    passed=$((passed + checks - bad - skips)) failed=$((failed + bad)) skipped=$((skipped + skips))
    printf '%-28s %4d passed %s(%d s)\n' "$(basename "$program")" $((checks - bad - skips)) \
        "$([ "$bad" -gt 0 ] && echo "$bad FAILED ")" $(($(date +%s) - start))
    if [ "$bad" -gt 0 ]; then printf '%s\n' "$log" | tail -n 40; else printf '%s\n' "$log" | grep '^SKIPPED'; fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
