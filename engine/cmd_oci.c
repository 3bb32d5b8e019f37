/* ringside oci: the OCI runtime. Its verbs and options are those of runc, for runc's callers, so it has a
 * command line of its own (containers/oci.c); here is only the way to it, and its row in the help. */
#include <string.h>

#include "containers/ctr.h"
#include "engine/cli.h"

int eng_oci_main(int argc, char **argv)
{
	const char *slash = argc ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc ? argv[0] : "";

	/* "oci": how it calls itself again, from where no container can write to it (containers/binary.c) */
	if (strcmp(name, "ringside-oci") == 0 || strcmp(name, "oci") == 0)
		return ctr_oci_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], "oci") == 0)
		return ctr_oci_main(argc - 1, argv + 1);
	return -1;
}

static int run(struct eng_cli *c)
{
	char *argv[] = { (char *)"oci", NULL };

	(void)c;
	return ctr_oci_main(1, argv);
}

const struct eng_cmd eng_cmd_oci = {
	.name = "oci", .args = N_("[OPTION...] COMMAND [ARGUMENT...]"), .args_max = 0, .arg = ENG_ARG_TEXT, .tail = true,
	.pure = true,
	.brief = N_("an OCI runtime: containers from bundles"),
	.help = N_("The commands and options are those of runc: create, start, state, kill, delete, run, exec, list, "
		   "pause, resume, update, ps, events, features and spec; \"ringside oci COMMAND --help\" explains each. "
		   "Global options such as --root and --log may stand before or behind the command.\n\n"
		   "The same runtime is the program ringside-oci, which starts faster and is what other tools call: "
		   "podman --runtime /path/to/ringside-oci run ...\n\n"
		   "--debug logs every step with its system calls, their arguments, results and microseconds."),
	.run = run,
};
