/* The arithmetic of x87, MMX and SSE instructions, lent by an x86 host: the guest's operands are loaded,
 * the instruction itself runs on fixed registers, and the result goes back. So rounding, NaNs, flags and the
 * last bit of a sine are the hardware's. What may raise a host exception is masked before.
 *
 * The instructions stand in tables that the assembler makes: one stub an encoding, found by its number.
 */
#include <string.h>

#include "emu/ia_state.h"

#if defined(__x86_64__)
#include <xmmintrin.h>

/* prefix 0F opcode C1: xmm0 (or mm0) OP xmm1 (or mm1). 8 bytes a stub, 256 a prefix: none, 66, F3, F2; then
 * the first 32 of 0F 38, none and 66; then CMPcc by prefix and predicate. x87: escape, ModRM; 4 bytes. */
__asm__(".text\n"
	".balign 16\n"
	"emu_ia_stubs_0f:\n"
	".irp prefix, 0, 0x66, 0xf3, 0xf2\n"
	".set ia_opcode, 0\n"
	".rept 256\n"
	".balign 8\n"
	".if \\prefix\n.byte \\prefix\n.endif\n"
	".byte 0x0f, ia_opcode, 0xc1, 0xc3\n"
	".set ia_opcode, ia_opcode + 1\n"
	".endr\n"
	".endr\n"
	".balign 8\n"
	"emu_ia_stubs_38:\n"
	".irp prefix, 0, 0x66\n"
	".set ia_opcode, 0\n"
	".rept 32\n"
	".balign 8\n"
	".if \\prefix\n.byte \\prefix\n.endif\n"
	".byte 0x0f, 0x38, ia_opcode, 0xc1, 0xc3\n"
	".set ia_opcode, ia_opcode + 1\n"
	".endr\n"
	".endr\n"
	".balign 8\n"
	"emu_ia_stubs_cmp:\n"
	".irp prefix, 0, 0x66, 0xf3, 0xf2\n"
	".set ia_opcode, 0\n"
	".rept 8\n"
	".balign 8\n"
	".if \\prefix\n.byte \\prefix\n.endif\n"
	".byte 0x0f, 0xc2, 0xc1, ia_opcode, 0xc3\n"
	".set ia_opcode, ia_opcode + 1\n"
	".endr\n"
	".endr\n"
	".balign 8\n"
	"emu_ia_stubs_x87:\n" /* memory at (%rdi): ModRM reg << 3 | 7 */
	".irp escape, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf\n"
	".set ia_opcode, 7\n"
	".rept 8\n"
	".balign 4\n"
	".byte \\escape, ia_opcode, 0xc3\n"
	".set ia_opcode, ia_opcode + 8\n"
	".endr\n"
	".set ia_opcode, 0xc0\n"
	".rept 64\n"
	".balign 4\n"
	".byte \\escape, ia_opcode, 0xc3\n"
	".set ia_opcode, ia_opcode + 1\n"
	".endr\n"
	".endr\n");
extern const char emu_ia_stubs_0f[], emu_ia_stubs_38[], emu_ia_stubs_cmp[], emu_ia_stubs_x87[];

static unsigned prefix_number(unsigned prefix)
{
	return prefix == IA_P_P66 ? 1 : prefix == IA_P_PF3 ? 2 : prefix == IA_P_PF2 ? 3 : 0;
}

bool emu_ia_host_sse(const struct emu_ia_row *row, unsigned opcode, unsigned predicate, bool mmx,
		     struct emu_ia_vector *a, const struct emu_ia_vector *b, uint32_t *mxcsr, uint64_t *rflags)
{
	unsigned p = prefix_number(row->prefix), before = _mm_getcsr();
	const char *stub = row->map == 3 ? emu_ia_stubs_38 + 8 * (32 * p + opcode)
		: opcode == 0xc2 ? emu_ia_stubs_cmp + 8 * (8 * p + (predicate & 7))
		: emu_ia_stubs_0f + 8 * (256 * p + opcode);
	uint64_t flags;

	_mm_setcsr((*mxcsr & ~0x3fu) | EMU_MXCSR_DEFAULT);
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t" /* past the red zone */
			 "movups (%[a]), %%xmm0\n\t"
			 "movups (%[b]), %%xmm1\n\t"
			 "test %[mmx], %[mmx]\n\t"
			 "jz 1f\n\t"
			 "movq (%[a]), %%mm0\n\t"
			 "movq (%[b]), %%mm1\n\t"
			 "1: call *%[stub]\n\t"
			 "pushfq\n\t"
			 "popq %[flags]\n\t"
			 "movups %%xmm0, (%[a])\n\t"
			 "test %[mmx], %[mmx]\n\t"
			 "jz 2f\n\t"
			 "test $1, %[mmx]\n\t"
			 "jz 3f\n\t"
			 "movq %%mm0, (%[a])\n\t"
			 "3: emms\n\t"
			 "2: lea 128(%%rsp), %%rsp"
			 : [flags] "=&r"(flags)
			 : [a] "r"(a), [b] "r"(b), [stub] "r"(stub),
			   [mmx] "r"(mmx ? 2u | (row->operand[0] == IA_O_Pq || row->operand[0] == IA_O_Nq) : 0u)
			 : "memory", "cc", "xmm0", "xmm1", "mm0", "mm1", "st", "st(1)", "st(2)", "st(3)", "st(4)",
			   "st(5)", "st(6)", "st(7)");
	*mxcsr |= _mm_getcsr() & 0x3f;
	_mm_setcsr(before);
	*rflags = flags;
	return true;
}

#define INTO(name, type) \
	do { \
		type x; \
		long long r64 = 0; \
		int r32 = 0; \
		memcpy(&x, b->q, sizeof(x)); \
		if (wide) \
			__asm__ volatile(name "q %1, %0" : "=r"(r64) : "x"(x)); \
		else \
			__asm__ volatile(name "l %1, %0" : "=r"(r32) : "x"(x)); \
		*a = (struct emu_ia_vector){ { wide ? (uint64_t)r64 : (uint32_t)r32, 0 } }; \
	} while (0)
#define FROM(name, type) \
	do { \
		type x; \
		memcpy(&x, a->q, sizeof(x)); \
		if (wide) \
			__asm__ volatile(name "q %1, %0" : "+x"(x) : "r"(b->q[0])); \
		else \
			__asm__ volatile(name "l %1, %0" : "+x"(x) : "r"((int)b->q[0])); \
		memcpy(a->q, &x, sizeof(x)); \
	} while (0)
bool emu_ia_host_convert(unsigned op, bool wide, struct emu_ia_vector *a, const struct emu_ia_vector *b,
			 uint32_t *mxcsr)
{
	uint32_t before = _mm_getcsr();

	_mm_setcsr((*mxcsr & ~0x3fu) | EMU_MXCSR_DEFAULT);
	switch (op) {
	case IA_cvtsi2ss: FROM("cvtsi2ss", float); break;
	case IA_cvtsi2sd: FROM("cvtsi2sd", double); break;
	case IA_cvtss2si: INTO("cvtss2si", float); break;
	case IA_cvtsd2si: INTO("cvtsd2si", double); break;
	case IA_cvttss2si: INTO("cvttss2si", float); break;
	default: INTO("cvttsd2si", double); break;
	}
	*mxcsr |= _mm_getcsr() & 0x3f;
	_mm_setcsr(before);
	return true;
}
#undef INTO
#undef FROM

bool emu_ia_host_x87(unsigned escape, unsigned modrm, struct emu_ia_x87 *state, void *memory, uint64_t *rflags)
{
	const char *stub = emu_ia_stubs_x87 + 4 * (72 * (escape - 0xd8) + (modrm < 0xc0 ? modrm >> 3 & 7 : modrm - 0xc0 + 8));
	struct emu_ia_x87 host;
	uint16_t cw = state->cw;

	state->cw |= 0x3f;
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
			 "fnsave (%[host])\n\t"
			 "frstor (%[state])\n\t"
			 "pushq (%[flags])\n\t"
			 "popfq\n\t"
			 "call *%[stub]\n\t"
			 "pushfq\n\t"
			 "popq (%[flags])\n\t"
			 "fnsave (%[state])\n\t"
			 "frstor (%[host])\n\t"
			 "lea 128(%%rsp), %%rsp"
			 :
			 : [host] "r"(&host), [state] "r"(state), [flags] "r"(rflags), [stub] "r"(stub), "D"(memory)
			 : "memory", "cc");
	if (!(escape == 0xd9 && modrm < 0xc0 && (modrm >> 3 & 7) == 5) && !(escape == 0xdb && modrm == 0xe3))
		state->cw = cw; /* not FLDCW, FNINIT */
	return true;
}
#else
bool emu_ia_host_sse(const struct emu_ia_row *row, unsigned opcode, unsigned predicate, bool mmx,
		     struct emu_ia_vector *a, const struct emu_ia_vector *b, uint32_t *mxcsr, uint64_t *rflags)
{
	(void)row, (void)opcode, (void)predicate, (void)mmx, (void)a, (void)b, (void)mxcsr, (void)rflags;
	return false;
}

bool emu_ia_host_convert(unsigned op, bool wide, struct emu_ia_vector *a, const struct emu_ia_vector *b,
			 uint32_t *mxcsr)
{
	(void)op, (void)wide, (void)a, (void)b, (void)mxcsr;
	return false;
}

bool emu_ia_host_x87(unsigned escape, unsigned modrm, struct emu_ia_x87 *state, void *memory, uint64_t *rflags)
{
	(void)escape, (void)modrm, (void)state, (void)memory, (void)rflags;
	return false;
}
#endif
