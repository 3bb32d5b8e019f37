#include "engine/eng.h"
#include "tui/tui.h"

int main(int argc, char **argv)
{
	static const struct eng_ui ui = { .lab = tui_lab, .replay = tui_replay };
	return eng_main(argc, argv, &ui);
}
