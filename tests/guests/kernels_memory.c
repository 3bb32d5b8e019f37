/* Kernels on data structures: lists, trees, tables, compressed and parsed text. */
#include "kernels.h"

/* libc's qsort with a callback */
static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}
static uint64_t k_qsort(unsigned n)
{
	static uint32_t a[20000];
	uint64_t sum = 0;

	for (unsigned r = 0; r < n; r++) {
		for (unsigned i = 0; i < 20000; i++)
			a[i] = (uint32_t)rnd();
		qsort(a, 20000, sizeof(a[0]), by_value);
		sum += a[r % 20000];
	}
	return sum;
}

/* a hash table with linear probing */
static uint64_t k_table(unsigned n)
{
	static struct { uint64_t key, value; } slot[1u << 14];
	uint64_t sum = 0;

	memset(slot, 0, sizeof(slot));
	for (unsigned i = 0; i < n * 200000u; i++) {
		uint64_t key = rnd() % 10000 + 1;
		unsigned at = (unsigned)(key * 0x9e3779b97f4a7c15ull >> 50);

		while (slot[at].key && slot[at].key != key)
			at = (at + 1) & ((1u << 14) - 1);
		slot[at].key = key;
		sum += slot[at].value++;
	}
	return sum;
}

/* a linked list: sorted by merging */
struct node {
	struct node *next;
	uint32_t value;
};
static struct node *merge(struct node *a, struct node *b)
{
	struct node *head = NULL, **at = &head;

	while (a && b) {
		struct node **less = a->value <= b->value ? &a : &b;

		*at = *less;
		at = &(*at)->next;
		*less = (*less)->next;
	}
	*at = a ? a : b;
	return head;
}
static struct node *NOINLINE merge_sort(struct node *list)
{
	struct node *slow = list, *fast, *half;

	if (!list || !list->next)
		return list;
	for (fast = list->next; fast && fast->next; fast = fast->next->next)
		slow = slow->next;
	half = slow->next;
	slow->next = NULL;
	return merge(merge_sort(list), merge_sort(half));
}
static uint64_t k_list(unsigned n)
{
	static struct node node[10000];
	uint64_t sum = 0;

	for (unsigned r = 0; r < n; r++) {
		struct node *list = NULL;
		unsigned i = 0;

		for (i = 0; i < 10000; i++) {
			node[i].value = (uint32_t)rnd();
			node[i].next = list;
			list = &node[i];
		}
		for (list = merge_sort(list), i = 1; list; list = list->next)
			sum += list->value * (uint64_t)i++;
	}
	return sum;
}

/* binary trees from malloc, and back */
struct tree {
	struct tree *left, *right;
	uint64_t key;
};
static void NOINLINE tree_free(struct tree *t)
{
	if (!t)
		return;
	tree_free(t->left);
	tree_free(t->right);
	free(t);
}
static uint64_t NOINLINE tree_sum(const struct tree *t, unsigned depth)
{
	return t ? t->key * depth + tree_sum(t->left, depth + 1) + tree_sum(t->right, depth + 1) : 0;
}
static uint64_t k_tree(unsigned n)
{
	uint64_t sum = 0;

	for (unsigned r = 0; r < n * 4; r++) {
		struct tree *root = NULL;

		for (unsigned i = 0; i < 3000; i++) {
			uint64_t key = rnd();
			struct tree **at = &root;

			while (*at)
				at = key < (*at)->key ? &(*at)->left : &(*at)->right;
			*at = calloc(1, sizeof(**at));
			if (!*at)
				return 0;
			(*at)->key = key;
		}
		sum += tree_sum(root, 1);
		tree_free(root);
	}
	return sum;
}

/* a compressor: the longest match through a table of hashes, and the way back */
static size_t compress(const uint8_t *in, size_t len, uint8_t *out)
{
	static uint32_t head[4096];
	size_t o = 0, i = 0;

	memset(head, 0, sizeof(head));
	while (i + 4 < len) {
		uint32_t h = ((uint32_t)in[i] * 506832829u ^ (uint32_t)in[i + 1] * 2654435761u ^ in[i + 2] * 40503u) >> 20;
		size_t at = head[h], match = 0;

		head[h] = (uint32_t)i + 1;
		while (at && i + match < len && match < 130 && i + 1 - at < 65536 && in[at - 1 + match] == in[i + match])
			match++;
		if (match < 4) {
			out[o++] = 0;
			out[o++] = in[i++];
			continue;
		}
		out[o++] = (uint8_t)(match - 3);
		out[o++] = (uint8_t)(i + 1 - at);
		out[o++] = (uint8_t)((i + 1 - at) >> 8);
		i += match;
	}
	while (i < len) {
		out[o++] = 0;
		out[o++] = in[i++];
	}
	return o;
}
static size_t expand(const uint8_t *in, size_t len, uint8_t *out)
{
	size_t o = 0;

	for (size_t i = 0; i < len;) {
		if (in[i] == 0) {
			out[o++] = in[i + 1];
			i += 2;
			continue;
		}
		for (size_t k = in[i] + 3u, d = in[i + 1] | (size_t)in[i + 2] << 8; k > 0; k--, o++)
			out[o] = out[o - d];
		i += 3;
	}
	return o;
}
static uint64_t k_lz(unsigned n)
{
	static uint8_t text[32768], packed[65536 + 16], back[32768];
	static const char *const words[] = { "the ", "guest ", "runs ", "block ", "host ", "of ", "code ", "and ", "cache ",
					     "is ", "fast\n", "a " };
	uint64_t sum = 0;
	size_t len = 0;

	while (len < sizeof(text) - 16) {
		const char *w = words[rnd() % 12];

		memcpy(text + len, w, strlen(w));
		len += strlen(w);
	}
	for (unsigned r = 0; r < n * 4; r++) {
		size_t size;

		text[rnd() % len]++;
		size = compress(text, len, packed);
		sum = sum * 31 + size + (expand(packed, size, back) == len && !memcmp(text, back, len));
	}
	return sum;
}

/* regular expressions: an automaton run with sets of states */
struct state {
	int c;          /* a character, 256 any, 257 split, 258 match */
	int out, out2;
};
static void add_state(const struct state *s, int at, uint8_t *set, uint8_t *list, unsigned *n)
{
	if (set[at])
		return;
	set[at] = 1;
	if (s[at].c == 257) {
		add_state(s, s[at].out, set, list, n);
		add_state(s, s[at].out2, set, list, n);
		return;
	}
	list[(*n)++] = (uint8_t)at;
}
static uint64_t k_regex(unsigned n)
{
	/* (a|b)*.c(ab)* */
	static const struct state s[] = {
		{ 257, 1, 4 }, { 257, 2, 3 }, { 'a', 0, 0 }, { 'b', 0, 0 }, { 256, 5, 0 }, { 'c', 6, 0 },
		{ 257, 7, 9 }, { 'a', 8, 0 }, { 'b', 6, 0 }, { 258, 0, 0 },
	};
	char text[256];
	uint64_t sum = 0;

	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = "aabbabcabab"[rnd() % 11];
	for (unsigned r = 0; r < n * 300; r++) {
		uint8_t list[2][16], set[16] = { 0 };
		unsigned count[2] = { 0, 0 }, now = 0;

		text[r & 255] = "abc"[r % 3];
		add_state(s, 0, set, list[0], &count[0]);
		for (unsigned i = 0; i < sizeof(text) && count[now]; i++) {
			count[!now] = 0;
			memset(set, 0, sizeof(set));
			add_state(s, 0, set, list[!now], &count[!now]); /* a match may begin anywhere */
			for (unsigned k = 0; k < count[now]; k++) {
				const struct state *at = &s[list[now][k]];

				if (at->c == 258)
					sum += i;
				else if (at->c == 256 || at->c == text[i])
					add_state(s, at->out, set, list[!now], &count[!now]);
			}
			now = !now;
		}
	}
	return sum;
}

/* a tokenizer of JSON with numbers, strings and depth */
static uint64_t k_json(unsigned n)
{
	static const char piece[] = "{\"name\": \"block\", \"runs\": [1, 22, 333, -4.5e3], \"ok\": true, \"next\": null},\n";
	static char text[8192];
	uint64_t sum = 0;
	size_t len = 0;

	while (len + sizeof(piece) < sizeof(text)) {
		memcpy(text + len, piece, sizeof(piece) - 1);
		len += sizeof(piece) - 1;
	}
	for (unsigned r = 0; r < n * 50; r++) {
		unsigned depth = 0, kind[8] = { 0 };

		for (const char *p = text; *p;) {
			switch (*p) {
			case '{': case '[': depth++; p++; break;
			case '}': case ']': depth--; p++; break;
			case ' ': case ',': case ':': case '\n': p++; break;
			case '"':
				for (p++; *p && *p != '"'; p++)
					sum += *p == '\\' ? *++p : *p;
				p += *p == '"';
				kind[0]++;
				break;
			case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8':
			case '9': {
				uint64_t v = 0;

				while ((*p >= '0' && *p <= '9') || *p == '-' || *p == '.' || *p == 'e') {
					if (*p >= '0' && *p <= '9')
						v = v * 10 + (uint64_t)(*p - '0');
					p++;
				}
				sum += v;
				kind[1]++;
				break;
			}
			default:
				kind[*p == 't' ? 2 : *p == 'f' ? 3 : 4]++;
				while (*p >= 'a' && *p <= 'z')
					p++;
				break;
			}
		}
		sum = sum * 31 + depth + kind[0] * 3 + kind[1] * 5 + kind[2] + kind[4];
	}
	return sum;
}

/* memory that is copied, filled and compared in pieces of all sizes */
static uint64_t k_copy(unsigned n)
{
	static uint8_t a[16384], b[16384];
	uint64_t sum = 0;

	for (unsigned i = 0; i < sizeof(a); i++)
		a[i] = (uint8_t)rnd();
	for (unsigned r = 0; r < n * 20000u; r++) {
		size_t len = r * 37 % 700, from = r * 61 % 15000, to = r * 13 % 15000;

		memcpy(b + to, a + from, len);
		sum += (unsigned)(memcmp(b + to, a + from, len) == 0);
		memset(b + from, (int)r, len / 2);
		memmove(a + to, a + to + 3, len);
		sum = sum * 31 + a[to] + b[from];
	}
	return sum;
}

const struct kernel kernels_memory[] = {
	{ "qsort", "20", k_qsort }, { "table", "40", k_table }, { "list", "40", k_list }, { "tree", "30", k_tree },
	{ "lz", "60", k_lz }, { "regex", "20", k_regex }, { "json", "60", k_json }, { "copy", "40", k_copy },
	{ NULL, NULL, NULL },
};
