/* qsort, bsearch, hash tables, trees and lists of the C library. */
#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item { int key; char name[12]; double w; };
static uint32_t seed = 7;
static uint32_t rnd(void) { return seed = seed * 1664525 + 1013904223; }
static unsigned compared, visited;
static uint32_t sum;

static int by_key(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	compared++;
	return x->key < y->key ? -1 : x->key > y->key;
}

static int by_name(const void *a, const void *b) { return strcmp(((const struct item *)a)->name, ((const struct item *)b)->name); }
static int by_number(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }

static void visit(const void *node, VISIT when, int depth)
{
	if (when == postorder || when == leaf) {
		sum = sum * 31 + (uint32_t)(*(struct item *const *)node)->key;
		visited++;
	}
	(void)depth;
}

int main(void)
{
	static struct item v[3000];
	static double d[2000];
	void *root = NULL;
	struct item want, *found;
	unsigned hits = 0;

	for (unsigned i = 0; i < 3000; i++) {
		v[i].key = (int)(rnd() >> 8) % 5000 - 2500;
		snprintf(v[i].name, sizeof(v[i].name), "n%u", rnd() >> 12);
		v[i].w = v[i].key / 3.0;
	}
	qsort(v, 3000, sizeof(v[0]), by_name);
	for (unsigned i = 0; i < 3000; i++)
		sum = sum * 31 + (uint32_t)v[i].key + (i && strcmp(v[i - 1].name, v[i].name) > 0);
	printf("%08x %s %s\n", sum, v[0].name, v[2999].name);
	qsort(v, 3000, sizeof(v[0]), by_key);
	for (unsigned i = 1; i < 3000; i++)
		if (v[i - 1].key > v[i].key)
			puts("not sorted");
	for (int k = -2500; k < 2500; k++) {
		want.key = k;
		found = bsearch(&want, v, 3000, sizeof(v[0]), by_key);
		hits += found && found->key == k;
	}
	printf("%u hits\n", hits);
	for (unsigned i = 0; i < 2000; i++)
		d[i] = ((int32_t)rnd()) / 65536.0;
	qsort(d, 2000, sizeof(d[0]), by_number);
	printf("%.4f %.4f %.4f\n", d[0], d[1000], d[1999]);
	for (unsigned i = 0; i < 300; i++)
		tsearch(&v[i * 7], &root, by_key);
	for (unsigned i = 0; i < 300; i += 3)
		tdelete(&v[i * 7], &root, by_key);
	sum = 0;
	twalk(root, visit);
	printf("%u %08x\n", visited, sum);
	hcreate(500);
	for (unsigned i = 0; i < 200; i++)
		hsearch((ENTRY){ v[i].name, &v[i] }, ENTER);
	hits = 0;
	for (unsigned i = 0; i < 400; i++) {
		ENTRY *e = hsearch((ENTRY){ v[i].name, NULL }, FIND);

		hits += e != NULL;
	}
	printf("%u in the table\n", hits);
	return 0;
}
