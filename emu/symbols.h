/* The names in the guest's program, for people: address -> "loop+0x10". Private to emu/. */
#ifndef EMU_SYMBOLS_H
#define EMU_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/channel.h"

struct emu_symbols;
/* Of an ELF file's bytes, which need not stay; `bias` is added. Never NULL. */
struct emu_symbols *emu_symbols_new(const void *data, size_t size, uint64_t bias);
void emu_symbols_free(struct emu_symbols *s); /* NULL is fine */
/* "loop", "loop+0x10", "" when no symbol covers pc or s is NULL. Returns buf. */
const char *emu_symbols_text(const struct emu_symbols *s, uint64_t pc, char *buf, size_t size);
/* The start of what stands at pc; false: unknown. */
bool emu_symbols_start(const struct emu_symbols *s, uint64_t pc, uint64_t *start);
bool emu_symbols_find(const struct emu_symbols *s, const char *name, uint64_t *addr);
/* As events emu.symbol, when somebody asked for them; the first EMU_SYMBOLS_TOLD by address. */
void emu_symbols_tell(const struct emu_symbols *s, struct rs_emitter *em);
#define EMU_SYMBOLS_TOLD 8192u

#endif
