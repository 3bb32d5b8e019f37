/* The counters, made from counters.def. */
#include "engine/base/channel.h"

const struct rs_counter_info rs_counter_infos[] = {
#define RS_COUNTER(id, name, len, unit, sentence)                                                  \
	{ name, RS_CTR_##id, len, RS_UNIT_##unit, sentence },
#include "engine/base/counters.def"
};
const unsigned rs_counter_info_count = sizeof(rs_counter_infos) / sizeof(rs_counter_infos[0]);

const struct rs_counter_info *rs_counter_by_name(const char *name)
{
	for (unsigned i = 0; i < rs_counter_info_count; i++)
		if (strcmp(rs_counter_infos[i].name, name) == 0)
			return &rs_counter_infos[i];
	return NULL;
}

const char *const *rs_counter_names(void)
{
	static const char *const names[] = {
#define RS_COUNTER(id, name, len, unit, sentence) name,
#include "engine/base/counters.def"
		NULL,
	};

	return names;
}
