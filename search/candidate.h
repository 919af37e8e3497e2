/* candidate.h - a network that a search has borne: its genes, its cost, its worth. */
#ifndef CANDIDATE_H
#define CANDIDATE_H

#include "estimator/estimator.h"
#include "network/genotype.h"

typedef struct {
    Genotype genotype;
    Cost cost;
    double fitness; /* larger is better */
    int number;     /* order of birth, from 0 */
    int generation; /* 0: the initial population */
    int parent[2];  /* numbers, -1 where none */
} Candidate;

#endif
