/* config.h - a job: what a YAML file asks for, as the modules' option structs.
 *
 * The only place where YAML meets the modules. A job names its space and its
 * target, by file or in place; config_text() writes everything in place, so
 * the effective config that is stored with a run needs no other file. */
#ifndef CONFIG_H
#define CONFIG_H

#include "dataset/dataset.h"
#include "evaluator/accuracy.h"
#include "search/evolve.h"
#include "search/sweep.h"
#include "supernet/train.h"

typedef struct {
    char name[64];
    uint64_t seed;
    int threads;   /* 0 in the file: one a core; resolved by config_load */
    double checkpoint; /* seconds of training that a kill can cost */
    int schedule;  /* Policy, as the file says it */
    int image;     /* 0 resident: in the arena, counted; 1 outside: pulled row by row */
    PlanOptions plan; /* schedule, image and the SRAM limit, for whoever plans */
    Limits limits; /* 0 in the file: the target's size less its reserve, resolved by config_load */
    Target target;
    Space space;
    DataOptions data;
    double validation;      /* share of the training images that score candidates */
    SweepOptions sweep;
    double width;           /* stage 1 is left out when both are given; 0: let it choose */
    Resolution resolution;
    TrainOptions largest, supernet, finetune;
    TrainOptions teacher;   /* the largest network again, where finetune.teaching asks for it */
    EvolveOptions search;   /* sizes that are 0 in the file: evolve_defaults() */
    int objective[PARETO_OBJECTIVES]; /* indices into accuracy and PARETO_COSTS: search.costs */
    uint8_t n_objectives;
    int score;              /* Score */
    int score_images;       /* at most, of the validation images */
    int recalibration_batches, recalibration_batch;
    double stop;            /* a candidate's scoring, standard errors below the parents; 0: never */
    struct {
        int after;          /* evaluations it learns from; 0: there is none */
        int checked;        /* networks it thinks best that are evaluated */
    } predictor;
    int finalists;          /* of the candidates, scored again on all validation images */
    int calibration_images; /* for int8 ranges */
    int device_images;      /* run on the emulated board and compared */
} Job;

void config_defaults(Job *job);
/* Reads the file (or configs/jobs/NAME.yaml) over the defaults, then the
 * assignments (`key=value`), then checks the whole. -1 with errorf(). */
int config_load(Job *job, const char *name, const char *const *sets, int n_sets);
int config_parse(Job *job, const char *text, const char *name);
/* Again after fields were changed by options: seeds and threads of every part. */
int config_resolve(Job *job);
/* Assignments, "key=value"; then config_resolve(). The data's path becomes absolute. Where they name another algorithm than the
 * job's, sizes that they do not name become that algorithm's own, at the job's number of
 * evaluations; where they name another target, limits that were the old one's own sizes become its. */
int config_set(Job *job, const char *const *sets, int n);
/* Spaces whose supernets have the same weights: equal but for name, widths and resolutions. */
bool config_same_blocks(const Space *a, const Space *b);
char *config_text(const Job *job); /* the effective config, YAML; yours to free */

/* A name in configs/targets, or a file. As config_load() it refuses a latency model of another
 * runtime than this program's; who wants to replace that one, or to read what was stored with a
 * run, asks for the stale target or config_parse(), and then checks or warns. */
int config_target(Target *target, const char *name);
int config_stale_target(Target *target, const char *name);
int config_check_runtime(const Target *target);
/* Its code sizes and latency model, as YAML that a target includes. */
char *config_calibration(const Target *target); /* yours to free */
/* The names in configs/<folder>, sorted; names and list yours to free. The number, or -1. */
int config_names(const char *folder, char ***names);
int config_space(Space *space, const char *name);
/* A Net from a block list (one YAML file a network); {0}: at the resolution that it says. */
int config_net(Net *net, const char *path, Resolution r);

#endif
