/* imported.h - an int8 .tflite file as what `run` and `export` work on. */
#ifndef IMPORTED_H
#define IMPORTED_H

#include "cli/job_args.h"
#include "quant/tflite.h"

typedef struct {
    QModel q;
    TfliteInfo info;
    PlanOptions plan; /* stream with the image in the arena, and what the options say */
    char *title;      /* one line: the file's name and what it says of itself */
    char *input;      /* how the int8 input is made, for who feeds it; of few words */
} Imported;

/* -1 with errorf(), and nothing to release. */
int imported_open(Imported *m, const NetArgs *a, const Target *target);
void imported_release(Imported *m);

#endif
