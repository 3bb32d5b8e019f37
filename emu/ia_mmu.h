/* The MMU of an x86 guest CPU: linear to physical addresses through page tables in guest memory, with a TLB
 * (SDM volume 3A, chapter 4: 32-bit, PAE and 4-level paging; 4.10 caching).
 *
 * Pure but for the accessed and dirty bits that it sets, as a processor does, and its own TLB. What memory
 * is stands with the owner: `ram`.
 */
#ifndef EMU_IA_MMU_H
#define EMU_IA_MMU_H

#include <stdbool.h>
#include <stdint.h>

/* Control bits that matter here (SDM volume 3A, 2.2.1, 2.5). */
enum { IA_CR0_WP = 1 << 16, IA_CR4_PSE = 1 << 4, IA_CR4_PAE = 1 << 5, IA_CR4_PGE = 1 << 7, IA_CR4_SMEP = 1 << 20,
       IA_CR4_SMAP = 1 << 21, IA_EFER_LMA = 1 << 10, IA_EFER_NXE = 1 << 11 };
#define IA_CR0_PG 0x80000000u

enum emu_ia_access { IA_READ, IA_WRITE, IA_FETCH };
/* Who asks. Kernel: CPL below 3, or an implicit access of the processor (descriptor tables, TSS), which is
 * IA_AS_KERNEL_SMAP whatever AC says when CR4.SMAP is set. */
enum emu_ia_as {
	IA_AS_KERNEL,           /* CPL < 3, and AC set or no SMAP */
	IA_AS_USER,             /* CPL 3 */
	IA_AS_KERNEL_SMAP,      /* CPL < 3, AC clear: not on user pages */
	IA_AS_COUNT
};

/* Error code of #PF (SDM volume 3A, 4.7). */
enum { IA_PF_P = 1, IA_PF_W = 2, IA_PF_U = 4, IA_PF_RSVD = 8, IA_PF_I = 16 };

enum emu_ia_translated {
	IA_MAPPED,
	IA_PAGE_FAULT,          /* with the error code; the address is CR2 */
	IA_NOT_CANONICAL,       /* #GP(0), or #SS(0) for the stack segment */
};

#define EMU_IA_TLB 4096u    /* entries for each of emu_ia_as; power of two; 4 KiB each, also of large pages */
#define IA_TLB_FILLS 2048u
#define IA_TLB_SLOW 1ull    /* in a tag: allowed, but translated code must not do it itself */
struct emu_ia_tlb { /* struct emu_soft_entry of soft.h */
	uint64_t tag[3];        /* by access: the linear page that may be accessed so, perhaps IA_TLB_SLOW, or ~0 */
	uint64_t addend;        /* linear + this is the host address, when it is RAM */
	uint64_t gpa;           /* of the page */
	uint8_t *host;          /* of the page when it is RAM, or NULL */
	uint64_t mask;          /* bytes of the mapping - 1 */
	bool global, large;
};
/* What translated code may not do to a page of RAM by itself. */
enum { IA_PAGE_CODE = 1, IA_PAGE_ROM = 2 };

struct emu_ia_mmu {
	uint32_t cr0, cr4, efer; /* low halves; change them through emu_ia_mmu_control */
	uint64_t cr3;
	uint64_t pdpte[4];      /* PAE paging: loaded with CR3 (4.4.1) */
	unsigned physical_bits; /* MAXPHYADDR, 32 to 52: bits above are reserved in entries */
	/* Host address of `bytes` of RAM at gpa, or NULL: a page table there reads as all ones. */
	uint8_t *(*ram)(void *arg, uint64_t gpa, unsigned bytes);
	unsigned (*page)(void *arg, uint64_t gpa); /* IA_PAGE_* of the page there; NULL: 0 */
	bool (*watched)(void *arg, uint64_t linear); /* translated code leaves accesses to this linear page; NULL: none */
	void *arg;
	struct emu_ia_tlb tlb[IA_AS_COUNT][EMU_IA_TLB];
	uint64_t large[16];     /* a hash of the 2 MiB pieces that pieces of large pages are cached of */
	uint16_t filled[2][IA_TLB_FILLS]; /* entries that were filled since the last flush, [1] for global pages, ... */
	unsigned fills[2];      /* ... unless there were more */
	bool huge;              /* a piece of something larger is cached */
	uint64_t hits, walks, flushes; /* counters to show */
};
/* An empty TLB, paging off. */
void emu_ia_mmu_init(struct emu_ia_mmu *m, uint8_t *(*ram)(void *arg, uint64_t gpa, unsigned bytes), void *arg,
		     unsigned physical_bits);

/* Translates one address. IA_MAPPED: *gpa, and *host (may be NULL; *host may be NULL for what is no RAM). One
 * access must not cross a page. IA_PAGE_FAULT: *error. */
enum emu_ia_translated emu_ia_translate_address(struct emu_ia_mmu *m, uint64_t linear, enum emu_ia_access access,
						enum emu_ia_as as, uint64_t *gpa, uint8_t **host, uint32_t *error);

/* Bytes - 1 of the page that the last translation of this address found (what is cached of it); 4095 when it is not
 * cached. */
uint64_t emu_ia_mapping(const struct emu_ia_mmu *m, uint64_t linear, enum emu_ia_as as, bool *global);
/* Could a piece of a large page be cached in which this address lies? */
bool emu_ia_mmu_large(const struct emu_ia_mmu *m, uint64_t linear);
/* The physical address, without a fault, an A bit or a place in the TLB; false: not mapped. */
bool emu_ia_mmu_peek(struct emu_ia_mmu *m, uint64_t linear, uint64_t *gpa);
/* Writes to that physical page are not for translated code any more. */
void emu_ia_mmu_protect(struct emu_ia_mmu *m, uint64_t gpa);
/* ... and may be again: it is looked at anew. */
void emu_ia_mmu_unprotect(struct emu_ia_mmu *m, uint64_t gpa);

/* New CR0, CR3, CR4 and EFER, with what the TLB must forget (4.10.4). False, with nothing changed: #GP, for a
 * PDPTE with reserved bits. `cr3_written`: MOV to CR3, also of the same value. */
bool emu_ia_mmu_control(struct emu_ia_mmu *m, uint32_t cr0, uint64_t cr3, uint32_t cr4, uint32_t efer,
			bool cr3_written);
/* INVLPG. */
void emu_ia_mmu_invalidate(struct emu_ia_mmu *m, uint64_t linear);
void emu_ia_mmu_flush(struct emu_ia_mmu *m, bool globals_too);

#endif
