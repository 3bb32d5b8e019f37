/* CPUID of the software x86 CPU: what is there (SDM volume 2A, CPUID). */
#include <string.h>

#include "emu/ia_sys.h"

bool ia_has(enum emu_ia_feature f)
{
	switch (f) {
	case IA_FEATURE_MONITOR: case IA_FEATURE_VMX: case IA_FEATURE_SSE42: case IA_FEATURE_XSAVE: case IA_FEATURE_BMI1:
	case IA_FEATURE_INVPCID: case IA_FEATURE_SVM:
		return false;
	default:
		return true;
	}
}

/* Features that are no instructions: PSE, PAE, MTRR, PGE, PAT, PSE-36; SMEP; ARCH_CAPABILITIES; NX (pages of
 * 1 GiB the MMU knows, but INVLPG is slow among them, so that they are not told). */
#define EDX_1 (1u << 3 | 1u << 6 | 1u << 12 | 1u << 13 | 1u << 16 | 1u << 17 | 1u << 2)
#define EBX_7 (1u << 7)
#define EDX_7 (1u << 29)
#define EDX_E1 (1u << 20)
#define SIGNATURE 0x6fb /* family 6, model 15, stepping 11: SSSE3 and no more */
static const char vendor[] = "GenuineIntel", brand[48] = "Ringside software CPU";

static void features(uint32_t leaf, uint32_t r[4])
{
	for (unsigned f = 0; f < IA_FEATURES; f++)
		if (emu_ia_features[f].leaf == leaf && leaf && ia_has((enum emu_ia_feature)f))
			r[emu_ia_features[f].reg - 'a'] |= 1u << emu_ia_features[f].bit;
}

void ia_cpuid(struct emu_ia_vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
	memset(r, 0, 16);
	if (leaf != 7 || subleaf == 0)
		features(leaf, r);
	switch (leaf) {
	case 0:
		r[0] = 7;
		memcpy(&r[1], vendor, 4);
		memcpy(&r[3], vendor + 4, 4);
		memcpy(&r[2], vendor + 8, 4);
		break;
	case 1:
		r[0] = SIGNATURE;
		r[1] = 8 << 8 | 1 << 16; /* CLFLUSH 64 bytes; one logical processor */
		r[3] |= EDX_1;
		break;
	case 7:
		if (subleaf == 0) {
			r[1] |= EBX_7;
			r[3] |= EDX_7;
		}
		break;
	case 0x80000000:
		r[0] = 0x80000008;
		break;
	case 0x80000001:
		r[3] |= EDX_E1;
		break;
	case 0x80000002: case 0x80000003: case 0x80000004:
		memcpy(r, brand + 16 * (leaf - 0x80000002), 16);
		break;
	case 0x80000007:
		r[3] = 1 << 8; /* the TSC runs at one rate */
		break;
	case 0x80000008:
		r[0] = v->mmu.physical_bits | 48 << 8;
		break;
	default:
		break;
	}
	if (v->desc.cpuid)
		v->desc.cpuid(v->desc.arg, leaf, subleaf, r);
}
