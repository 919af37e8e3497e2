/* job_run.h - a run of a job in the database: made, found again, worked on.
 *
 * A run searches for its network or, with a Given, trains that one alone; which
 * of the two it is stands in the database, so whoever continues a run need not
 * know. The job's config is stored with it, and is what it continues with. */
#ifndef JOB_RUN_H
#define JOB_RUN_H

#include "cli/job_args.h"
#include "job/given.h"

/* What a command works on. */
typedef struct {
    Job job;
    Given given;
    bool is_given;
    int64_t run;      /* the run to continue, 0 for a new one */
    int64_t supernet; /* the run whose supernet a new one gets, 0 for one's own */
} Task;

/* How a command, `name`, comes to it. Both return the exit status: load from the command line's
 * files, so that what is wrong with them is said before a database is opened; find with the
 * database's runs. */
typedef struct {
    const char *name, *db;
    const void *args; /* of both */
    int (*load)(const void *args, Task *t);
    int (*find)(const void *args, Results *r, Task *t);
} JobCommand;

/* Loads, opens, finds, works, and says what went wrong: the exit status. */
int job_run(const JobCommand *c);
/* The job of a file, with options: the exit status. */
int job_run_load(const JobArgs *a, const char *path, Job *job);

/* A run's own job, with threads as asked now; 0: as it says. -1 with errorf(), as all below. */
int job_run_config(Results *r, int64_t run, int threads, Job *job);
/* The newest run of exactly this task's job and network, 0 when there is none. The exit status. */
int job_run_find(Results *r, Task *t);
/* For --resume RUN, of which NULL is the newest: the run and its job. The exit status. */
int job_run_resume(Results *r, const JobArgs *a, const char *what, Task *t);

#endif
