/* vectors_riscv.c - where QEMU's virt board begins, and where a RISC-V traps to. */
__asm__(".section .vectors, \"ax\"\n"
        ".option push\n"
        ".option arch, +zicsr\n"
        "    la sp, stack_top\n"
        "    la t0, trap\n"
        "    csrw mtvec, t0\n"
        "    j start\n"
        "    .balign 4\n"
        "trap:\n"
        "    j fault\n"
        ".option pop\n");
