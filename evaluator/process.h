/* process.h - other programs: found, run, waited for, heard. No shell is between. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>

typedef struct {
    const char *const *argv; /* argv[0] is looked up in PATH; ends with NULL */
    const char *dir;         /* where to run it, NULL for here */
    int timeout_s;           /* then it is killed with all it started; 0: none */
} Process;

bool process_exists(const char *program);

/* Runs it to its end with empty input. *output: what it wrote to stdout and
 * stderr, yours to free, also after an error. Returns its exit status, or -1
 * with errorf(): it could not start, was killed, ran out of time. */
int process_run(const Process *p, char **output);

#endif
