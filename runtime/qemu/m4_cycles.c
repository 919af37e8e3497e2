/* m4_cycles.c - a QEMU plugin that adds up what a Cortex-M4 would take: cycles by instruction.
 *
 *     qemu-system-arm ... -plugin m4_cycles.so,out=FILE
 *
 * FILE gets a line "<function> <instructions> <cycles>" for every function that begins with tb_;
 * what those call without that name is counted with them. The classes are those of the core's
 * Technical Reference Manual (3.3.1): most take 1; a load 2; a store 1, with an offset in a
 * register 2; of several registers 1 + N; a division 2 to 12, we say 7; and a branch that is taken
 * 2 more to fill the pipeline, of which the manual says 1 to 3. Loads that follow each other are
 * not paired up, flash has no wait states: an estimate, good to about 5 % where it was compared.
 *
 * Version 1 of QEMU's interface, which has no header in the packages: what we use of it is
 * declared here. It runs on the host: evaluator/cycles.c compiles it when it is needed. */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- QEMU's side ---- */

typedef struct qemu_plugin_tb QemuBlock;
typedef struct qemu_plugin_insn QemuInsn;
typedef uint64_t QemuId;

__attribute__((visibility("default"))) extern int qemu_plugin_version;
__attribute__((visibility("default"))) int qemu_plugin_install(QemuId id, const void *info,
                                                               int argc, char **argv);
void qemu_plugin_register_vcpu_tb_trans_cb(QemuId id, void (*)(QemuId id, QemuBlock *block));
void qemu_plugin_register_vcpu_tb_exec_cb(QemuBlock *block, void (*)(unsigned cpu, void *data),
                                          int flags, void *data);
void qemu_plugin_register_atexit_cb(QemuId id, void (*)(QemuId id, void *data), void *data);
size_t qemu_plugin_tb_n_insns(const QemuBlock *block);
uint64_t qemu_plugin_tb_vaddr(const QemuBlock *block);
QemuInsn *qemu_plugin_tb_get_insn(const QemuBlock *block, size_t i);
const void *qemu_plugin_insn_data(const QemuInsn *insn);
size_t qemu_plugin_insn_size(const QemuInsn *insn);
const char *qemu_plugin_insn_symbol(const QemuInsn *insn);

int qemu_plugin_version = 1;

/* ---- cycles of an instruction, were its branch not taken ---- */

enum { LOAD = 2, STORE = 1, STORE_AT_REGISTER = 2, DIVIDE = 7, REFILL = 2 };

static bool bit(unsigned x, int i)
{
    return x >> i & 1;
}

static int registers(unsigned list)
{
    return __builtin_popcount(list);
}

static int cycles_of_16(unsigned h)
{
    switch (h >> 12) {
    case 0x4: /* a literal, or no memory at all */
        return h >> 11 == 0x9 ? LOAD : 1;
    case 0x5:
        return (h >> 9 & 7) < 3 ? STORE_AT_REGISTER : LOAD;
    case 0x6:
    case 0x7:
    case 0x8:
    case 0x9:
        return bit(h, 11) ? LOAD : STORE;
    case 0xb: /* push, pop */
        return (h >> 9 & 3) == 2 ? 1 + registers(h & 0x1ff) : 1;
    case 0xc:
        return 1 + registers(h & 0xff);
    default:
        return 1;
    }
}

/* Two registers, one that is shared, or a jump by a table. */
static int cycles_of_pair(unsigned h)
{
    bool is_one = (h & 0xffe0) == 0xe840 || (h & 0xffe0) == 0xe8c0;
    return is_one ? LOAD : 1 + 2;
}

static int cycles_of_32(unsigned h, unsigned second)
{
    if (h >> 9 == 0x74)
        return bit(h, 6) ? cycles_of_pair(h) : 1 + registers(second);
    if (h >> 9 == 0x7c)
        return bit(h, 4) ? LOAD : bit(h, 7) || bit(second, 11) ? STORE : STORE_AT_REGISTER;
    if ((h & 0xffd0) == 0xfb90 && (second & 0xf0) == 0xf0)
        return DIVIDE;
    return 1;
}

static int cycles_of(const QemuInsn *insn)
{
    uint16_t half[2] = {0, 0};
    size_t size = qemu_plugin_insn_size(insn);
    memcpy(half, qemu_plugin_insn_data(insn), size < sizeof half ? size : sizeof half);
    return size == 2 ? cycles_of_16(half[0]) : cycles_of_32(half[0], half[1]);
}

/* ---- blocks, and the functions they are in ---- */

typedef struct Function {
    struct Function *next;
    char name[64];
    uint64_t instructions, cycles;
} Function;

typedef struct Block {
    struct Block *before; /* translated before it */
    Function *in;         /* NULL: of whoever called it */
    uint64_t begin, end;
    uint32_t instructions, cycles;
} Block;

static struct {
    Function *functions, *current;
    Block *blocks;
    uint64_t next; /* where it goes on when no branch is taken */
    char *out;
} state;

static Function *function_named(const char *name)
{
    Function *f = state.functions;
    if (!name || strncmp(name, "tb_", 3) != 0)
        return NULL;
    while (f && strcmp(f->name, name) != 0)
        f = f->next;
    if (!f && (f = calloc(1, sizeof *f))) {
        snprintf(f->name, sizeof f->name, "%s", name);
        f->next = state.functions;
        state.functions = f;
    }
    return f;
}

/* The refill belongs to where the branch was. */
static void executed(unsigned cpu, void *data)
{
    const Block *b = data;
    (void)cpu;
    if (state.current && b->begin != state.next)
        state.current->cycles += REFILL;
    if (b->in)
        state.current = b->in;
    state.next = b->end;
    if (!state.current)
        return;
    state.current->instructions += b->instructions;
    state.current->cycles += b->cycles;
}

/* Translated again a block is told of again; there are few, so none is ever freed. */
static void translated(QemuId id, QemuBlock *block)
{
    size_t n = qemu_plugin_tb_n_insns(block);
    Block *b = calloc(1, sizeof *b);
    (void)id;
    if (!b)
        return;
    b->before = state.blocks;
    state.blocks = b;
    b->in = n ? function_named(qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(block, 0))) : NULL;
    b->begin = b->end = qemu_plugin_tb_vaddr(block);
    b->instructions = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        const QemuInsn *insn = qemu_plugin_tb_get_insn(block, i);
        b->cycles += (uint32_t)cycles_of(insn);
        b->end += qemu_plugin_insn_size(insn);
    }
    qemu_plugin_register_vcpu_tb_exec_cb(block, executed, 0, b);
}

static void at_exit(QemuId id, void *data)
{
    FILE *f = fopen(state.out, "w");
    (void)id, (void)data;
    for (const Function *a = state.functions; f && a; a = a->next)
        fprintf(f, "%s %" PRIu64 " %" PRIu64 "\n", a->name, a->instructions, a->cycles);
    if (f)
        fclose(f);
}

int qemu_plugin_install(QemuId id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++)
        if (strncmp(argv[i], "out=", 4) == 0)
            state.out = strdup(argv[i] + 4);
    if (!state.out)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    return 0;
}
