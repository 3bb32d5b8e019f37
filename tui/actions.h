/* The action table as data. actions.def is the list; what an action does is in act_*.c.
 */
#ifndef TUI_ACTIONS_H
#define TUI_ACTIONS_H

#include <stddef.h>

#include "engine/base/lang.h"

enum tui_screens {
	TUI_IN_LIST = 1, TUI_IN_LESSON = 2, TUI_IN_REPLAY = 4,
	TUI_IN_TRANSLATED = 64, /* a lesson's step that runs a program through the translator */
	TUI_IN_SIDES = 8,   /* the focused pane has places sideways */
	TUI_IN_BLOCKS = 16, /* ... lists blocks of the translator */
	TUI_IN_PICKED = 32, /* ... shows the block that the student picked */
	TUI_IN_PASSES = 128, /* ... can show passes over the IR one by one */
};

enum tui_action {
#define TUI_ACTION(id, keys, name, sentence, screens, rank) TUI_A_##id,
#include "tui/actions.def"
	TUI_ACTIONS
};

#define TUI_ACTION_KEYS 4
struct tui_action_info {
	const char *keys, *name, *sentence; /* name, sentence: translation keys */
	unsigned screens;
	int rank;
};
extern const struct tui_action_info tui_action_infos[TUI_ACTIONS];

/* The action of a key on a screen (enum tui_screens); TUI_ACTIONS when it has none. */
enum tui_action tui_action_of_key(int key, unsigned screen);
/* The i-th key of an action; -1 past the last. */
int tui_action_key(enum tui_action a, unsigned i);
/* Its keys as the help overlay shows them: "Tab", "n →". Returns buf. */
const char *tui_action_keys_label(enum tui_action a, char *buf, size_t size);

#endif
