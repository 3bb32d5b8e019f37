#include <stdio.h>
#include <string.h>

#include "tui/actions.h"
#include "tui/keys.h"

const struct tui_action_info tui_action_infos[TUI_ACTIONS] = {
#define TUI_ACTION(id, keys, name, sentence, screens, rank) { keys, name, sentence, screens, rank },
#include "tui/actions.def"
};

int tui_action_key(enum tui_action a, unsigned i)
{
	const char *p = tui_action_infos[a].keys;
	for (; *p; i--) {
		char word[16];
		size_t n = strcspn(p, " ");
		if (i == 0 && n < sizeof(word)) {
			memcpy(word, p, n);
			word[n] = 0;
			return tui_key_by_name(word);
		}
		p += n;
		p += strspn(p, " ");
	}
	return -1;
}

enum tui_action tui_action_of_key(int key, unsigned screen)
{
	for (int a = 0; a < TUI_ACTIONS; a++) {
		int k;
		if (!(tui_action_infos[a].screens & screen))
			continue;
		for (unsigned i = 0; (k = tui_action_key((enum tui_action)a, i)) >= 0; i++)
			if (k == key)
				return (enum tui_action)a;
	}
	return TUI_ACTIONS;
}

const char *tui_action_keys_label(enum tui_action a, char *buf, size_t size)
{
	size_t used = 0;
	int k;
	buf[0] = 0;
	for (unsigned i = 0; (k = tui_action_key(a, i)) >= 0 && used + 12 < size; i++) {
		char one[16];
		used += (size_t)snprintf(buf + used, size - used, "%s%s", i ? "  " : "",
					 tui_key_label(k, one, sizeof(one)));
	}
	return buf;
}
