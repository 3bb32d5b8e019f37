/* A lesson as a stream of JSON objects, one a line. */
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/grade.h"
#include "engine/json.h"
#include "engine/play.h"

static struct json_object *typed(const char *type)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "type", json_object_new_string(type));
	return o;
}

static void emit(struct eng_cli *c, struct json_object *o)
{
	eng_json_print(c->out, o, false);
	fflush(c->out);
}

struct json_sink {
	struct rs_sink sink;
	struct eng_cli *c;
};

static struct json_object *value(enum rs_unit unit, uint64_t v)
{
	const char *name = rs_unit_value_name(unit, v);

	if (name)
		return json_object_new_string(name);
	/* decimal arguments are signed (results of calls); addresses are not */
	return unit == RS_UNIT_dec ? json_object_new_int64((int64_t)v) : json_object_new_uint64(v);
}

static void on_event(struct rs_sink *self, const struct rs_event *ev)
{
	struct eng_cli *c = ((struct json_sink *)self)->c; /* sink is the first member */
	const struct rs_kind_info *k = rs_kind_info(ev->kind);
	struct json_object *o, *args;

	if (ev->kind == RS_EV_STATE_BLOCK || ev->kind == RS_EV_LESSON_STEP ||
	    ev->kind == RS_EV_CHECK_RESULT || ev->kind == RS_EV_LESSON_PREDICT)
		return;
	o = typed("event");
	args = json_object_new_object();
	json_object_object_add(o, "seq", json_object_new_uint64(ev->seq));
	json_object_object_add(o, "time_ns", json_object_new_uint64(ev->time));
	json_object_object_add(o, "kind", json_object_new_string(k->name));
	json_object_object_add(o, "source", value(RS_UNIT_source, ev->source));
	json_object_object_add(o, "actor", json_object_new_int64(ev->actor));
	for (unsigned i = 0; i < 4 && k->arg[i].name; i++)
		json_object_object_add(args, k->arg[i].name, value(k->arg[i].unit, ev->arg[i]));
	json_object_object_add(o, "args", args);
	if (ev->kind == RS_EV_OUT_DATA)
		json_object_object_add(o, "text",
				       eng_json_strn(ev->text, ev->arg[2] < RS_TEXT_SIZE ?
								       (size_t)ev->arg[2] :
								       RS_TEXT_SIZE));
	else if (ev->text[0])
		json_object_object_add(o, "text",
				       eng_json_strn(ev->text, strnlen(ev->text, RS_TEXT_SIZE)));
	emit(c, o);
}

static void lesson(struct eng_cli *c, const struct eng_lesson *l)
{
	struct json_object *o = typed("lesson");

	json_object_object_add(o, "format", json_object_new_string("ringside/run/v1"));
	json_object_object_add(o, "id", eng_json_str(l->id));
	json_object_object_add(o, "number", json_object_new_int(l->number));
	json_object_object_add(o, "title", eng_json_text(&l->title));
	json_object_object_add(o, "steps", json_object_new_int64(l->steps));
	json_object_object_add(o, "max", json_object_new_int64(l->points));
	emit(c, o);
}

static void step(struct eng_cli *c, const struct eng_lesson *l, unsigned i)
{
	struct json_object *o = typed("step");

	json_object_object_add(o, "index", json_object_new_int64(i));
	json_object_object_add(o, "id", eng_json_str(l->step[i].id));
	json_object_object_add(o, "text", eng_json_text(&l->step[i].text));
	emit(c, o);
}

static void error(struct eng_cli *c, const struct rs_err *e)
{
	struct json_object *o = typed("error");

	json_object_object_add(o, "text", eng_json_err(e));
	emit(c, o);
}

struct sum {
	unsigned points, max, failed, undecided, ungradable;
};

static void results(struct eng_cli *c, struct eng_session *s, unsigned i, struct sum *sum)
{
	const struct eng_lesson *l = eng_session_lesson(s);
	const struct eng_prediction *p = eng_session_prediction(s, i);

	if (l->step[i].predict && p && p->known) {
		struct json_object *o = typed("prediction");

		json_object_object_add(o, "step", eng_json_str(l->step[i].id));
		json_object_object_add(o, "ask", eng_json_text(&l->step[i].predict->ask));
		json_object_object_add(o, "guess", p->made ? json_object_new_int64(p->guess) : NULL);
		json_object_object_add(o, "answer", json_object_new_int64(p->actual));
		emit(c, o);
	}
	for (unsigned n = 0; n < l->step[i].checks; n++) {
		rs_cleanup(eng_grade_check_release) struct eng_grade_check k;
		struct json_object *o;

		eng_grade_check_take(&k, s, i, n);
		sum->max += k.check->points;
		sum->points += k.points;
		sum->failed += k.verdict == ENG_FAIL;
		sum->ungradable += k.verdict == ENG_UNGRADABLE;
		sum->undecided += k.verdict == ENG_INCONCLUSIVE;
		o = eng_grade_check_json(&k);
		json_object_object_add(o, "type", json_object_new_string("check"));
		emit(c, o);
	}
}

static int end(struct eng_cli *c, const struct sum *sum)
{
	struct json_object *o = typed("end");
	enum eng_verdict v = sum->undecided  ? ENG_INCONCLUSIVE :
			     sum->failed     ? ENG_FAIL :
			     sum->ungradable ? ENG_UNGRADABLE :
					       ENG_PASS;
	bool decided = v == ENG_PASS || v == ENG_FAIL;

	json_object_object_add(o, "verdict", eng_json_str(eng_verdict_name(v)));
	json_object_object_add(o, "points", decided ? json_object_new_int64(sum->points) : NULL);
	json_object_object_add(o, "max", json_object_new_int64(sum->max));
	emit(c, o);
	return v == ENG_PASS	   ? ENG_EXIT_OK :
	       v == ENG_FAIL	   ? ENG_EXIT_FAILED :
	       v == ENG_UNGRADABLE ? ENG_EXIT_UNGRADABLE :
				     ENG_EXIT_INTERNAL;
}

int eng_play_json(struct eng_cli *c, struct eng_session *s, const struct eng_play_opts *o)
{
	struct json_sink sink = { .sink = { .event = on_event }, .c = c };
	const struct eng_lesson *l = eng_session_lesson(s);
	struct sum sum = { 0 };

	lesson(c, l);
	rs_bus_attach(eng_session_bus(s), &sink.sink);
	for (unsigned i = 0; i < l->steps; i++) {
		const struct eng_step *st = &l->step[i];
		struct rs_err err = RS_ERR_INIT;
		const struct rs_err *e;

		if (o->step && strcmp(st->id, o->step) != 0)
			continue;
		if (eng_play_arrive(s, o, i, &err) < 0) {
			error(c, &err);
			sum.undecided++;
			break;
		}
		step(c, l, i);
		if (st->run && (st->own_run || st->predict || st->checks)) {
			eng_play_want(s, st);
			if (eng_session_run(s, false, &err) == 0)
				eng_session_wait(s);
		}
		e = eng_session_error(s);
		if (eng_session_phase(s) == ENG_FAILED && e && e->code) {
			error(c, e);
			sum.undecided += st->checks == 0;
		}
		results(c, s, i, &sum);
	}
	rs_bus_detach(eng_session_bus(s), &sink.sink);
	return end(c, &sum);
}

int eng_play_json_replay(struct eng_cli *c, struct eng_session *s)
{
	struct json_sink sink = { .sink = { .event = on_event }, .c = c };
	const struct eng_lesson *l = eng_session_lesson(s);
	struct sum sum = { 0 };

	lesson(c, l);
	rs_bus_attach(eng_session_bus(s), &sink.sink);
	eng_session_wait(s);
	rs_bus_detach(eng_session_bus(s), &sink.sink);
	for (unsigned i = 0; i < l->steps; i++)
		results(c, s, i, &sum);
	return end(c, &sum);
}

void eng_play_json_ungradable(struct eng_cli *c, const struct eng_lesson *l, const struct rs_err *why)
{
	struct json_object *o = typed("end");

	lesson(c, l);
	error(c, why);
	json_object_object_add(o, "verdict", eng_json_str(eng_verdict_name(ENG_UNGRADABLE)));
	json_object_object_add(o, "points", NULL);
	json_object_object_add(o, "max", json_object_new_int64(l->points));
	emit(c, o);
}
