/* device_inner.h - folders and programs on the way to an emulated board, for who goes there
 * (device.c, cycles.c). */
#ifndef DEVICE_INNER_H
#define DEVICE_INNER_H

#include "estimator/estimator.h"

/* A new, empty folder, in TMPDIR or /tmp; NULL with errorf(). Freed, it goes with all in it; those
 * of processes that were killed go when the next one is made. */
char *device_dir_new(void);
void device_dir_free(char *dir);

/* Runs argv in dir; anything but exit status 0 is an error. *output may be NULL. timeout_s 0: ten
 * minutes. */
int device_program(const char *const *argv, const char *dir, int timeout_s, char **output);

/* model.elf of an exported folder. */
int device_build(const char *dir, const Target *target, int timeout_s);

#endif
