/* print.h - the tables of a Lowered network as C that people read.
 *
 * Bytes of what model.c defines, on a 32-bit target (estimator/ predicts them):
 *
 *     TbModel  24
 *     TbOp     56 each, TbTensor 12, TbSegment 4; plan_size() says how many
 *     bias, multiplier   4 + 4 an output channel of a layer with weights, unless
 *                        they are among these (plan_packs_scales()), and 3
 *                        multipliers an add, 1 a mean, gate or softmax
 *     shift    1 a multiplier, the sum over the network rounded up to 4
 *     weights  1 each, every layer's rounded up to 4 (a kernel may read words);
 *              a lookup has 256
 *
 * Every array's size is a multiple of 4 and none wants more alignment, so
 * nothing is lost between them, in whatever order compiler and linker put
 * them. There is no other data: strings are only in comments and macros. */
#ifndef PRINT_H
#define PRINT_H

#include "exporter/export.h"
#include "exporter/lower.h"

#include <stdio.h>

typedef struct {
    const QModel *q;
    const Plan *plan;
    const Lowered *lowered;
    const ExportOptions *options;
    Cost cost;
    uint32_t check_draw; /* the self-check's input without options->sample: tb_drawn() */
    uint32_t check_crc;  /* of what the network answers to that input or the sample: tb_crc32() */
} Listing;

#define PRINT_MARK "/* model.h - a network that thimble wrote." /* how model.h begins */

void print_model_c(FILE *f, const Listing *listing);
void print_model_h(FILE *f, const Listing *listing);
void print_check_c(FILE *f, const Listing *listing);

/* Numbers in rows, a comma behind each; bytes filled up with zeros. */
void print_bytes(FILE *f, const int8_t *v, uint32_t n, uint32_t padded);
void print_words(FILE *f, const int32_t *v, int n);
/* What goes in, what comes out, what it costs: lines of a comment. */
void print_facts(FILE *f, const Listing *listing);
/* The first of model_run_segment()'s segments during which the most bytes are alive. */
int print_peak_segment(const Listing *listing);

/* "12,345" into the caller's text, which it returns. */
typedef struct {
    char text[32];
} Number;
const char *print_number(uint64_t n, Number *number);
/* A C literal of type float. */
const char *print_float(float value, Number *number);
/* Input and output, a line each behind the margin. */
void print_shapes(FILE *f, const Listing *listing, const char *margin);
/* "int8 = pixel - 128; ..." or what the options say, and the line's end. */
void print_input(FILE *f, const Listing *listing);
/* Arena, flash, stack, MACs and time, a line each behind the margin. */
void print_costs(FILE *f, const Listing *listing, const char *margin);
/* One line that may stand in a comment, of a title that says anything. */
void print_line(FILE *f, const char *text);

#endif
