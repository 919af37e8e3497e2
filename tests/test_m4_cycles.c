/* The plugin, with QEMU played by this file: blocks of instructions that it translates and then
 * executes in any order. Cycles by hand, from table 3-1 of the Cortex-M4's manual. */
#define _GNU_SOURCE
#include "runtime/qemu/m4_cycles.c"

#include "base/file.h"
#include "tests/suite.h"

struct qemu_plugin_insn {
    uint32_t code;    /* both halfwords of a long one, the first in the upper half */
    const char *function;
};

struct qemu_plugin_tb {
    uint64_t address;
    size_t n;
    QemuInsn insn[8];
};

/* What the plugin asked for. */
static struct {
    void (*translated)(QemuId id, QemuBlock *block);
    void (*executed)(unsigned cpu, void *data);
    void (*at_exit)(QemuId id, void *data);
    void *data;
} asked;

void qemu_plugin_register_vcpu_tb_trans_cb(QemuId id, void (*f)(QemuId id, QemuBlock *block))
{
    (void)id;
    asked.translated = f;
}

void qemu_plugin_register_vcpu_tb_exec_cb(QemuBlock *block, void (*f)(unsigned cpu, void *data),
                                          int flags, void *data)
{
    (void)block, (void)flags;
    asked.executed = f;
    asked.data = data;
}

void qemu_plugin_register_atexit_cb(QemuId id, void (*f)(QemuId id, void *data), void *data)
{
    (void)id, (void)data;
    asked.at_exit = f;
}

size_t qemu_plugin_tb_n_insns(const QemuBlock *block)
{
    return block->n;
}

uint64_t qemu_plugin_tb_vaddr(const QemuBlock *block)
{
    return block->address;
}

QemuInsn *qemu_plugin_tb_get_insn(const QemuBlock *block, size_t i)
{
    return (QemuInsn *)&block->insn[i];
}

const void *qemu_plugin_insn_data(const QemuInsn *insn)
{
    static uint16_t half[2];
    bool is_long = insn->code > 0xffff;
    half[0] = (uint16_t)(is_long ? insn->code >> 16 : insn->code);
    half[1] = (uint16_t)insn->code;
    return half;
}

size_t qemu_plugin_insn_size(const QemuInsn *insn)
{
    return insn->code > 0xffff ? 4 : 2;
}

const char *qemu_plugin_insn_symbol(const QemuInsn *insn)
{
    return insn->function;
}

/* ---- */

static char out[] = "/tmp/thimble-cycles-XXXXXX";

static void install(void)
{
    char *argument = NULL;
    close(mkstemp(out));
    ck_assert_int_gt(asprintf(&argument, "out=%s", out), 0);
    ck_assert_int_eq(qemu_plugin_install(1, NULL, 0, NULL), -1); /* where to? */
    ck_assert_int_eq(qemu_plugin_install(1, NULL, 1, &argument), 0);
    free(argument);
}

static void *translate(const char *function, uint64_t address, size_t n, const uint32_t *code)
{
    QemuBlock block = {.address = address, .n = n};
    for (size_t i = 0; i < n; i++)
        block.insn[i] = (QemuInsn){code[i], function};
    asked.translated(1, &block);
    return asked.data;
}

/* One instruction of a function of its own, executed once, nothing before it. */
static int alone(uint32_t code)
{
    static int n;
    char name[32];
    snprintf(name, sizeof name, "tb_%d", n++);
    void *block = translate(name, 0x1000, 1, &code);
    state.current = NULL;
    asked.executed(0, block);
    return (int)state.current->cycles;
}

TEST(instructions_take_what_the_manual_says)
{
    static const struct {
        uint32_t code;
        int cycles;
        const char *what;
    } known[] = {
        {0x1840, 1, "adds r0, r0, r1"},       {0x4348, 1, "muls r0, r1"},
        {0x4800, 2, "ldr r0, [pc]"},          {0x6808, 2, "ldr r0, [r1]"},
        {0x6008, 1, "str r0, [r1]"},          {0x5c88, 2, "ldrb r0, [r1, r2]"},
        {0x5688, 2, "ldrsb r0, [r1, r2]"},    {0x5488, 2, "strb r0, [r1, r2]"},
        {0x9801, 2, "ldr r0, [sp, #4]"},      {0x9001, 1, "str r0, [sp, #4]"},
        {0xb5f0, 6, "push {r4-r7, lr}"},      {0xbdf0, 6, "pop {r4-r7, pc}"},
        {0xb082, 1, "sub sp, #8"},            {0xc80c, 3, "ldmia r0!, {r2, r3}"},
        {0xb208, 1, "sxth r0, r1"},           {0x4770, 1, "bx lr, not taken"},
        {0xfb21f002, 1, "smlad r0, r1, r2, pc: smuad"},
        {0xfb213002, 1, "smlad r0, r1, r2, r3"}, {0xfb103081, 1, "smlabb"},
        {0xfb513012, 1, "smmlar r0, r1, r2, r3"}, {0xfb013002, 1, "mla r0, r1, r2, r3"},
        {0xfb810203, 1, "smull r0, r2, r1, r3"},
        {0xfb91f0f2, 7, "sdiv r0, r1, r2"},   {0xfbb1f0f2, 7, "udiv r0, r1, r2"},
        {0xe9d02301, 3, "ldrd r2, r3, [r0, #4]"}, {0xe8f02301, 3, "ldrd r2, r3, [r0], #4"},
        {0xe9c02301, 3, "strd r2, r3, [r0, #4]"},
        {0xe8500f00, 2, "ldrex"},             {0xe8dff001, 2, "tbb [pc, r1]"},
        {0xe8b1003c, 5, "ldmia.w r1!, {r2-r5}"}, {0xe92d4ff0, 10, "push.w {r4-r11, lr}"},
        {0xf8510b04, 2, "ldr.w r0, [r1], #4"}, {0xf8d10010, 2, "ldr.w r0, [r1, #16]"},
        {0xf9910001, 2, "ldrsb.w r0, [r1, #1]"}, {0xf8510022, 2, "ldr.w r0, [r1, r2, lsl #2]"},
        {0xf8c10010, 1, "str.w r0, [r1, #16]"}, {0xf8410b04, 1, "str.w r0, [r1], #4"},
        {0xf8410022, 2, "str.w r0, [r1, r2, lsl #2]"},
        {0xf3200007, 1, "ssat r0, #8, r0"},   {0xfa2ff081, 1, "sxtb16 r0, r1"},
        {0xf7fffffe, 1, "bl, were it not taken"},
    };
    install();
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        int cycles = alone(known[i].code);
        ck_assert_msg(cycles == known[i].cycles, "%s: %d", known[i].what, cycles);
    }
    unlink(out);
}
END

/* tb_a loops twice around a load and a branch; it calls a helper, whose four cycles are its own. */
TEST(a_branch_that_is_taken_takes_two_more_and_helpers_belong_to_their_caller)
{
    install();
    void *loop = translate("tb_a", 0x100, 2, (uint32_t[]){0x6808, 0xd1fd}); /* ldr; bne */
    void *call = translate("tb_a", 0x104, 1, (uint32_t[]){0xf7fffffe});     /* bl */
    void *helper = translate("divide", 0x800, 2, (uint32_t[]){0x6808, 0x4770}); /* ldr; bx lr */
    void *end = translate("tb_a", 0x108, 1, (uint32_t[]){0x4770});
    void *other = translate("tb_b", 0x400, 1, (uint32_t[]){0x1840});
    void *order[] = {loop, loop, call, helper, end, other};
    for (int i = 0; i < 6; i++)
        asked.executed(0, order[i]);
    asked.at_exit(1, NULL);
    char *text = file_read(out, NULL);
    ck_assert_ptr_nonnull(text);
    /* 3 twice and back once; 1 and there; 3 and back; 1 and on to tb_b */
    ck_assert_msg(strstr(text, "tb_a 8 19\n"), "%s", text);
    ck_assert_msg(strstr(text, "tb_b 1 1\n"), "%s", text);
    free(text);
    unlink(out);
}
END

SUITE(m4_cycles, instructions_take_what_the_manual_says,
      a_branch_that_is_taken_takes_two_more_and_helpers_belong_to_their_caller)
