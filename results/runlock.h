/* runlock.h - which process works on a run, and whether it still does.
 *
 * A process is named by its pid, its start in clock ticks since boot (pids come
 * again) and its host. results_run_lock() in runlock.c keeps one in the run's row. */
#ifndef RUNLOCK_H
#define RUNLOCK_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t pid, start;
    char host[256];
} Holder;

Holder holder_self(void);

/* false only when it has surely ended; what runs on another host cannot be seen from here */
bool holder_lives(const Holder *holder);

#endif
