/* Private to engine/base: the memory that a channel's two sides share.
 *
 * The ring is Vyukov's bounded queue with one consumer. Position p (0, 1, 2, ... for the whole run)
 * lives in slot p % slots, and the first word of the slot says whose turn it is:
 *     seq == p          free: a producer may claim position p
 *     seq == p + 1      committed: the consumer may take it; it is the event's number, too
 *     seq == p + slots  taken: free for the position one lap later
 * A producer claims by moving `tail`, fills the record, then stores seq with release order. The
 * consumer keeps its own position in its own memory.
 *
 * Waking a sleeper, either way, is the same handshake: the sleeper announces itself, then looks
 * once more; the other side makes its change visible, then looks for an announcement. A full
 * fence between the two steps on each side makes it impossible that both miss each other. Events
 * are many and sleeps are few, so where the kernel offers it the consumer pays for both fences
 * when it goes to sleep: membarrier(2) makes each producer's thread execute one.
 */
#ifndef RS_BASE_SHM_H
#define RS_BASE_SHM_H

#include "engine/base/channel.h"

#define RS_SHM_MAGIC 0x31676e72u /* "rng1" */
#define RS_CACHE_LINE 64

/* How a producer stamps events; the consumer turns stamps into ns (clock.h). */
enum rs_stamp { RS_STAMP_MONOTONIC, RS_STAMP_TSC };

struct rs_slot {
	_Atomic uint64_t seq;
	uint64_t time;
	uint16_t kind;
	uint16_t source;
	uint32_t actor;
	uint64_t arg[4];
	char text[RS_TEXT_SIZE];
};
_Static_assert(sizeof(struct rs_slot) == sizeof(struct rs_event), "a slot holds one event");
_Static_assert(offsetof(struct rs_slot, text) == offsetof(struct rs_event, text), "in its layout");

struct rs_channel_shm {
	/* written once, by the consumer, before a producer exists */
	_Alignas(RS_CACHE_LINE) uint32_t magic;
	uint32_t slots;        /* a power of two */
	uint32_t block;        /* enum rs_full */
	uint32_t stamp;        /* enum rs_stamp */
	_Atomic uint32_t fence;  /* producers fence for themselves: no membarrier here, or not theirs */
	/* written by the consumer */
	_Alignas(RS_CACHE_LINE) _Atomic uint64_t wanted[4];
	_Atomic uint32_t sleeping;   /* the consumer will poll; whoever takes it to 0 wakes */
	/* written by producers */
	_Alignas(RS_CACHE_LINE) _Atomic uint64_t tail;
	_Alignas(RS_CACHE_LINE) _Atomic uint32_t waiters;  /* producers that wait for space */
	_Atomic uint32_t space;      /* futex: changed by the consumer when it made space */
	_Alignas(RS_CACHE_LINE) _Atomic uint64_t counters[RS_CTR_TOTAL];
	_Alignas(RS_CACHE_LINE) struct rs_slot slot[];
};

static inline size_t rs_shm_size(uint32_t slots)
{
	return sizeof(struct rs_channel_shm) + (size_t)slots * sizeof(struct rs_slot);
}

#endif
