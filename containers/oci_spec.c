/* spec: a config.json to begin with. features: what this runtime knows (features.md). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "containers/oci.h"
#include "containers/run.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

/* ---- spec ---- */

/* @C capabilities, @N the network and user namespaces, @S the mounts of /sys, @U the ids */
static const char example[] =
	"{\n"
	"\t\"ociVersion\": \"1.2.0\",\n"
	"\t\"process\": {\n"
	"\t\t\"terminal\": true,\n"
	"\t\t\"user\": { \"uid\": 0, \"gid\": 0 },\n"
	"\t\t\"args\": [ \"sh\" ],\n"
	"\t\t\"env\": [\n"
	"\t\t\t\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\n"
	"\t\t\t\"TERM=xterm\"\n"
	"\t\t],\n"
	"\t\t\"cwd\": \"/\",\n"
	"\t\t\"capabilities\": {\n"
	"\t\t\t\"bounding\": [ @C ],\n"
	"\t\t\t\"effective\": [ @C ],\n"
	"\t\t\t\"permitted\": [ @C ]\n"
	"\t\t},\n"
	"\t\t\"rlimits\": [ { \"type\": \"RLIMIT_NOFILE\", \"hard\": 1024, \"soft\": 1024 } ],\n"
	"\t\t\"noNewPrivileges\": true\n"
	"\t},\n"
	"\t\"root\": { \"path\": \"rootfs\", \"readonly\": true },\n"
	"\t\"hostname\": \"ringside\",\n"
	"\t\"mounts\": [\n"
	"\t\t{ \"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\" },\n"
	"\t\t{ \"destination\": \"/dev\", \"type\": \"tmpfs\", \"source\": \"tmpfs\",\n"
	"\t\t  \"options\": [ \"nosuid\", \"strictatime\", \"mode=755\", \"size=65536k\" ] },\n"
	"\t\t{ \"destination\": \"/dev/pts\", \"type\": \"devpts\", \"source\": \"devpts\",\n"
	"\t\t  \"options\": [ \"nosuid\", \"noexec\", \"newinstance\", \"ptmxmode=0666\", \"mode=0620\"@G ] },\n"
	"\t\t{ \"destination\": \"/dev/shm\", \"type\": \"tmpfs\", \"source\": \"shm\",\n"
	"\t\t  \"options\": [ \"nosuid\", \"noexec\", \"nodev\", \"mode=1777\", \"size=65536k\" ] },\n"
	"\t\t{ \"destination\": \"/dev/mqueue\", \"type\": \"mqueue\", \"source\": \"mqueue\",\n"
	"\t\t  \"options\": [ \"nosuid\", \"noexec\", \"nodev\" ] },\n"
	"@S"
	"\t],\n"
	"\t\"linux\": {\n"
	"@R"
	"\t\t\"namespaces\": [\n"
	"@N"
	"\t\t\t{ \"type\": \"pid\" }, { \"type\": \"ipc\" }, { \"type\": \"uts\" }, { \"type\": \"mount\" }, { \"type\": \"cgroup\" }\n"
	"\t\t],\n"
	"\t\t\"maskedPaths\": [\n"
	"\t\t\t\"/proc/acpi\", \"/proc/asound\", \"/proc/interrupts\", \"/proc/kcore\", \"/proc/keys\", \"/proc/latency_stats\",\n"
	"\t\t\t\"/proc/timer_list\", \"/proc/timer_stats\", \"/proc/sched_debug\", \"/sys/firmware\", \"/proc/scsi\"\n"
	"\t\t],\n"
	"\t\t\"readonlyPaths\": [ \"/proc/bus\", \"/proc/fs\", \"/proc/irq\", \"/proc/sys\", \"/proc/sysrq-trigger\" ]\n"
	"\t}\n"
	"}\n";

static void expand(struct rs_str *out, bool rootless)
{
	const char *s = example, *at;

	for (; (at = strchr(s, '@')); s = at + 2) {
		rs_str_addn(out, s, (size_t)(at - s));
		switch (at[1]) {
		case 'C':
			rs_str_add(out, "\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"");
			break;
		case 'G':
			rs_str_add(out, rootless ? "" : ", \"gid=5\"");
			break;
		case 'S':
			rs_str_add(out, rootless ?
				"\t\t{ \"destination\": \"/sys\", \"type\": \"none\", \"source\": \"/sys\",\n"
				"\t\t  \"options\": [ \"rbind\", \"nosuid\", \"noexec\", \"nodev\", \"ro\" ] }\n" :
				"\t\t{ \"destination\": \"/sys\", \"type\": \"sysfs\", \"source\": \"sysfs\",\n"
				"\t\t  \"options\": [ \"nosuid\", \"noexec\", \"nodev\", \"ro\" ] },\n"
				"\t\t{ \"destination\": \"/sys/fs/cgroup\", \"type\": \"cgroup\", \"source\": \"cgroup\",\n"
				"\t\t  \"options\": [ \"nosuid\", \"noexec\", \"nodev\", \"relatime\", \"ro\" ] }\n");
			break;
		case 'R':
			if (rootless)
				rs_str_addf(out, "\t\t\"uidMappings\": [ { \"containerID\": 0, \"hostID\": %u, \"size\": 1 } ],\n"
						 "\t\t\"gidMappings\": [ { \"containerID\": 0, \"hostID\": %u, \"size\": 1 } ],\n",
					    (unsigned)geteuid(), (unsigned)getegid());
			else
				rs_str_add(out, "\t\t\"resources\": { \"devices\": [ { \"allow\": false, \"access\": \"rwm\" } ] },\n");
			break;
		case 'N':
			rs_str_add(out, rootless ? "\t\t\t{ \"type\": \"user\" },\n" : "\t\t\t{ \"type\": \"network\" },\n");
			break;
		}
	}
	rs_str_add(out, s);
}

static int run_spec(struct oci *o)
{
	const char *bundle = oci_get(o, "bundle");
	rs_auto_free char *path = rs_xasprintf("%s/config.json", bundle ? bundle : ".");
	rs_auto_str text = RS_STR_INIT;
	rs_auto_close int fd = -1;

	expand(&text, oci_get(o, "rootless") != NULL);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EEXIST)
		rs_err_set(&o->err, -EEXIST, "there is a file %s already; it stays as it is", path);
	else if (fd < 0 || write(fd, text.p, text.len) != (ssize_t)text.len)
		rs_err_errno(&o->err, errno, "%s cannot be written", path);
	return o->err.code ? oci_fail(o, 1) : 0;
}

static const struct oci_opt spec_opts[] = {
	{ 'b', "bundle", "DIR", N_("folder to write it to; the current one when left out") },
	{ 0, "rootless", NULL, N_("for a user without privileges: a user namespace with this user as root") },
	{ 0, NULL, NULL, NULL },
};
const struct oci_verb oci_spec = {
	.name = "spec", .args = "", .opts = spec_opts, .brief = N_("write a config.json to begin with"), .run = run_spec,
};

/* ---- features ---- */

static struct json_object *words(const struct ctr_word *list)
{
	struct json_object *a = json_object_new_array();

	for (; list->word; list++)
		json_object_array_add(a, json_object_new_string(list->word));
	return a;
}

static struct json_object *enabled(bool yes)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "enabled", json_object_new_boolean(yes));
	return o;
}

static int run_features(struct oci *o)
{
	struct json_object *f = json_object_new_object(), *lin = json_object_new_object(), *opts = json_object_new_array(), *x;

	(void)o;
	json_object_object_add(f, "ociVersionMin", json_object_new_string("1.0.0"));
	json_object_object_add(f, "ociVersionMax", json_object_new_string("1.2.0"));
	json_object_object_add(f, "hooks", words(ctr_words_hook));
	for (const struct ctr_mount_opt *m = ctr_mount_opts; m->word; m++)
		json_object_array_add(opts, json_object_new_string(m->word));
	json_object_object_add(f, "mountOptions", opts);
	json_object_object_add(lin, "namespaces", words(ctr_words_ns));
	json_object_object_add(lin, "capabilities", words(ctr_words_cap));
	x = json_object_new_object();
	json_object_object_add(x, "v1", json_object_new_boolean(true));
	json_object_object_add(x, "v2", json_object_new_boolean(true));
	json_object_object_add(x, "systemd", json_object_new_boolean(false));
	json_object_object_add(x, "systemdUser", json_object_new_boolean(false));
	json_object_object_add(x, "rdma", json_object_new_boolean(true));
	json_object_object_add(lin, "cgroup", x);
	x = enabled(true);
	json_object_object_add(x, "actions", words(ctr_words_seccomp_action));
	json_object_object_add(x, "operators", words(ctr_words_seccomp_op));
	json_object_object_add(x, "archs", words(ctr_words_seccomp_arch));
	json_object_object_add(x, "knownFlags", words(ctr_words_seccomp_flag));
	json_object_object_add(x, "supportedFlags", words(ctr_words_seccomp_flag));
	json_object_object_add(lin, "seccomp", x);
	json_object_object_add(lin, "apparmor", enabled(true));
	json_object_object_add(lin, "selinux", enabled(true));
	json_object_object_add(lin, "intelRdt", enabled(false));
	x = json_object_new_object();
	json_object_object_add(x, "idmap", enabled(true));
	json_object_object_add(lin, "mountExtensions", x);
	json_object_object_add(lin, "netDevices", enabled(false));
	json_object_object_add(f, "linux", lin);
	printf("%s\n", json_object_to_json_string_ext(f, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(f);
	return 0;
}

const struct oci_verb oci_features = {
	.name = "features", .args = "", .brief = N_("print what this runtime knows, as JSON"), .run = run_features,
};
