/* The handlers of linux_calls.def. Private to emu/linux*.c. */
#ifndef EMU_LINUX_CALLS_H
#define EMU_LINUX_CALLS_H

#include "emu/linux.h"

#define CALL(number, name) emu_syscall_fn emu_sys_##name;
#define QUIET(number, name)
#define NAMED(number, name)
#include "emu/linux_calls.def"

#endif
