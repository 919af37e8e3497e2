/* log.h - what the program says while it works, on stderr.
 *
 * Results go to stdout and are printed by cli/ and report/; these are for the
 * person who waits. Lines never mix with the progress bar. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

void log_quiet(bool quiet);                                              /* only warnings */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

double clock_seconds(void); /* monotonic */

/* Progress of long work, with an estimate of the time left. On a terminal a
 * bar that stays on its line; elsewhere a line every half a minute. Called by
 * one thread at a time. */
typedef struct {
    const char *what;
    double start, shown;
    int64_t first, total; /* first: steps already done when a job resumes */
} Progress;

void progress_begin(Progress *p, const char *what, int64_t total, int64_t already_done);
void progress_step(Progress *p, int64_t done, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void progress_end(Progress *p);

#endif
