/* inputs.h - what `thimble run --data` shows a network.
 *
 *   a folder of class folders, or one with test/ (train/ is left alone): labelled
 *   a folder of files, or one file                                       : not
 *
 * Files are JPEG, PNG, or raw int8 tensors of the network's input shape; a raw
 * file without a label may hold several. All becomes a Dataset whose pixels are
 * the network's int8 input + 128, and whose labels count its outputs. */
#ifndef INPUTS_H
#define INPUTS_H

#include "dataset/dataset.h"
#include "evaluator/pixels.h"

typedef struct {
    const char *path;
    const char *classes; /* of the network's outputs in their order, "cat,dog" or a file with one a
                            line; NULL: the folders' in alphabetical order */
    const char *layout;  /* as data_format_parse() knows it; NULL: pictures, else raw */
    const char *pixels;  /* as pixels_parse() knows it; NULL: pixel - 128, and a word of warning
                            where pixels_usual() is not sure */
    DataResize resize;
    int threads;
} InputOptions;

typedef struct {
    Dataset set;
    char **class_name; /* [n_classes], of the outputs; n_classes 0: nobody has named them */
    int n_classes;
    bool labelled;
    char **name;  /* [set.n] of inputs without a label: the file, its second one "file#2" */
    Pixels pixels;
} Inputs;

/* -1 with errorf(), and nothing to release. */
int inputs_open(Inputs *in, const QModel *q, const InputOptions *o);
/* n inputs drawn by chance, the same whenever n is: for whoever has no data. */
void inputs_draw(Inputs *in, const QModel *q, int n);
void inputs_release(Inputs *in);

#endif
