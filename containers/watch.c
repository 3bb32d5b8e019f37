/* Steps and system calls, told to who looks on. */
#include "containers/watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "containers/wire.h"

static const struct ctr_step_info steps[CTR_STEPS + 1] = {
#define CTR_STEP(id, name, side, why, changes) { name, CTR_SIDE_##side, why, changes },
#include "containers/steps.def"
	{ "?", CTR_SIDE_RUNTIME, "", "" },
};

const struct ctr_step_info *ctr_step_info(unsigned step)
{
	return &steps[step < CTR_STEPS ? step : CTR_STEPS];
}

int ctr_step_by_name(const char *name)
{
	for (int i = 0; i < CTR_STEPS; i++)
		if (strcmp(steps[i].name, name) == 0)
			return i;
	return -ENOENT;
}

static const struct {
	enum ctr_step step;
	int error;
	const char *cure;
} cures[] = {
#define CTR_CURE(step, error, cure) { step, error, cure },
#include "containers/cures.def"
};

uint64_t ctr_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void ctr_trace_init(struct ctr_trace *t, const struct ctr_watch *watch, const struct ctr_config *cfg)
{
	static const struct ctr_watch nobody;

	*t = (struct ctr_trace){ .watch = watch ? watch : &nobody, .cfg = cfg, .wire = -1 };
	t->on = t->watch->step || t->watch->call || t->watch->events;
}

/* ---- told in the runtime's process ---- */

int ctr_tell_moment(struct ctr_trace *t, const struct ctr_moment *m)
{
	const struct ctr_watch *w = t->watch;
	char text[RS_TEXT_SIZE];

	if (w->events && m->done) {
		snprintf(text, sizeof(text), "%s%s%s", ctr_step_info(m->step)->name, *m->place ? " " : "", m->place);
		rs_emit(w->events, RS_EV_CTR_STEP, RS_SRC_CTR, (uint32_t)m->pid, m->step, (uint64_t)-m->result,
			m->ns, m->index, text);
	}
	return w->step ? w->step(w->ctx, m) : 0;
}

void ctr_tell_call(struct ctr_trace *t, const struct ctr_call *c)
{
	const struct ctr_watch *w = t->watch;
	char text[RS_TEXT_SIZE];

	if (w->events && rs_wanted(w->events, RS_EV_CTR_CALL)) {
		snprintf(text, sizeof(text), "%s(%s)", c->name, c->args);
		rs_emit(w->events, RS_EV_CTR_CALL, RS_SRC_CTR, (uint32_t)c->pid, c->step,
			c->result < 0 ? 0 : (uint64_t)c->result, c->result < 0 ? (uint64_t)-c->result : 0, c->ns, text);
	}
	if (w->call)
		w->call(w->ctx, c);
}

void ctr_warn(struct ctr_trace *t, const struct rs_err *e)
{
	if (t->wire >= 0)
		ctr_wire_warn(t->wire, e);
	else if (t->watch->warn)
		t->watch->warn(t->watch->ctx, e);
}

int ctr_made(struct ctr_trace *t, enum ctr_made kind, const char *name, struct rs_err *err)
{
	int rc = t->watch->made ? t->watch->made(t->watch->ctx, kind, name) : 0;

	return rc ? rs_err_errno(err, -rc, "%s could not be written to the journal, so it is not made", name) : 0;
}

void ctr_gone(struct ctr_trace *t, enum ctr_made kind, const char *name)
{
	if (t->watch->gone)
		t->watch->gone(t->watch->ctx, kind, name);
}

/* ---- steps ---- */

static int tell(struct ctr_trace *t, bool done, int result)
{
	struct ctr_moment m = {
		.step = t->step, .index = t->index, .place = t->place, .pid = t->pid, .done = done,
		.result = result, .ns = done ? ctr_now() - t->began : 0,
	};

	return t->wire >= 0 ? ctr_wire_moment(t->wire, &m) : ctr_tell_moment(t, &m);
}

int ctr_step_begin(struct ctr_trace *t, enum ctr_step step, unsigned index, struct rs_err *err, const char *place, ...)
{
	va_list ap;
	int rc;

	t->step = step;
	t->index = index;
	t->open = true;
	va_start(ap, place);
	vsnprintf(t->place, sizeof(t->place), place, ap);
	va_end(ap);
	if (!t->on)
		return 0;
	rc = tell(t, false, 0);
	t->began = ctr_now();
	if (rc)
		return rs_err_set(err, rc, "ended before the step %s", ctr_step_info(step)->name);
	return 0;
}

void ctr_step_end(struct ctr_trace *t, int result)
{
	if (t->on && t->open)
		tell(t, true, result);
	t->open = false;
}

long ctr_call_note(struct ctr_trace *t, const char *name, uint64_t began, long result, const char *fmt, ...)
{
	int e = errno;
	char args[400];
	struct ctr_call c = {
		.step = t->step, .name = name, .args = args, .result = result < 0 ? -e : result,
		.ns = ctr_now() - began, .pid = t->wire >= 0 ? t->pid : getpid(),
	};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(args, sizeof(args), fmt, ap);
	va_end(ap);
	if (t->wire >= 0)
		ctr_wire_call(t->wire, &c);
	else
		ctr_tell_call(t, &c);
	errno = e;
	return result;
}

/* ---- errors ---- */

static void append(struct rs_err *err, const char *key)
{
	for (int l = 0; l < RS_LANGS; l++) {
		size_t n = strlen(err->text[l]), size = sizeof(err->text[l]);

		snprintf(err->text[l] + n, size - n, "%s%s", rs_tr(l, N_("; ")), rs_tr(l, key));
		err->text[l][rs_utf8_fit(err->text[l], strlen(err->text[l]), size - 1)] = '\0';
	}
}

int ctr_fail_finish(const struct ctr_trace *t, struct rs_err *err)
{
	const char *step = ctr_step_info(t->step)->name;

	if (!err || !err->code)
		return err ? 0 : -EIO;
	if (*t->place)
		rs_err_wrap(err, "step %s, %s", step, t->place);
	else
		rs_err_wrap(err, "step %s", step);
	for (unsigned i = 0; i < sizeof(cures) / sizeof(cures[0]); i++)
		if ((cures[i].step == t->step || cures[i].step == CTR_STEPS) && cures[i].error == -err->code) {
			append(err, cures[i].cure);
			break;
		}
	if (t->cfg && *t->place && !err->file[0]) {
		int line, col;

		ctr_config_place(t->cfg->text, t->cfg->text_len, t->place, &line, &col);
		snprintf(err->file, sizeof(err->file), "%s", t->cfg->file);
		err->line = line;
		err->col = col;
	}
	return err->code;
}
