/* ringside registry: a registry for a classroom that has none. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "engine/cmd_image.h"

static volatile int stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static void ready(void *arg, unsigned port)
{
	struct eng_cli *c = arg;
	const char *address = eng_cli_opt(c, "address");

	fprintf(c->out, "%s:%u\n", address ? address : "127.0.0.1", port);
	fflush(c->out);
}

static void request(void *arg, const char *method, const char *path, int status, uint64_t bytes)
{
	struct eng_cli *c = arg;

	fprintf(c->err, "%d %-6s %s %llu\n", status, method, path, (unsigned long long)bytes);
	fflush(c->err);
}

static int run(struct eng_cli *c)
{
	const char *address = eng_cli_opt(c, "address");
	struct ctr_serve o = {
		.address = address ? address : "127.0.0.1",
		.port = (unsigned)eng_cli_num(c, "port", 5000),
		.stop = &stop,
		.ready = ready,
		.log = eng_cli_flag(c, "quiet") ? NULL : request,
		.arg = c,
	};
	struct rs_err err = RS_ERR_INIT;
	uint64_t ns = eng_cli_num(c, "for", 0);
	int rc = ENG_EXIT_OK;
	static struct ctr_store *s; /* stays open: a connection may still read from it until the process ends */

	if (o.port > 65535)
		return eng_cli_usage(c, N_("a port is a number from 0 to 65535"));
	s = image_store(c, true, &rc);
	if (!s)
		return rc;
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGALRM, on_signal);
	if (ns)
		alarm((unsigned)(ns / 1000000000u + (ns % 1000000000u != 0)));
	if (ctr_registry_serve(s, &o, &err) < 0)
		rc = image_fail(c, &err);
	return rc;
}

static const struct eng_opt opts[] = {
	{ 'p', "port", N_("PORT"), N_("listen here; 5000 when left out, 0 takes one that is free"), ENG_ARG_NUMBER, NULL },
	{ 0, "address", N_("ADDRESS"), N_("listen at this address; 127.0.0.1 when left out"), ENG_ARG_TEXT, NULL },
	{ 0, "for", N_("TIME"), N_("stop after this time"), ENG_ARG_DURATION, NULL },
	{ 'q', "quiet", NULL, N_("do not show requests"), 0, NULL },
	IMAGE_STORE_OPT,
	IMAGE_OPTS_END,
};

const struct eng_cmd eng_cmd_registry = {
	.name = "registry", .opts = opts, .pure = true, .run = run,
	.brief = N_("serve the image store as a registry"),
	.help = N_("Speaks the OCI distribution protocol over HTTP, without passwords, so it listens on loopback unless it is told "
		   "otherwise. Prints its address, and each request with its status on standard error. Ctrl-C ends it.\n\n"
		   "Whoever can reach it can push into the store; a store of its own (--store) is a good idea."),
};
