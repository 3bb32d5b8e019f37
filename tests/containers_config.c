/* config.json: what is refused, and where the mistake is said to be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "containers/config.h"
#include "engine/base/cleanup.h"

#define HEAD "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"}"
#define LINUX_MOUNT HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}"

static struct ctr_config *parse(const char *text, struct rs_err *err)
{
	*err = (struct rs_err)RS_ERR_INIT;
	return ctr_config_parse(text, strlen(text), "config.json", err);
}

/* One row: a text, and what its error must begin with ("" for none). */
static const struct row {
	const char *text, *says;
	int line, col;
} rows[] = {
	{ HEAD "}", "", 0, 0 },
	{ "", "no valid JSON: the text ends too early", 1, 1 },
	{ "{\n\"ociVersion\": }", "no valid JSON", 2, 15 },
	{ "[]", "config.json: must be object, not array", 1, 1 },
	{ HEAD "} x", "no valid JSON: something follows its end", 0, 0 },
	{ "{\"root\":{\"path\":\"r\"}}", "ociVersion: is missing", 1, 1 },
	{ "{\"ociVersion\":\"1.0\",\"root\":{\"path\":\"r\"}}", "ociVersion: \"1.0\" is no version", 1, 15 },
	{ "{\"ociVersion\":\"2.0.0\",\"root\":{\"path\":\"r\"}}", "ociVersion: version 2.0.0 is not supported", 1, 15 },
	{ "{\"ociVersion\":\"1.2.0-rc.1+x\",\"root\":{\"path\":\"r\"}}", "", 0, 0 },
	{ "{\"ociVersion\":\"1.0.0\"}", "root: is missing", 1, 1 },
	{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":5}}", "root.path: must be string, not int", 1, 38 },
	{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"a\\u0000b\"}}", "root.path: a string of the kernel", 1, 38 },
	{ HEAD ",\"unknown\":{\"x\":[1]}}", "", 0, 0 },
	{ HEAD ",\"hostname\":null}", "", 0, 0 },
	{ HEAD ",\"hostname\":\"x\"}", "hostname: needs a namespace of type \"uts\"", 1, 59 },
	{ HEAD ",\"process\":{\"cwd\":\"x\"}}", "process.cwd: must be an absolute path", 1, 0 },
	{ HEAD ",\"process\":{\"cwd\":\"/\",\"env\":[\"A=1\",\"B\"]}}", "process.env[1]: must look like NAME=value", 1, 0 },
	{ HEAD ",\"process\":{\"cwd\":\"/\",\"rlimits\":[{\"type\":\"RLIMIT_CPUS\",\"soft\":1,\"hard\":1}]}}",
	  "process.rlimits[0].type: \"RLIMIT_CPUS\" is not one of RLIMIT_AS", 1, 0 },
	{ HEAD ",\"process\":{\"cwd\":\"/\",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1},{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1}]}}",
	  "process.rlimits[1]: RLIMIT_CPU is there twice", 1, 0 },
	{ HEAD ",\"process\":{\"cwd\":\"/\",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":-1,\"hard\":1}]}}",
	  "process.rlimits[0].soft: must be between 0 and", 1, 0 },
	{ HEAD ",\"process\":{\"cwd\":\"/\",\"oomScoreAdj\":1001}}", "process.oomScoreAdj: must be between -1000 and 1000", 1, 0 },
	{ HEAD ",\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":-1}}}", "process.user.uid: must be between 0", 1, 0 },
	{ HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]}}",
	  "linux.namespaces[1]: a namespace of type \"pid\" is there twice", 1, 0 },
	{ HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"pidx\"}]}}", "linux.namespaces[0].type: \"pidx\" is not one of user, mount", 1, 0 },
	{ HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"net\",\"path\":\"x\"}]}}", "linux.namespaces[0].type: \"net\"", 1, 0 },
	{ HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"network\",\"path\":\"x\"}]}}", "linux.namespaces[0].path: must be an absolute path", 1, 0 },
	{ HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"user\"}]}}", "linux.uidMappings: a new user namespace without mappings", 1, 0 },
	{ HEAD ",\"linux\":{\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]}}", "linux.uidMappings: needs a namespace", 1, 0 },
	{ HEAD ",\"linux\":{\"sysctl\":{\"vm.swappiness\":\"1\"}}}", "linux.sysctl.vm.swappiness: this kernel parameter belongs to no namespace", 1, 0 },
	{ HEAD ",\"linux\":{\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"}}}", "linux.sysctl.net.ipv4.ip_forward: needs a namespace of type \"network\"", 1, 0 },
	{ HEAD ",\"linux\":{\"maskedPaths\":[\"proc\"],\"namespaces\":[{\"type\":\"mount\"}]}}", "linux.maskedPaths[0]: must be an absolute path", 1, 0 },
	{ HEAD ",\"mounts\":[{\"destination\":\"/x\"}]}", "mounts: needs a namespace of type \"mount\"", 1, 0 },
	{ LINUX_MOUNT ",\"mounts\":[{\"destination\":\"/x\",\"options\":[\"bind\"]}]}", "mounts[0]: a bind mount needs a source", 1, 0 },
	{ LINUX_MOUNT ",\"mounts\":[{\"destination\":\"/x\",\"type\":\"proc\",\"options\":[\"tmpcopyup\"]}]}", "mounts[0]: tmpcopyup", 1, 0 },
	{ LINUX_MOUNT ",\"mounts\":[{\"destination\":\"/x\",\"type\":\"tmpfs\",\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]}]}",
	  "mounts[0]: uidMappings and gidMappings go together", 1, 0 },
	{ HEAD ",\"linux\":{\"devices\":[{\"type\":\"x\",\"path\":\"/dev/x\"}]}}", "linux.devices[0].type: \"x\" is not one of c, b, u, p", 1, 0 },
	{ HEAD ",\"linux\":{\"devices\":[{\"type\":\"c\",\"path\":\"/dev/x\"}]}}", "linux.devices[0]: a device of this type needs major", 1, 0 },
	{ HEAD ",\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_FOO\"}}}", "linux.seccomp.defaultAction: \"SCMP_ACT_FOO\"", 1, 0 },
	{ HEAD ",\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[],\"action\":\"SCMP_ACT_KILL\"}]}}}",
	  "linux.seccomp.syscalls[0].names: needs at least one name", 1, 0 },
	{ HEAD ",\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"defaultErrnoRet\":1}}}", "linux.seccomp.defaultErrnoRet: SCMP_ACT_ALLOW takes no error number", 1, 0 },
	{ HEAD ",\"linux\":{\"resources\":{\"memory\":{\"limit\":\"1\"}}}}", "linux.resources.memory.limit: must be integer, not string", 1, 0 },
	{ HEAD ",\"linux\":{\"resources\":{\"devices\":[{\"access\":\"r\"}]}}}", "linux.resources.devices[0]: needs allow", 1, 0 },
	{ HEAD ",\"linux\":{\"rootfsPropagation\":\"master\"}}", "linux.rootfsPropagation: \"master\" is not one of shared", 1, 0 },
	{ HEAD ",\"linux\":{\"intelRdt\":{}}}", "linux.intelRdt: cache and memory bandwidth", 1, 0 },
	{ HEAD ",\"hooks\":{\"prestart\":[{\"path\":\"true\"}]}}", "hooks.prestart[0].path: must be an absolute path", 1, 0 },
	{ HEAD ",\"hooks\":{\"poststop\":[{\"path\":\"/x\",\"timeout\":0}]}}", "hooks.poststop[0].timeout: must be between 1", 1, 0 },
	{ HEAD ",\"annotations\":{\"\":\"x\"}}", "annotations.: a key must not be empty", 1, 0 },
	{ HEAD ",\"annotations\":{\"a\":1}}", "annotations.a: must be string, not int", 1, 0 },
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct rs_err err;
		struct ctr_config *c = parse(r->text, &err);

		if (!!c != !*r->says || strncmp(err.text[RS_LANG_EN], r->says, strlen(r->says)) != 0)
			fail_msg("%s\n  says \"%s\"\n  not  \"%s\"", r->text, err.text[RS_LANG_EN], r->says);
		if (*r->says && (err.line != r->line || (r->col && err.col != r->col)))
			fail_msg("%s\n  at %d:%d, not %d:%d", r->text, err.line, err.col, r->line, r->col);
		ctr_config_free(c);
	}
}

/* A place is found by its path, also behind strings that hold brackets, quotes and escapes. */
static void test_place(void **state)
{
	static const char text[] = "{\n"
				   " \"a\": {\"x\\\"]}\": [1, {\"k\": \"]}\\\\\"}, 3]},\n"
				   " \"b.c\": [ 10,\n"
				   "   20 ]\n"
				   "}\n";
	static const struct {
		const char *path;
		int line, col;
	} places[] = {
		{ "", 1, 1 }, { "a", 2, 7 }, { "b.c", 3, 9 }, { "b.c[1]", 4, 4 }, { "zzz", 1, 1 }, { "a.none", 2, 7 },
	};
	int line, col;

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		ctr_config_place(text, sizeof(text) - 1, places[i].path, &line, &col);
		if (line != places[i].line || col != places[i].col)
			fail_msg("%s: at %d:%d, not %d:%d", places[i].path, line, col, places[i].line, places[i].col);
	}
}

static void test_hostile(void **state)
{
	rs_auto_str deep = RS_STR_INIT;
	struct rs_err err;

	(void)state;
	rs_str_add(&deep, HEAD ",\"x\":");
	for (unsigned i = 0; i < 100000; i++)
		rs_str_addc(&deep, '[');
	assert_null(parse(deep.p, &err)); /* the parser's depth ends it, not our stack */
	assert_int_equal(err.code, -EINVAL);
	rs_str_clear(&deep);
	for (unsigned i = 0; i < 17u << 20; i++)
		rs_str_addc(&deep, ' ');
	assert_null(parse(deep.p, &err));
	assert_int_equal(err.code, -EFBIG);
}

/* The last word on a bit holds; words of the file system are passed on. */
static void test_mount_options(void **state)
{
	struct rs_err err;
	struct ctr_config *c = parse(LINUX_MOUNT ",\"mounts\":[{\"destination\":\"/x\",\"type\":\"tmpfs\",\"options\":[\"ro\",\"nosuid\",\"rw\","
						 "\"size=1m\",\"rslave\",\"mode=700\",\"rro\",\"rnoatime\"]},"
						 "{\"destination\":\"/y\",\"type\":\"bind\",\"source\":\"/a\"}]}", &err);

	(void)state;
	assert_non_null(c);
	const struct ctr_mount *m = &c->mounts.v[0];

	assert_int_equal(m->flags, MS_NOSUID);
	assert_true(m->cleared & MS_RDONLY);
	assert_string_equal(m->data, "size=1m,mode=700");
	assert_int_equal(m->propagations, 1);
	assert_int_equal(m->propagation[0], MS_SLAVE | MS_REC);
	assert_int_equal(m->rec_set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOATIME);
	assert_int_equal(c->mounts.v[1].flags, MS_BIND | MS_REC); /* the type says it */
	ctr_config_free(c);
}

static void test_values(void **state)
{
	struct rs_err err;
	struct ctr_config *c = parse(HEAD ",\"process\":{\"cwd\":\"/\",\"args\":[\"a\",\"b\"],\"user\":{\"uid\":7,\"additionalGids\":[1,2]},"
					  "\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_NEW\"]},"
					  "\"rlimits\":[{\"type\":\"RLIMIT_AS\",\"soft\":18446744073709551615,\"hard\":18446744073709551615}]},"
					  "\"linux\":{\"resources\":{\"memory\":{\"limit\":-1,\"swappiness\":60},\"pids\":{\"limit\":0},"
					  "\"devices\":[{\"allow\":false}]}}}", &err);

	(void)state;
	assert_non_null(c);
	assert_int_equal(c->process.args.n, 2);
	assert_null(c->process.args.v[2]);
	assert_int_equal(c->process.uid.u, 7);
	assert_int_equal(c->process.gids.v[1], 2);
	assert_int_equal(c->process.bounding.bits, 1u << 5);
	assert_string_equal(c->process.caps_unknown.v[0], "CAP_NEW"); /* a warning, no error (config.md) */
	assert_true(c->process.rlimits.v[0].soft == UINT64_MAX);
	assert_int_equal(c->resources.v[CTR_SET_MEMORY_LIMIT].i, -1);
	assert_true(c->resources.v[CTR_SET_PIDS_LIMIT].set); /* 0 is a limit */
	/* what is denied stays usable for the default devices alone */
	assert_false(ctr_device_allowed(c->resources.device, c->resources.devices, 'b', 8, 0, CTR_DEV_READ));
	assert_true(ctr_device_allowed(c->resources.device, c->resources.devices, 'c', 1, 3, CTR_DEV_READ));
	ctr_config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),       cmocka_unit_test(test_place),  cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_mount_options), cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
