/* searching.h - stage 2 of the main job, in three acts of which the last two are options.
 *
 *     hunt    evolution; the job's protocol scores the candidates (searching.c)
 *     guide   a predictor learns from them what others are worth, a second evolution asks it, and
 *             those it thinks best are scored like the first (guide.c)
 *     finals  the best of all are scored again, on all validation images; the best is the winner
 *             (finals.c)
 *
 * Whoever was scored stands in the database, and who stands there is not scored again: a killed
 * job runs through all acts anew and is soon where it was. */
#ifndef SEARCHING_H
#define SEARCHING_H

#include "job/pipeline.h"

typedef struct {
    Candidate candidate; /* with its fitness */
    double accuracy;     /* negative: its scoring was stopped early */
    int images;          /* that scored it */
} Scored;

typedef struct {
    Pipeline *p;
    EvolveHooks hooks;
    AccuracyProtocol protocol;
    Scored *all;           /* [n] by number; room for all that may come */
    int n;
    float *bar;            /* the images' losses of the candidate `bar_number`, -1 of none yet */
    int bar_number;
    int status;            /* -1 when the database refused something */
    double start;
    int n_scored;          /* of the candidates: the others were known */
    int64_t images;        /* that scored them */
    double from;           /* when this generation began, */
    int from_scored;       /* and what was scored until then */
    double seconds;        /* of the generations */
    EvolveReport last;     /* of the last generation; its winner is not */
} Hunt;

/* The subnet of g, by the workspace of the calling thread. */
Accuracy hunt_score(const Hunt *h, const Genotype *g, const AccuracyProtocol *protocol);
/* Begins what hunt_record() ends, as that does itself. */
void hunt_begin(Hunt *h);
/* Ends a generation: its row, with what was scored since the last one and the time it took. */
void hunt_record(Hunt *h, const EvolveReport *r);

int guide(Hunt *h);
int finals(Hunt *h); /* sets the winner */

#endif
