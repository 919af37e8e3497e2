/* lookup.h - functions of one int8 value as tables, in TFLite's arithmetic.
 *
 * A table has the result for -128 first. Each is what TensorFlow Lite Micro's
 * reference kernel gives for that value, to the bit, so a chain of such
 * operators is one table: activations, QUANTIZE from int8 to int8, ADD and MUL
 * with a constant or with another function of the same value. */
#ifndef LOOKUP_H
#define LOOKUP_H

#include "quant/qmodel.h"

enum { LOOKUP_SIZE = 256 };
typedef int8_t Lookup[LOOKUP_SIZE];

void lookup_identity(Lookup table);

/* From one scale to another: QUANTIZE, RELU and all that only clamps besides. */
void lookup_rescale(Lookup table, QTensor in, QTensor out, int act_min, int act_max);
/* As LeakyReLU, whose negative inputs are scaled by alpha besides. */
void lookup_leaky_relu(Lookup table, QTensor in, QTensor out, float alpha);
void lookup_logistic(Lookup table, QTensor in); /* to scale 1/256, zero -128 */
void lookup_tanh(Lookup table, QTensor in);     /* to scale 1/128, zero 0 */
/* false where TFLite refuses: the output's step is less than 1/128 of the input's. */
bool lookup_hard_swish(Lookup table, QTensor in, QTensor out);

/* The scales of an add, [0] and [1] of the inputs, [2] of their sum; false when TFLite refuses
 * them: the output's step is too fine. */
typedef struct {
    int32_t multiplier[3];
    int8_t shift[3];
} AddScales;
bool add_scales(AddScales *s, float in, float in2, float out);
/* table[i] = a[i] + b[i], of these scales; and a[i] * b[i]. */
void lookup_add(Lookup table, const Lookup a, QTensor qa, const Lookup b, QTensor qb, QTensor out,
                const AddScales *s, int act_min, int act_max);
void lookup_mul(Lookup table, const Lookup a, QTensor qa, const Lookup b, QTensor qb, QTensor out,
                int act_min, int act_max);

#endif
