/* The words for the events of containers. */
#include "engine/tell.h"

#include <errno.h>
#include <string.h>

static void tell_call(const struct rs_event *ev, const struct eng_words *w, enum rs_lang lang, struct rs_str *out)
{
	int64_t result = (int64_t)ev->arg[1];
	rs_auto_str call = RS_STR_INIT;

	rs_str_addf(&call, "%s(%s)", w->a[0], w->text);
	if (result < 0)
		eng_say(out, lang, N_("Process %s calls %s; the kernel refuses: %s."), w->a[2], call.p, strerror((int)-result));
	else if (result > 0)
		eng_say(out, lang, N_("Process %s calls %s and gets %s."), w->a[2], call.p, w->a[1]);
	else
		eng_say(out, lang, N_("Process %s calls %s."), w->a[2], call.p);
}

static void tell_exit(const struct rs_event *ev, const struct eng_words *w, enum rs_lang lang, struct rs_str *out)
{
	if (ev->arg[2])
		eng_say(out, lang, N_("Process %s is killed by %s."), w->a[0], w->a[2]);
	else
		eng_say(out, lang, N_("Process %s ends with status %s."), w->a[0], w->a[1]);
}

static void tell_root(const struct rs_event *ev, const struct eng_words *w, enum rs_lang lang, struct rs_str *out)
{
	eng_say(out, lang, N_("The root directory of process %s is %s now."), w->a[0], w->text);
	if (ev->arg[2])
		eng_say(out, lang, N_(" That is the container's own root: it got out."));
	else if (ev->arg[1])
		eng_say(out, lang, N_(" Its working directory still lies outside of it."));
}

static void tell_layer(const struct rs_event *ev, const struct eng_words *w, enum rs_lang lang, struct rs_str *out)
{
	switch (ev->arg[0]) {
	case RS_LAYER_COPIED:
		eng_say(out, lang, N_("%s was copied up from lower layer %s into the upper layer (%s)."), w->text, w->a[2], w->a[1]);
		break;
	case RS_LAYER_WHITEOUT:
		eng_say(out, lang, N_("A whiteout for %s appeared in the upper layer: it hides what lies below."), w->text);
		break;
	case RS_LAYER_OPAQUE:
		eng_say(out, lang, N_("The directory %s of the upper layer is opaque: it hides the lower one."), w->text);
		break;
	case RS_LAYER_CREATED:
		eng_say(out, lang, N_("%s was created in the upper layer (%s)."), w->text, w->a[1]);
		break;
	case RS_LAYER_GONE:
		eng_say(out, lang, N_("%s is not in the upper layer any more."), w->text);
		break;
	default:
		eng_say(out, lang, N_("%s changed in the upper layer (%s)."), w->text, w->a[1]);
	}
}

static void tell_end(const struct rs_event *ev, const struct eng_words *w, enum rs_lang lang, struct rs_str *out)
{
	switch (ev->arg[0]) {
	case RS_OUT_EXITED:
		eng_say(out, lang, N_("The container's first process ended by itself with status %s, and everything in it is gone."), w->a[1]);
		break;
	case RS_OUT_KILLED:
		eng_say(out, lang, N_("The signal %s killed the container's first process, and everything in it is gone."), w->a[2]);
		break;
	case RS_OUT_WATCHDOG:
		eng_say(out, lang, N_("The time limit ran out: the container did not end by itself."));
		break;
	default:
		eng_say(out, lang, N_("The container was ended: %s."), w->a[0]);
	}
}

static void tell_limit(const struct rs_event *ev, const struct eng_words *w, enum rs_lang lang, struct rs_str *out)
{
	switch (ev->arg[2]) {
	case RS_LIMIT_HELD:
		eng_say(out, lang, N_("Limit %s: the kernel holds it."), w->text);
		break;
	case RS_LIMIT_CHANGED:
		eng_say(out, lang, N_("Limit %s: the kernel holds %s instead."), w->text, w->a[1]);
		break;
	case RS_LIMIT_REFUSED:
		eng_say(out, lang, N_("Limit %s: the kernel refuses it (%s)."), w->text, w->a[3]);
		break;
	default:
		eng_say(out, lang, N_("Limit %s: %s."), w->text, w->a[2]);
	}
}

bool eng_tell_ctr(const struct rs_event *ev, const struct eng_words *w, enum rs_lang lang, struct rs_str *out)
{
	switch (ev->kind) {
	case RS_EV_BOX_START:
		eng_say(out, lang, N_("The container's first process is ready (process %s on the host); it will run %s."), w->a[0], w->text);
		break;
	case RS_EV_BOX_MISSING:
		eng_say(out, lang, N_("The container has to do without %s (%s)."), w->text, w->a[0]);
		break;
	case RS_EV_BOX_CALL:
		tell_call(ev, w, lang, out);
		break;
	case RS_EV_BOX_FORK:
		eng_say(out, lang, N_("Process %s has a child: it is %s in its own PID namespace, %s in the container's, %s on the host."),
			w->a[0], w->a[1], w->a[2], w->a[3]);
		break;
	case RS_EV_BOX_EXEC:
		eng_say(out, lang, N_("Process %s begins: %s"), w->a[0], w->text);
		break;
	case RS_EV_BOX_EXIT:
		tell_exit(ev, w, lang, out);
		break;
	case RS_EV_BOX_NAMESPACE:
		eng_say(out, lang, N_("Process %s is in a new namespace (%s): %s instead of %s."), w->a[1], w->a[0], w->a[3], w->a[2]);
		break;
	case RS_EV_BOX_ROOT:
		tell_root(ev, w, lang, out);
		break;
	case RS_EV_BOX_LAYER:
		tell_layer(ev, w, lang, out);
		break;
	case RS_EV_BOX_END:
		tell_end(ev, w, lang, out);
		break;
	case RS_EV_CGROUP_MAKE:
		eng_say(out, lang, N_("A cgroup (v%s) for the container: %s"), w->a[0], w->text);
		break;
	case RS_EV_CGROUP_SET:
		tell_limit(ev, w, lang, out);
		break;
	case RS_EV_CGROUP_DELETE:
		if (ev->arg[1])
			eng_say(out, lang, N_("The container's cgroups are removed, after %s processes had to be killed."), w->a[1]);
		else
			eng_say(out, lang, N_("The container's cgroups are removed."));
		break;
	case RS_EV_NET_STEP:
		if (ev->arg[1])
			eng_say(out, lang, N_("The container's network: %s fails (%s)."), w->text, w->a[1]);
		else
			eng_say(out, lang, N_("The container's network: %s."), w->text);
		break;
	case RS_EV_CGROUP_OOM:
		eng_say(out, lang, N_("Out of memory: the kernel killed processes of the container (%s). Most in use at once: %s; limit: %s."), w->a[0],
			w->a[1], w->a[2]);
		break;
	case RS_EV_CGROUP_THROTTLE:
		eng_say(out, lang, N_("Throttled in %s periods: the container waited %s for processor time."), w->a[0], w->a[1]);
		break;
	default:
		return false;
	}
	return true;
}
