/* The vocabulary: kinds, units, named values, exit reasons, and events as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/channel.h"
#include "engine/base/event.h"
#include "engine/base/str.h"

static void test_kinds(void **state)
{
	const char *const *names = rs_kind_names();
	(void)state;

	for (unsigned k = 0; k < RS_KIND_COUNT; k++) {
		const struct rs_kind_info *info = rs_kind_info(k);

		assert_string_equal(names[k], info->name);
		assert_non_null(strchr(info->name, '.'));
		assert_int_equal(rs_kind_by_name(info->name), k); /* fails on a second row of a name */
		assert_true(strlen(info->sentence) > 10);
		for (int i = 1; i < 4; i++)
			if (!info->arg[i - 1].name) /* no argument behind the last one */
				assert_null(info->arg[i].name);
	}
	assert_null(names[RS_KIND_COUNT]);
	assert_int_equal(rs_kind_by_name("vm.exits"), -ENOENT);
	assert_int_equal(rs_kind_by_name(""), -ENOENT);
	assert_string_equal(rs_kind_info(RS_KIND_COUNT)->name, "?");
	assert_string_equal(rs_kind_info(~0u)->name, "?");
	assert_true(rs_kind_info(RS_EV_VM_EXIT)->high_rate);
	assert_false(rs_kind_info(RS_EV_VM_END)->high_rate);
	assert_string_equal(rs_kind_info(RS_EV_CPU_RING)->arg[2].name, "via");
	assert_int_equal(rs_kind_info(RS_EV_CPU_RING)->arg[2].unit, RS_UNIT_via);
	/* names that are macros of the C library must have survived the preprocessor */
	assert_string_equal(rs_kind_info(RS_EV_EXP_EXIT)->arg[1].name, "signal");
	assert_int_equal(rs_kind_info(RS_EV_EXP_ERROR)->arg[0].unit, RS_UNIT_errno);
	assert_int_equal(rs_kind_info(RS_EV_EXP_READY)->arg[0].unit, RS_UNIT_bool);
}

static void test_groups_count_from_zero(void **state)
{
	(void)state;
	assert_int_equal(RS_VIA_RESET, 0);
	assert_int_equal(RS_VIA_UNSEEN, 11);
	assert_int_equal(RS_OUT_HALTED, 0);
	assert_int_equal(RS_STREAM_SERIAL, 0);
	assert_int_equal(RS_DIR_OUT, 0);
	assert_int_equal(RS_FD_SYSTEM, 0);
	assert_int_equal(RS_CALL_OPEN, 0);
	assert_int_equal(RS_BLOCK_REGS, 0);
	assert_int_equal(RS_BOOL_YES, 1);
	assert_int_equal(RS_SRC_ENGINE, 0);
}

static void test_unit_names_round_trip(void **state)
{
	unsigned named = 0;
	(void)state;

	for (unsigned u = 0; u < RS_UNIT_COUNT; u++) {
		const char *const *names = rs_unit_value_names(u);
		unsigned n = 0;

		for (; names && names[n]; n++) {
			uint64_t v = ~0ull;

			assert_true(n < 200); /* the list ends */
			assert_int_equal(rs_unit_value(u, names[n], &v), 0);
			assert_string_equal(rs_unit_value_name(u, v), names[n]);
		}
		named += n > 0;
	}
	assert_int_equal(named, 15 + 5);
	assert_null(rs_unit_value_names(RS_UNIT_hex));
	assert_null(rs_unit_value_name(RS_UNIT_hex, 1));
	assert_null(rs_unit_value_name(RS_UNIT_via, 12));
	assert_null(rs_unit_value_name(RS_UNIT_via, ~0ull));
	assert_null(rs_unit_value_names(RS_UNIT_COUNT));
	assert_null(rs_unit_value_name(RS_UNIT_COUNT + 7u, 0));
	uint64_t v;
	assert_int_equal(rs_unit_value(RS_UNIT_via, "SYSCALL", &v), -ENOENT);
	assert_int_equal(rs_unit_value(RS_UNIT_dec, "1", &v), -ENOENT);
}

/* The kernel's own header as the oracle: each KVM_EXIT_<NAME> <number> of its list has our row. */
static void test_exits_agree_with_the_kernel_header(void **state)
{
	/* values of kvm_run's inner fields that share the prefix */
	static const char *const inner[] = { "IO_IN", "IO_OUT", "HYPERV_SYNIC", "HYPERV_HCALL",
					     "HYPERV_SYNDBG", "XEN_HCALL" };
	FILE *f = fopen("/usr/include/linux/kvm.h", "r");
	char line[512], name[64], want[64];
	unsigned number, found = 0;
	(void)state;

	if (!f) {
		puts("skip: the headers of the kernel are not installed");
		skip();
	}
	while (fgets(line, sizeof(line), f)) {
		bool is_inner = false;
		size_t i;

		if (sscanf(line, "#define KVM_EXIT_%63[A-Z0-9_] %u", name, &number) != 2)
			continue;
		for (i = 0; i < sizeof(inner) / sizeof(inner[0]); i++)
			is_inner |= strcmp(name, inner[i]) == 0;
		if (is_inner || strstr(name, "FLAG") || strstr(name, "REASON"))
			continue;
		for (i = 0; name[i]; i++)
			want[i] = name[i] == '_' ? '-' : (char)tolower((unsigned char)name[i]);
		want[i] = '\0';
		if (!rs_exit_info(number))
			fail_msg("no row for KVM_EXIT_%s %u", name, number);
		assert_string_equal(rs_exit_info(number)->name, want);
		assert_int_equal(rs_exit_info(number)->number, number);
		found++;
	}
	fclose(f);
	assert_true(found >= 38);
	/* newer than Debian 12's header (Linux 6.8, 6.16, 6.19, 7.0) */
	assert_string_equal(rs_exit_info(39)->name, "memory-fault");
	assert_string_equal(rs_exit_info(40)->name, "tdx");
	assert_null(rs_exit_info(44));
	assert_null(rs_exit_info(~0u));
	for (unsigned i = 0; i <= 43; i++) {
		assert_non_null(rs_exit_info(i));
		assert_true(strlen(rs_exit_info(i)->sentence) > 20);
		assert_true(strlen(rs_exit_info(i)->handled) > 10);
	}
}

static void test_errno_and_signal_names(void **state)
{
	(void)state;
#ifdef __GLIBC__
	for (int e = 1; e < 134; e++) {
		const char *ours = rs_unit_value_name(RS_UNIT_errno, (uint64_t)e);

		if (ours)
			assert_string_equal(ours, strerrorname_np(e));
	}
	for (int s = 1; s < 32; s++) {
		const char *ours = rs_unit_value_name(RS_UNIT_signal, (uint64_t)s);

		if (s == SIGIO) /* glibc calls it by its other name, SIGPOLL */
			assert_string_equal(ours, "SIGIO");
		else if (ours)
			assert_string_equal(ours + 3, sigabbrev_np(s));
		else
			assert_true(s == 16); /* SIGSTKFLT, which nothing raises */
	}
#endif
	assert_string_equal(rs_unit_value_name(RS_UNIT_errno, (uint64_t)-ENOSPC), "ENOSPC");
}

static void test_unit_format(void **state)
{
	static const struct {
		enum rs_unit unit;
		uint64_t v;
		const char *text;
	} rows[] = {
		{ RS_UNIT_dec, (uint64_t)-1, "-1" },
		{ RS_UNIT_dec, 42, "42" },
		{ RS_UNIT_hex, 0x10040, "0x10040" },
		{ RS_UNIT_hex, ~0ull, "0xffffffffffffffff" },
		{ RS_UNIT_ns, 0, "0 ns" },
		{ RS_UNIT_ns, 999, "999 ns" },
		{ RS_UNIT_ns, 1000, "1.0 us" },
		{ RS_UNIT_ns, 1249, "1.2 us" },
		{ RS_UNIT_ns, 1250, "1.3 us" },
		{ RS_UNIT_ns, 999949, "999.9 us" },
		{ RS_UNIT_ns, 999950, "1.0 ms" },
		{ RS_UNIT_ns, 1999999, "2.0 ms" },
		{ RS_UNIT_ns, 61500000000, "61.5 s" },
		{ RS_UNIT_bytes, 0, "0 B" },
		{ RS_UNIT_bytes, 1500, "1500 B" },
		{ RS_UNIT_bytes, 4096, "4 KiB" },
		{ RS_UNIT_bytes, 4u << 20, "4 MiB" },
		{ RS_UNIT_ms, 20, "20 ms" },
		{ RS_UNIT_vector, 13, "#GP" },
		{ RS_UNIT_vector, 14, "#PF" },
		{ RS_UNIT_vector, 32, "32" },
		{ RS_UNIT_errno, ENOENT, "ENOENT" },
		{ RS_UNIT_errno, 9999, "9999" },
		{ RS_UNIT_signal, SIGKILL, "SIGKILL" },
		{ RS_UNIT_signal, 0, "0" },
		{ RS_UNIT_crossing, 12, "3->0" },
		{ RS_UNIT_exit, 2, "io" },
		{ RS_UNIT_exit, 77, "77" },
		{ RS_UNIT_via, RS_VIA_SYSCALL, "syscall" },
		{ RS_UNIT_via, 99, "99" },
		{ RS_UNIT_bool, 1, "yes" },
		{ RS_UNIT_outcome, RS_OUT_DEBUG_EXIT, "debug-exit" },
	};
	char buf[64];
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(rs_unit_format(rows[i].unit, rows[i].v, buf, sizeof(buf)), rows[i].text);
	assert_string_equal(rs_unit_format(RS_UNIT_hex, 0x10040, buf, 4), "0x1");
	buf[0] = 'x';
	rs_unit_format(RS_UNIT_hex, 1, buf, 0);
	assert_int_equal(buf[0], 'x');
	/* what is printed can be read back: lessons write sizes the same way */
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t v = ((uint64_t)rand() << (rand() % 40)) & ~0ull >> 1, back = 0;

		assert_int_equal(rs_parse_size(rs_unit_format(RS_UNIT_bytes, v, buf, sizeof(buf)), &back), 0);
		assert_int_equal(back, v);
	}
}

static void test_vectors(void **state)
{
	(void)state;
	assert_string_equal(rs_vector_mnemonic(0), "#DE");
	assert_string_equal(rs_vector_mnemonic(6), "#UD");
	assert_string_equal(rs_vector_mnemonic(8), "#DF");
	assert_string_equal(rs_vector_mnemonic(17), "#AC");
	assert_null(rs_vector_mnemonic(9));  /* reserved since the 387 */
	assert_null(rs_vector_mnemonic(15));
	assert_null(rs_vector_mnemonic(128));
}

static void test_event_format(void **state)
{
	struct rs_event ev = { .kind = RS_EV_CPU_RING, .arg = { 3, 0, RS_VIA_INT, 0x10040 } };
	char buf[300];
	(void)state;

	assert_string_equal(rs_event_format(&ev, buf, sizeof(buf)),
			    "cpu.ring from=3 to=0 via=int rip=0x10040");
	ev = (struct rs_event){ .kind = RS_EV_KVM_CALL, .arg = { RS_CALL_RUN, RS_FD_VCPU, (uint64_t)-1, 1500 },
				.text = "a \"b\"\n\x1b[0m虛擬\xff" };
	assert_string_equal(rs_event_format(&ev, buf, sizeof(buf)),
			    "kvm.call call=KVM_RUN fd=vcpu result=-1 time=1.5 us "
			    "\"a \\\"b\\\"\\n\\x1b[0m虛擬\\xff\"");
	/* cut between characters, never inside one */
	for (size_t n = 1; n < 100; n++) {
		rs_event_format(&ev, buf, n);
		assert_true(strlen(buf) < n);
		assert_int_equal(rs_utf8_check(buf, strlen(buf)), -1);
	}
	ev = (struct rs_event){ .kind = RS_EV_OUT_DATA, .arg = { RS_STREAM_SERIAL, 5, 3 }, .text = "a\0b" };
	assert_string_equal(rs_event_format(&ev, buf, sizeof(buf)),
			    "out.data stream=serial offset=5 B len=3 B \"a\\x00b\"");
	ev.arg[2] = ~0ull; /* a lie about the length reads the record, not beyond */
	rs_event_format(&ev, buf, sizeof(buf));
	ev = (struct rs_event){ .kind = RS_EV_EXP_RESUMED };
	assert_string_equal(rs_event_format(&ev, buf, sizeof(buf)), "exp.resumed");
	ev.kind = 9999;
	assert_string_equal(rs_event_format(&ev, buf, sizeof(buf)), "?");
	/* any bytes give one printable line */
	for (unsigned i = 0; i < 20000; i++) {
		for (size_t j = 0; j < sizeof(ev); j++)
			((unsigned char *)&ev)[j] = (unsigned char)rand();
		ev.kind = (uint16_t)(rand() % (RS_KIND_COUNT + 1));
		rs_event_format(&ev, buf, sizeof(buf));
		assert_int_equal(rs_utf8_check(buf, strlen(buf)), -1);
		for (const char *p = buf; *p; p++)
			assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
	}
}

/* What comes from outside is either refused or fit for use. */
static void test_event_check(void **state)
{
	struct rs_event ev = { .kind = RS_EV_OUT_DATA, .arg = { RS_STREAM_SERIAL, 0, 3 }, .text = "abcdef" };
	(void)state;

	assert_true(rs_event_check(&ev));
	assert_memory_equal(ev.text, "abc\0\0\0", 7); /* raw, and nothing behind it */
	for (unsigned i = 0; i < 300000; i++) {
		const struct rs_kind_info *info;

		for (size_t j = 0; j < sizeof(ev); j++)
			((unsigned char *)&ev)[j] = (unsigned char)rand();
		ev.kind = (uint16_t)(rand() % (RS_KIND_COUNT + 2));
		ev.source = (uint16_t)(rand() % 10);
		for (int j = 0; j < 4; j++)
			ev.arg[j] %= (unsigned)rand() % 4 ? 12 : 100;
		if (!rs_event_check(&ev))
			continue;
		info = rs_kind_info(ev.kind);
		assert_true(ev.kind < RS_KIND_COUNT);
		assert_non_null(rs_unit_value_name(RS_UNIT_source, ev.source));
		for (int j = 0; j < 4 && info->arg[j].name; j++)
			if (rs_unit_value_names(info->arg[j].unit) && info->arg[j].unit > RS_UNIT_exit)
				assert_non_null(rs_unit_value_name(info->arg[j].unit, ev.arg[j]));
		if (ev.kind == RS_EV_OUT_DATA || ev.kind == RS_EV_STATE_BLOCK)
			continue;
		assert_int_equal(ev.text[RS_TEXT_SIZE - 1], 0);
		assert_int_equal(rs_utf8_check(ev.text, strlen(ev.text)), -1);
	}
}

static void test_counters(void **state)
{
	unsigned next = 0;
	(void)state;

	for (unsigned i = 0; i < rs_counter_info_count; i++) {
		const struct rs_counter_info *c = &rs_counter_infos[i];

		assert_int_equal(c->first, next); /* the slots follow each other without a gap */
		next += c->len;
		assert_ptr_equal(rs_counter_by_name(c->name), c);
		assert_string_equal(rs_counter_names()[i], c->name);
	}
	assert_int_equal(next, RS_CTR_TOTAL);
	assert_null(rs_counter_names()[rs_counter_info_count]);
	assert_null(rs_counter_by_name("vm.exit"));
	assert_int_equal(RS_CTR_VM_PIO_COUNT, RS_CTR_VM_EXITS + 64);
	/* an exit reason indexes vm.exits, a crossing cpu.crossings */
	assert_true(rs_counter_by_name("vm.exits")->len > 43);
	assert_int_equal(rs_counter_by_name("cpu.crossings")->unit, RS_UNIT_crossing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_groups_count_from_zero),
		cmocka_unit_test(test_unit_names_round_trip),
		cmocka_unit_test(test_exits_agree_with_the_kernel_header),
		cmocka_unit_test(test_errno_and_signal_names),
		cmocka_unit_test(test_unit_format),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_event_format),
		cmocka_unit_test(test_event_check),
		cmocka_unit_test(test_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
