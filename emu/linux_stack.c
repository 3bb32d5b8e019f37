/* The first stack of a guest program: strings, then argc, argv, envp and the auxiliary vector, as
 * Linux lays them out (fs/binfmt_elf.c; System V psABI "Process Initialization").
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "emu/linux.h"

#define AUX_MAX 24

struct stack {
	struct emu_mem *m;
	uint64_t sp, low;
	bool full;
};

static uint64_t push(struct stack *s, const void *data, uint64_t n)
{
	if (s->full || n > s->sp - s->low) {
		s->full = true;
		return 0;
	}
	s->sp -= n;
	s->full = !emu_mem_write(s->m, s->sp, data, n);
	return s->sp;
}

static uint64_t push_string(struct stack *s, const char *text)
{
	return push(s, text, strlen(text) + 1);
}

static unsigned count(char *const *v)
{
	unsigned n = 0;

	while (v && v[n])
		n++;
	return n;
}

static unsigned fill_aux(uint64_t (*aux)[2], const struct emu_linux *l, const struct emu_image *im,
			 uint64_t random, uint64_t name, uint64_t platform)
{
	unsigned n = 0;

#define AUX(type, value) (aux[n][0] = (type), aux[n++][1] = (value))
	if (im->phdr) {
		AUX(AT_PHDR, im->phdr);
		AUX(AT_PHENT, sizeof(Elf64_Phdr));
		AUX(AT_PHNUM, im->phnum);
	}
	AUX(AT_PAGESZ, EMU_PAGE);
	AUX(AT_BASE, 0);
	AUX(AT_FLAGS, 0);
	AUX(AT_ENTRY, im->entry);
	AUX(AT_UID, getuid());
	AUX(AT_EUID, geteuid());
	AUX(AT_GID, getgid());
	AUX(AT_EGID, getegid());
	AUX(AT_SECURE, 0);
	AUX(AT_CLKTCK, 100);
	AUX(AT_RANDOM, random);
	AUX(AT_EXECFN, name);
	AUX(AT_HWCAP, l->abi->hwcap);
	AUX(AT_MINSIGSTKSZ, l->abi->signal_stack);
	if (platform)
		AUX(AT_PLATFORM, platform);
	AUX(AT_NULL, 0);
#undef AUX
	return n;
}

/* argv and envp come from the lab or, at execve, from the guest; both are bounded by the stack. */
int64_t emu_linux_stack(struct emu_linux *l, const struct emu_image *im, char *const *argv,
			char *const *envp)
{
	uint64_t bottom = EMU_MEM_TOP - EMU_STACK_SIZE, aux[AUX_MAX][2], random_at, name_at, platform_at = 0;
	struct stack s = { &l->w->mem, EMU_MEM_TOP - 16, EMU_MEM_TOP - EMU_STACK_SIZE / 4, false };
	unsigned argc = count(argv), envc = count(envp), words, n = 0;
	uint64_t *vector;
	char seed[16] = { 0 };
	int r = emu_mem_map(&l->w->mem, bottom, EMU_STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 0);

	if (r < 0)
		return r;
	if (getrandom(seed, sizeof(seed), 0) < 0)
		memcpy(seed, &s.sp, sizeof(s.sp));
	name_at = push_string(&s, l->exe);
	random_at = push(&s, seed, sizeof(seed));
	if (l->abi->platform)
		platform_at = push_string(&s, l->abi->platform);
	words = 1 + argc + 1 + envc + 1;
	vector = rs_xcalloc(words + 2 * AUX_MAX, sizeof(*vector));
	vector[n++] = argc;
	l->args_end = s.sp;
	/* in memory the first comes first, as /proc/self/cmdline shows them */
	for (unsigned i = argc; i--;)
		vector[1 + i] = push_string(&s, argv[i]);
	n += argc;
	l->args_start = s.sp;
	n++;
	for (unsigned i = 0; i < envc; i++)
		vector[n++] = push_string(&s, envp[i]);
	n++;
	n += 2 * fill_aux(aux, l, im, random_at, name_at, platform_at);
	memcpy(vector + words, aux, (n - words) * sizeof(*vector));
	/* sp is a multiple of 16 (both ELF psABIs). */
	s.sp = (s.sp & ~15ull) - (n % 2 ? 8 : 0);
	push(&s, vector, n * sizeof(*vector));
	free(vector);
	return s.full ? -E2BIG : (int64_t)s.sp;
}
