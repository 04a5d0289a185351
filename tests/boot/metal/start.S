/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a multiboot loader (QEMU's -kernel) to long mode: the first GiB of memory at 0 and at WINDOW, in pages of
 * 1 GiB; C code runs in the window. Exceptions go to on_exception() in metal.c.
 */
#define WINDOW 0xffffffff80000000
#define PHYS(symbol) (symbol - WINDOW)
#define MAGIC 0x1badb002
#define FLAGS 0x00010000 /* addresses are in the header, since the file is flat */

    .section .start, "ax"
    .code32
    .balign 4
header:
    .long MAGIC, FLAGS, -(MAGIC + FLAGS)
    .long PHYS(header), PHYS(image_start), 0, PHYS(image_end), PHYS(entry)
    .globl entry
entry:
    cli
    movl %ebx, PHYS(multiboot_info)
    movl $PHYS(boot_pml4), %eax
    movl %eax, %cr3
    movl $0x20, %eax /* PAE */
    movl %eax, %cr4
    movl $0xc0000080, %ecx /* EFER: LME, NXE */
    rdmsr
    orl $0x900, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80010000, %eax /* PG, WP */
    movl %eax, %cr0
    lgdt PHYS(gdt_low)
    ljmp $8, $PHYS(long_mode)
    .code64
long_mode:
    movabsq $in_window, %rax
    jmp *%rax
in_window:
    movw $16, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    lgdt gdt_high
    movq $stack_top, %rsp
    call metal_main
1:  hlt
    jmp 1b

/* vector, error code and all registers that C may change */
    .macro exception vector, has_code
exception_\vector:
    .if !\has_code
    pushq $0
    .endif
    pushq $\vector
    jmp exception_common
    .endm
    exception 6, 0
    exception 8, 1
    exception 13, 1
    exception 14, 1
exception_common:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    cld
    movq %rsp, %rdi
    call on_exception
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp
    iretq

    .section .rodata
    .balign 8
gdt:
    .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff /* code, 64 bits; data */
gdt_low:
    .word 23
    .long PHYS(gdt)
    .balign 8
gdt_high:
    .word 23
    .quad gdt
    .globl exception_entries
    .balign 8
exception_entries:
    .quad 6, exception_6, 8, exception_8, 13, exception_13, 14, exception_14, 0, 0

    .data
    .globl boot_pml4, multiboot_info
    .balign 4096
boot_pml4:
    .quad PHYS(pdpt_low) + 3
    .fill 510, 8, 0
    .quad PHYS(pdpt_high) + 3
pdpt_low:
    .quad 0x83 /* 1 GiB at 0, writable */
    .fill 511, 8, 0
pdpt_high:
    .fill 510, 8, 0
    .quad 0x83, 0
multiboot_info:
    .quad 0
    .bss
    .balign 16
    .skip 65536
stack_top:
    .section .note.GNU-stack, "", @progbits
