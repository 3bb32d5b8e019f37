/* The table of KVM exit reasons, made from exits.def. */
#include "engine/base/event.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Indexed by number: exits.def has no two rows of one number (the compiler would warn of the
 * overridden initialiser), and a hole stays a row without a name. */
static const struct rs_exit_info exits[] = {
#define RS_EXIT(number, id, name, handler, handled, sentence) [number] = { number, name, handled, sentence },
#include "engine/base/exits.def"
};

const struct rs_exit_info *rs_exit_info(unsigned number)
{
	if (number >= ARRAY_LEN(exits) || !exits[number].name)
		return NULL;
	return &exits[number];
}
