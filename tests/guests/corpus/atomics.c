/* C11 atomics of every size, alone and between threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

#define KINDS(X) X(u8, uint8_t) X(u16, uint16_t) X(u32, uint32_t) X(u64, uint64_t) X(i32, int32_t) X(i64, int64_t)

#define ALONE(name, type)                                                                          \
	static void name(void)                                                                     \
	{                                                                                          \
		_Atomic type v = 0;                                                                \
		type expect;                                                                       \
		uint64_t sum = 0;                                                                  \
                                                                                                   \
		for (int i = 0; i < 300; i++) {                                                    \
			sum = sum * 7 + (uint64_t)atomic_fetch_add(&v, (type)(i * 12345));         \
			sum = sum * 7 + (uint64_t)atomic_fetch_sub(&v, (type)(i * 77));            \
			sum = sum * 7 + (uint64_t)atomic_fetch_or(&v, (type)(1u << i % 31));       \
			sum = sum * 7 + (uint64_t)atomic_fetch_xor(&v, (type)(i * 3));             \
			sum = sum * 7 + (uint64_t)atomic_fetch_and(&v, (type)~(i & 5));            \
			expect = atomic_load(&v);                                                  \
			sum += atomic_compare_exchange_strong(&v, &expect, (type)(expect + 3));    \
			expect ^= 1;                                                               \
			sum += 2 * (uint64_t)atomic_compare_exchange_strong(&v, &expect, 5);       \
			sum = sum * 7 + (uint64_t)expect;                                          \
			sum = sum * 7 + (uint64_t)atomic_exchange(&v, (type)(v + i));              \
		}                                                                                  \
		printf(#name " %016llx\n", (unsigned long long)(sum + (uint64_t)v));               \
	}
KINDS(ALONE)

static _Atomic uint8_t small[8];
static atomic_long counter, relaxed;
static atomic_flag flag = ATOMIC_FLAG_INIT;
static long guarded;
static _Atomic(struct node *) stack;
struct node { struct node *next; int v; } nodes[4][500];
static atomic_int turn;

static void *run(void *arg)
{
	long n = (long)arg;

	for (int i = 0; i < 5000; i++) {
		atomic_fetch_add(&counter, 1);
		atomic_fetch_add_explicit(&relaxed, n, memory_order_relaxed);
		atomic_fetch_add(&small[i % 8], 1);
		if (i % 10 == 0) {
			while (atomic_flag_test_and_set_explicit(&flag, memory_order_acquire))
				;
			guarded += n + 1;
			atomic_flag_clear_explicit(&flag, memory_order_release);
		}
		if (i < 500) {
			struct node *p = &nodes[n][i];

			p->v = i;
			p->next = atomic_load(&stack);
			while (!atomic_compare_exchange_weak(&stack, &p->next, p))
				;
		}
	}
	return NULL;
}

/* Message passing: what was written before a release is seen after the acquire. */
static long message[2];
static void *ping(void *arg)
{
	int me = (int)(long)arg;

	for (int i = 0; i < 300; i++) {
		while (atomic_load_explicit(&turn, memory_order_acquire) % 2 != me)
			;
		message[me] = message[!me] + 1;
		atomic_store_explicit(&turn, turn + 1, memory_order_release);
	}
	return NULL;
}

int main(void)
{
	pthread_t t[4];
	long sum = 0, count = 0;

#define CALL(name, type) name();
	KINDS(CALL)
	for (long i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, run, (void *)i);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	for (struct node *p = stack; p; p = p->next, count++)
		sum += p->v;
	printf("%ld %ld %ld %ld %ld\n", (long)counter, (long)relaxed, guarded, count, sum);
	for (int i = 0; i < 8; i++)
		printf("%u ", small[i]);
	puts("");
	pthread_create(&t[0], NULL, ping, (void *)0);
	pthread_create(&t[1], NULL, ping, (void *)1);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	printf("%ld %ld %d\n", message[0], message[1], turn);
	return 0;
}
