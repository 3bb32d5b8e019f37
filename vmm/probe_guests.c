/* Tiny guests, one a question. Each is assembled here to run at PROBE_CODE and ends by writing
 * PROBE_OK, or what it found instead, to the debug-exit port. Vectors 0-31, 0x80 and 0x81 of the IDT
 * lead to stubs that say which vector came.
 *
 * Instructions that some assemblers or CPUs may not know stand as bytes.
 */
#include "vmm/probe.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

/* GUEST(name, code size, "instructions"): start label guest_NAME, end label guest_NAME_end. */
#define GUEST(name, bits, ...)                                                                     \
	__asm__(".pushsection .rodata\n.intel_syntax noprefix\n.code" #bits "\n"                   \
		"guest_" #name ":\n" __VA_ARGS__ "\n"                                              \
		"guest_" #name "_end:\n.byte 0\n.att_syntax\n.code64\n.popsection\n");             \
	extern const char guest_##name[], guest_##name##_end[]

#define EXIT(code) "mov eax, " TEXT(code) "\nout 0xf4, eax\n"
/* Goes on at the label in ring 3. */
#define RING3(label)                                                                               \
	"push 0x1b\npush 0x10000\npush 2\npush 0x23\n"                                             \
	"lea rax, [rip + " label "]\npush rax\niretq\n"
#define MARK(value) "mov dword ptr [0x20000], " #value "\n"

/* -- modes -- */

GUEST(real16, 16,
      "mov ax, 0xffff\n"
      "inc ax\n"
      "jnz 1f\n"
      "call 2f\n" EXIT(42)
      "1: " EXIT(44)
      "2: ret\n");
GUEST(prot32, 32,
      "mov eax, 0xffffffff\n"
      "inc eax\n"
      "jnz 1f\n"
      "call 2f\n" EXIT(42)
      "1: " EXIT(44)
      "2: ret\n");
GUEST(paging32, 32,
      "mov eax, 0x21000\n"
      "mov cr3, eax\n"
      "mov eax, cr4\n"
      "or eax, 0x10\n" /* PSE */
      "mov cr4, eax\n"
      "mov eax, cr0\n"
      "or eax, 0x80000000\n"
      "mov cr0, eax\n"
      "jmp 1f\n"
      "1: push 5\n"
      "pop ebx\n" EXIT(42));
GUEST(long64, 64,
      "mov rax, 0x123456789abcdef0\n"
      "push rax\n"
      "pop rbx\n"
      "cmp rax, rbx\n"
      "jne 1f\n"
      "call 2f\n" EXIT(42)
      "1: " EXIT(44)
      "2: ret\n");

/* -- rings -- */

GUEST(ring3, 64, RING3(".Lring3_user") ".Lring3_user: " MARK(1) "int 0x80\n");
GUEST(int80, 64, RING3(".Lint80_user") ".Lint80_user: " MARK(1) "int 0x80\n");
GUEST(int0, 64, "int 0x81\n" EXIT(44));
GUEST(gp, 64, RING3(".Lgp_user") ".Lgp_user: " MARK(1) "hlt\n");
GUEST(ud, 64, RING3(".Lud_user") ".Lud_user: " MARK(1) "ud2\n");
GUEST(pf, 64, RING3(".Lpf_user") ".Lpf_user: " MARK(1) "mov eax, [0x1000]\n");
#define SYSCALL_SETUP(label)                                                                       \
	"mov ecx, 0xc0000080\nrdmsr\nor eax, 1\nwrmsr\n"                                           \
	"mov ecx, 0xc0000081\nxor eax, eax\nmov edx, 0x00130008\nwrmsr\n"                          \
	"mov ecx, 0xc0000082\nlea rax, [rip + " label "]\nxor edx, edx\nwrmsr\n"                   \
	"mov ecx, 0xc0000084\nmov eax, 0x700\nwrmsr\n"
GUEST(syscall, 64,
      SYSCALL_SETUP(".Lsyscall_kernel")
      RING3(".Lsyscall_user")
      ".Lsyscall_user: " MARK(1) "syscall\n"
      ".Lsyscall_kernel: " EXIT(0x200));
GUEST(sysret, 64,
      SYSCALL_SETUP(".Lsysret_kernel")
      "lea rcx, [rip + .Lsysret_user]\n"
      "mov r11d, 2\n"
      "mov esp, 0x10000\n"
      ".byte 0x48, 0x0f, 0x07\n" /* sysretq */
      ".Lsysret_user: " MARK(1) "int 0x80\n"
      ".Lsysret_kernel: " EXIT(44));

/* A kernel in ring 1, as a monitor in ring 0 keeps it: into ring 1 by IRET, back by #GP. The descriptors of
 * ring 3 become those of ring 1. LTR: see virt_memory.c. */
GUEST(ring1, 32,
      "mov byte ptr [0x101d], 0xb3\nmov byte ptr [0x1025], 0xbb\n"
      "and byte ptr [0x102d], 0xfd\nmov ax, 0x28\nltr ax\n"
      /* clang's assembler knows no difference of labels as an immediate: mov word ptr [0x2068], 2f - guest_ring1 */
      ".byte 0x66, 0xc7, 0x05\n.long 0x2068\n.short 2f - guest_ring1\nmov word ptr [0x206a], 0x08\n"
      "mov word ptr [0x206c], 0x8e00\nmov word ptr [0x206e], 1\n" /* PROBE_CODE >> 16 */
      "push 0x19\npush 0x10000\npush 2\npush 0x21\n"
      ".byte 0x68\n.long 1f - guest_ring1 + 0x10000\niretd\n" /* push */
      "1: cli\n" EXIT(44)
      "2: cmp dword ptr [esp + 8], 0x21\njne 3f\n" EXIT(42)
      "3: " EXIT(44));

/* -- watching -- */

GUEST(step0, 64, "nop\nnop\nnop\nnop\n" EXIT(42));
GUEST(step3, 64, RING3(".Lstep3_user") ".Lstep3_user: nop\nnop\nnop\nnop\n" MARK(1) "int 0x80\n");
GUEST(breakpoint, 64, "nop\nnop\nnop\nnop\n" EXIT(42)); /* the breakpoint is on the fourth */
GUEST(breakpoint3, 64, "jmp 2f\nnop\nnop\n" MARK(1) "int 0x80\n" /* offset 3 lies in ring 3 */
      "2: push 0x1b\npush 0x10000\npush 2\npush 0x23\npush 0x10002\niretq\n");

/* -- leaving the guest -- */

/* An unknown number: KVM answers -1000 (KVM_ENOSYS) without leaving the kernel. */
#define HYPERCALL(bytes)                                                                           \
	"mov eax, 0x7fffffff\n.byte " bytes "\n"                                                   \
	"cmp rax, -1000\njne 1f\n" EXIT(42) "1: " EXIT(44)
GUEST(vmcall, 64, HYPERCALL("0x0f, 0x01, 0xc1"));
GUEST(vmmcall, 64, HYPERCALL("0x0f, 0x01, 0xd9"));
GUEST(port, 64,
      "mov edx, 0x5c0\n"
      "mov eax, 7\n"
      "out dx, eax\n"
      "in eax, dx\n"
      "cmp eax, 0x5555aaaa\n"
      "jne 1f\n" EXIT(42) "1: " EXIT(44));
GUEST(mmio, 64,
      "mov dword ptr [0x30010], 0x12345678\n"
      "mov eax, [0x30020]\n"
      "cmp eax, 0x5555aaaa\n"
      "jne 1f\n" EXIT(42) "1: " EXIT(44));
GUEST(dirty, 64, "mov dword ptr [0x20000], 1\n" EXIT(42));

/* Hardware leaves the guest for each CPUID (SDM vol. 3C, 26.1.2), and KVM handles it in the kernel. */
GUEST(exits, 64, "mov esi, 100\n1: xor eax, eax\ncpuid\ndec esi\njnz 1b\n" EXIT(42));

/* -- instructions at CPL 0 -- */

/* Ends with PROBE_NO_CPUID unless the bit is set in the register of the leaf. */
#define NEEDS(leaf, reg, bit)                                                                      \
	"mov eax, " TEXT(leaf) "\nxor ecx, ecx\ncpuid\nbt " #reg ", " TEXT(bit) "\njc 8f\n"        \
	EXIT(43) "8: "
GUEST(cmpxchg16b, 64,
      NEEDS(1, ecx, 13)
      "mov dword ptr [0x20000], 0\n"
      "mov dword ptr [0x20004], 0\n"
      "mov dword ptr [0x20008], 0\n"
      "mov dword ptr [0x2000c], 0\n"
      "xor eax, eax\n"
      "xor edx, edx\n"
      "mov ebx, 1\n"
      "xor ecx, ecx\n"
      "mov edi, 0x20000\n"
      ".byte 0x48, 0x0f, 0xc7, 0x0f\n" /* cmpxchg16b [rdi] */
      "jne 1f\n" EXIT(42) "1: " EXIT(44));
GUEST(xsave, 64,
      NEEDS(1, ecx, 26)
      "mov rax, cr4\n"
      "or eax, 0x40000\n" /* OSXSAVE */
      "mov cr4, rax\n"
      "mov edi, 0x22000\n"
      "mov eax, 3\n"
      "xor edx, edx\n"
      ".byte 0x0f, 0xae, 0x27\n"  /* xsave [rdi] */
      ".byte 0x0f, 0xae, 0x2f\n"  /* xrstor [rdi] */
      EXIT(42));
GUEST(clac, 64, NEEDS(7, ebx, 20) ".byte 0x0f, 0x01, 0xca\n" EXIT(42));
GUEST(invpcid, 64,
      NEEDS(7, ebx, 10)
      "mov edi, 0x22000\n"
      "mov eax, 2\n" /* all contexts */
      ".byte 0x66, 0x0f, 0x38, 0x82, 0x07\n" /* invpcid rax, [rdi] */
      EXIT(42));
GUEST(movbe, 64,
      NEEDS(1, ecx, 22)
      "mov dword ptr [0x20000], 0x01020304\n"
      "mov edi, 0x20000\n"
      ".byte 0x0f, 0x38, 0xf0, 0x07\n" /* movbe eax, [rdi] */
      "cmp eax, 0x04030201\n"
      "jne 1f\n" EXIT(42) "1: " EXIT(44));
GUEST(clwb, 64, NEEDS(7, ebx, 24) "mov edi, 0x20000\n.byte 0x66, 0x0f, 0xae, 0x37\n" EXIT(42));
GUEST(fwait, 64, "fninit\n.byte 0x9b\n" EXIT(42));
GUEST(sse, 64, "xorps xmm0, xmm0\nmovaps [0x22000], xmm0\n" EXIT(42));

GUEST(speed, 64, "mov ecx, 50000\nout 0xe9, al\n1: dec ecx\njnz 1b\n" EXIT(42));

#define CODE(id) .code = guest_##id, .end = guest_##id##_end
#define RING0 .entry = VMM_ENTRY_LONG64, .group = PROBE_RING0, .code_wanted = PROBE_OK
#define STUB3(vector)                                                                              \
	.entry = VMM_ENTRY_LONG64, .group = PROBE_RING3, .code_wanted = PROBE_VECTOR + (vector),   \
	.from_ring3 = true, .mark_wanted = 1

const struct probe_guest vmm_probe_speed = {.name = "kvm.ring0", CODE(speed), RING0};

#define OTHER_HOST N_("Lessons that need it run on another machine or on the software CPU.")
#define SMALL N_("Few guests need it; the lessons of this lab do not.")

const struct probe_guest vmm_probe_guests[] = {
	{.name = "kvm.real16", .advice = OTHER_HOST, CODE(real16), .entry = VMM_ENTRY_REAL16,
	 .group = PROBE_RING0, .code_wanted = PROBE_OK},
	{.name = "kvm.prot32", .advice = OTHER_HOST, CODE(prot32), .entry = VMM_ENTRY_PROT32,
	 .group = PROBE_RING0, .code_wanted = PROBE_OK},
	{.name = "kvm.prot32.paging", .advice = N_("Use 64-bit or unpaged guests here."),
	 CODE(paging32), .entry = VMM_ENTRY_PROT32, .group = PROBE_RING0, .code_wanted = PROBE_OK},
	{.name = "kvm.long64", .advice = OTHER_HOST, CODE(long64), RING0},
	{.name = "kvm.ring3", .advice = OTHER_HOST, CODE(ring3), STUB3(0x80)},
	{.name = "kvm.ring3.int", .advice = OTHER_HOST, CODE(int80), STUB3(0x80)},
	{.name = "kvm.ring0.int", .advice = N_("The monitor delivers the interrupt itself where KVM cannot."),
	 CODE(int0), .entry = VMM_ENTRY_LONG64, .group = PROBE_RING0, .code_wanted = PROBE_VECTOR + 0x81},
	{.name = "kvm.ring3.gp", .advice = OTHER_HOST, CODE(gp), STUB3(13)},
	{.name = "kvm.ring3.ud", .advice = OTHER_HOST, CODE(ud), STUB3(6)},
	{.name = "kvm.ring3.pf", .advice = OTHER_HOST, CODE(pf), STUB3(14)},
	{.name = "kvm.ring3.syscall", .advice = N_("Use int 0x80 instead of syscall in guests here."),
	 CODE(syscall), .entry = VMM_ENTRY_LONG64, .group = PROBE_RING3, .code_wanted = PROBE_SYSCALL,
	 .mark_wanted = 1},
	{.name = "kvm.sysret", .advice = N_("Use iretq instead of sysret in guests here."),
	 CODE(sysret), STUB3(0x80)},
	{.name = "kvm.ring1", .advice = OTHER_HOST, CODE(ring1), .entry = VMM_ENTRY_PROT32,
	 .group = PROBE_RING0, .code_wanted = PROBE_OK},
	{.name = "kvm.step.ring0", .advice = N_("Ring crossings are sampled at exits instead of followed."),
	 CODE(step0), RING0, .step = true, .steps_cpl = 0},
	{.name = "kvm.step.ring3", .advice = N_("Code in ring 3 is seen at its exits alone."),
	 CODE(step3), STUB3(0x80), .step = true, .steps_cpl = 3},
	{.name = "kvm.breakpoint.ring0", .advice = N_("Ring crossings are sampled at exits instead of followed."),
	 CODE(breakpoint), RING0, .breakpoint = true},
	{.name = "kvm.breakpoint.ring3", .advice = N_("Code in ring 3 is seen at its exits alone."),
	 CODE(breakpoint3), STUB3(0x80), .breakpoint = true},
	{.name = "kvm.vmcall", .advice = N_("Use the hypercall port instead of the instruction."),
	 CODE(vmcall), RING0},
	{.name = "kvm.vmmcall", .advice = N_("Use the hypercall port instead of the instruction."),
	 CODE(vmmcall), RING0},
	{.name = "kvm.port", .advice = OTHER_HOST, CODE(port), RING0},
	{.name = "kvm.mmio", .advice = OTHER_HOST, CODE(mmio), RING0, .mmio = true},
	{.name = "kvm.dirty-log", .advice = OTHER_HOST, CODE(dirty), RING0, .dirty_log = true},
	{.name = "kvm.exit-count", .advice = N_("Lessons that need it run where VT-x or AMD-V is behind KVM."), CODE(exits), RING0, .count_exits = true},
	{.name = "kvm.insn.sse", .advice = SMALL, CODE(sse), RING0},
	{.name = "kvm.insn.fwait", .advice = SMALL, CODE(fwait), RING0},
	{.name = "kvm.insn.cmpxchg16b", .advice = SMALL, CODE(cmpxchg16b), RING0},
	{.name = "kvm.insn.xsave", .advice = SMALL, CODE(xsave), RING0},
	{.name = "kvm.insn.clac", .advice = SMALL, CODE(clac), RING0},
	{.name = "kvm.insn.invpcid", .advice = SMALL, CODE(invpcid), RING0},
	{.name = "kvm.insn.movbe", .advice = SMALL, CODE(movbe), RING0},
	{.name = "kvm.insn.clwb", .advice = SMALL, CODE(clwb), RING0},
};
const unsigned vmm_probe_guest_count = sizeof(vmm_probe_guests) / sizeof(vmm_probe_guests[0]);
