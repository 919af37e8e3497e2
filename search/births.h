/* births.h - who was born in a search, who may be a parent, how the next are drawn.
 *
 * Private to search/. What algorithms share: evolve.c runs the generations on
 * it, algorithm.c says who are parents and how they have children. */
#ifndef BIRTHS_H
#define BIRTHS_H

#include "search/evolve.h"

/* A network that does not fit, and by how much. */
typedef struct {
    Genotype genotype;
    double excess; /* sum over the limits of cost / limit - 1 */
} Stray;

typedef struct {
    const Space *space;
    const Target *target;
    const Limits *limits;
    const EvolveOptions *options;
    const EvolveHooks *hooks;
    Candidate *all; /* [total] by number */
    int n, total;
    int *slot;              /* [slots] hash table of numbers, -1 where free */
    unsigned slots;         /* a power of two, at least twice the total */
    int *parent, n_parents; /* [room] numbers, best first */
    Stray *stray;           /* [room] the least excess first; drawn while n < room */
    int n_strays, room;
    Rng rng;
    int64_t drawn, fitting;
    bool exhausted; /* random draws find nothing new any more */
} Births;

void births_init(Births *b, const EvolveOptions *options);
void births_release(Births *b);

Cost births_cost(const Births *b, const Genotype *g);
/* A generation: the initial population, or children; fewer when too few new ones fit. */
void births_generation(Births *b, int generation);

/* ---- algorithm.c ---- */

int algorithm_room(const EvolveOptions *o); /* for parents; 0 when there are none */
/* Makes parents of those before and of the candidates from `first` on, all evaluated now. */
void algorithm_select(Births *b, int first);
/* Whom a candidate must beat to become a parent or the winner, whatever else is born; NULL where
 * that is not known, or where other things count than fitness. */
const Candidate *algorithm_bar(const Births *b);
/* Draws child i of a generation: genotype and parents. False when the draw came to nothing. */
bool algorithm_draw(Births *b, int i, Candidate *child);

#endif
