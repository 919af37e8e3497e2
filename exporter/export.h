/* export.h - writes a folder of C that is the network.
 *
 *   model.c  model.h   tables and weights, with the estimate in comments
 *   tb.h  tb_*.c ...   the runtime, as it is
 *   model_check.c      the self-check, empty without MODEL_SELF_CHECK
 *   main.c  boards/    a main that checks itself, and start-up code for the emulated boards
 *   Makefile           `make` builds for the board it was exported for, `make host` for here
 *   README.md          arena, flash, stack; how to call it; how to try it
 *   PORTING.md         how it gets onto a board of one's own
 *
 * Written beside and renamed: a folder is complete or not there. With a name
 * of its own, files and all symbols but the runtime's begin with that. */
#ifndef EXPORT_H
#define EXPORT_H

#include "estimator/estimator.h"
#include "quant/qmodel.h"

typedef struct {
    const char *dir;
    const char *title;         /* one line for the comment: run, candidate, genotype */
    const char *prefix;        /* instead of "model" in files and symbols; NULL for that */
    const Target *target;
    PlanOptions plan;
    const char *const *class_name; /* [classes] or NULL */
    const int8_t *sample;      /* an input for the self-check; NULL: one is drawn */
    int sample_label;          /* its class, or -1 */
    const char *input;         /* how the int8 input is made, in a few words; NULL: of pixels */
} ExportOptions;

/* -1 with errorf(); an existing folder is replaced, with all that is in it, only
 * when thimble wrote it (its model.h begins with our mark; or PREFIX.h, for the same prefix)
 * or when it is empty. */
int export_model(const QModel *q, const ExportOptions *options);
/* The same with a plan that is made already. */
int export_plan(const QModel *q, const Plan *plan, const ExportOptions *options);

/* Where runtime/ is: THIMBLE_RUNTIME, the source tree the program was built in,
 * or PREFIX/share/thimble/runtime. NULL with errorf(). */
const char *runtime_dir(void);

#endif
