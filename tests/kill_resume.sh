#!/bin/sh
# kill_resume.sh [N [OPTION...]]: runs the small job undisturbed, then N times killed with
# SIGKILL at random moments, at least once, and resumed until it is done; every time the whole
# result must be the undisturbed one and the database sound. Prints a line a run;
# exit status 1 when any differs. OPTIONs are the job's, --set train.supernet.sandwich=true.
set -u
n=${1:-20}
[ $# -gt 0 ] && shift
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
thimble=${THIMBLE:-./thimble}

# All that a run found, without ids and times.
result()
{
    "$thimble" query --db "$1" -f csv "SELECT number, genotype, state, generation, parent_a, parent_b,
        fitness, accuracy, images, final_fitness, final_accuracy, test_accuracy, int8_accuracy, sram, flash, macs, latency FROM candidate
        ORDER BY number"
    "$thimble" query --db "$1" -f csv "SELECT phase, epoch, loss, train_accuracy, valid_accuracy FROM
        epoch ORDER BY phase, epoch"
    "$thimble" query --db "$1" -f csv "SELECT generation, evaluated, drawn, fitting, best, median,
        front, hypervolume FROM generation ORDER BY generation"
    "$thimble" query --db "$1" -f csv "SELECT name, hex(data) FROM blob WHERE name LIKE 'int8:%'"
    "$thimble" query --db "$1" -f csv "SELECT state, phase FROM run"
}

start=$(date +%s%N)
tests/small_job.sh "$dir/whole.db" "$@" > "$dir/out" 2>&1 || { cat "$dir/out"; exit 1; }
millis=$((($(date +%s%N) - start) / 1000000))
result "$dir/whole.db" > "$dir/whole"
bad=0
for i in $(seq "$n"); do
    db=$dir/$i.db kills=0 tries=0
    while :; do
        tests/small_job.sh "$db" --resume "$@" > "$dir/out" 2>&1 &
        pid=$!
        # from a few milliseconds to the job's length: all phases are hit; longer with every
        # kill, since what cannot be resumed, as on the board, takes long on a busy machine
        tries=$((tries + 1))
        wait=$(awk -v s="$$$i$tries" -v m="$millis" -v t="$kills" \
            'BEGIN { srand(s); print 0.005 + rand() * m * (1 + t / 5) / 1000 }')
        (sleep "$wait"; kill -9 "$pid" 2>/dev/null) &
        killer=$!
        wait "$pid" 2>/dev/null
        status=$?
        kill "$killer" 2>/dev/null
        wait "$killer" 2>/dev/null
        [ "$status" -eq 0 ] && [ "$kills" -gt 0 ] && break
        [ "$status" -eq 0 ] && rm -f "$db"* && continue # it was done before the kill: again
        kills=$((kills + 1))
        if [ "$status" -ne 137 ]; then
            echo "run $i failed with status $status:"
            cat "$dir/out"
            exit 1
        fi
    done
    result "$db" > "$dir/again"
    check=$("$thimble" query --db "$db" -f csv "PRAGMA integrity_check" | tail -n 1 | tr -d '\r')
    if cmp -s "$dir/whole" "$dir/again" && [ "$check" = ok ]; then
        echo "run $i: killed $kills times, the same result, integrity_check $check"
    else
        echo "run $i: killed $kills times, DIFFERS, integrity_check $check"
        diff "$dir/whole" "$dir/again" | cut -c 1-200 | head -n 10
        bad=$((bad + 1))
    fi
done
echo "$((n - bad)) of $n killed runs gave the result of the undisturbed run"
[ "$bad" -eq 0 ]
