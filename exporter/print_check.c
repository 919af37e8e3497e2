/* print_check.c - model_check.c: an input, and the checksum of what must come out. */
#include "exporter/print.h"

static void print_origin(FILE *f, const Listing *x)
{
    const ExportOptions *o = x->options;
    fputs(" * Its input is ", f);
    if (!o->sample)
        fputs("made up by tb_drawn(), so it takes no flash", f);
    else if (o->sample_label < 0)
        fputs("stored below", f);
    else if (!o->class_name)
        fprintf(f, "stored below, one of class %d", o->sample_label);
    else {
        fprintf(f, "stored below, one of class %d, ", o->sample_label);
        print_line(f, o->class_name[o->sample_label]);
    }
    fputs(". */\n", f);
}

/* What byte i of the input is, for print_rows(). */
static void print_source(FILE *f, const Listing *x)
{
    if (!x->options->sample) {
        fprintf(f, "static int8_t input_byte(uint32_t i)\n{\n    return tb_drawn(%u, i);\n}\n\n",
                x->check_draw);
        return;
    }
    uint32_t n = net_tensor_bytes(&x->q->net, NET_IMAGE);
    fputs("static const int8_t sample[MODEL_INPUT_BYTES] = {\n", f);
    print_bytes(f, x->options->sample, n, n);
    fputs("};\n\nstatic int8_t input_byte(uint32_t i)\n{\n    return sample[i];\n}\n\n", f);
}

static const char rows[] =
    "void model_check_row(void *context, int y, int x0, int x1, int8_t *to)\n"
    "{\n"
    "    const uint32_t from = (uint32_t)(y * MODEL_INPUT_W + x0) * MODEL_INPUT_C;\n"
    "    const uint32_t n = (uint32_t)(x1 - x0) * MODEL_INPUT_C;\n"
    "    (void)context;\n"
    "    for (uint32_t i = 0; i < n; i++)\n"
    "        to[i] = input_byte(from + i);\n"
    "}\n\n";

static const char run_inside[] =
    "    for (int y = 0; y < MODEL_INPUT_H; y++)\n"
    "        model_check_row(NULL, y, 0, MODEL_INPUT_W,\n"
    "                        model_input(arena) + y * MODEL_INPUT_W * MODEL_INPUT_C);\n"
    "    model_run(arena, NULL);\n";

static const char run_outside[] =
    "    const TbInput input = {model_check_row, NULL};\n"
    "    model_run(arena, &input);\n";

void print_check_c(FILE *f, const Listing *x)
{
    fputs("/* model_check.c - does this build answer as the machine that wrote it did?\n"
          " *\n"
          " * Empty unless MODEL_SELF_CHECK is defined; model.h says more.\n", f);
    print_origin(f, x);
    fputs("#include \"model.h\"\n\n"
          "#ifdef MODEL_SELF_CHECK\n\n"
          "#include \"tb_check.h\"\n\n"
          "#include <stddef.h>\n\n", f);
    print_source(f, x);
    fputs(rows, f);
    fputs("int model_self_check(int8_t *arena)\n{\n", f);
    fputs(x->plan->image_outside ? run_outside : run_inside, f);
    fprintf(f, "    return tb_crc32(model_output(arena), MODEL_OUTPUT_BYTES) != 0x%08Xu;\n}\n\n"
               "#endif\n", (unsigned)x->check_crc);
}
