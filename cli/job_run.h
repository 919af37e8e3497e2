/* job_run.h - a run of a job in the database: made, found again, worked on.
 *
 * A run searches for its network or, with a Given, trains that one alone; which
 * of the two it is stands in the database, so whoever continues a run need not
 * know. The job's config is stored with it, and is what it continues with. */
#ifndef JOB_RUN_H
#define JOB_RUN_H

#include "cli/job_args.h"
#include "job/given.h"

/* A run's own job, with threads as asked now; 0: as it says. -1 with errorf(), as all below. */
int job_run_config(Results *r, int64_t run, int threads, Job *job);
/* The newest run of exactly this job and network, 0 when there is none. given: NULL for a search. */
int job_run_find(Results *r, const Job *job, const Given *given, int64_t *run);
int job_run_new(Results *r, const Job *job, const Given *given, int64_t *run);
/* For --resume RUN, of which NULL is the newest: the run and its job. The exit status. */
int job_run_resume(Results *r, const JobArgs *a, const char *what, int64_t *run, Job *job);

/* All that is left to do of it, and its summary on stdout. db: the database's name, for people;
 * command: what resumes it. */
int job_run_work(Results *r, const Job *job, int64_t run, const char *db, const char *command);

#endif
