// Threads of the C++ library: locks, conditions, futures, thread_local objects, atomics of classes.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <future>
#include <mutex>
#include <numeric>
#include <queue>
#include <shared_mutex>
#include <thread>
#include <vector>

static std::atomic<int> made, gone;
struct Local {
	int n = 0;
	Local() { made++; }
	~Local() { gone++; }
};
static thread_local Local local;

struct Pair { long a, b; };
static std::atomic<Pair> pair;

class Channel {
	std::mutex m;
	std::condition_variable c;
	std::queue<int> q;
public:
	void put(int v)
	{
		std::lock_guard<std::mutex> g(m);
		q.push(v);
		c.notify_one();
	}
	int get()
	{
		std::unique_lock<std::mutex> g(m);
		c.wait(g, [this] { return !q.empty(); });
		int v = q.front();
		q.pop();
		return v;
	}
};

static long parallel(const std::vector<long> &v, size_t from, size_t to, int depth)
{
	if (depth == 0)
		return std::accumulate(v.begin() + static_cast<long>(from), v.begin() + static_cast<long>(to), 0L);
	size_t mid = (from + to) / 2;
	auto left = std::async(std::launch::async, parallel, std::cref(v), from, mid, depth - 1);
	long right = parallel(v, mid, to, depth - 1);
	return left.get() + right;
}

int main()
{
	std::vector<std::thread> t;
	std::shared_mutex rw;
	std::timed_mutex tm;
	std::once_flag once;
	Channel a, b;
	long value = 0;
	std::atomic<long> seen{0};
	int calls = 0;

	for (int i = 0; i < 6; i++)
		t.emplace_back([&, i] {
			for (int k = 0; k < 100; k++) {
				local.n += i;
				std::call_once(once, [&] { calls++; });
				Pair p = pair.load(), q;
				do
					q = { p.a + 1, p.b + i };
				while (!pair.compare_exchange_weak(p, q));
				if (i % 2) {
					std::unique_lock g(rw);
					value++;
				} else {
					std::shared_lock g(rw);
					seen += value >= 0;
				}
			}
		});
	for (auto &x : t)
		x.join();
	Pair p = pair;
	std::printf("%ld %ld %ld %ld %d; %d %d\n", p.a, p.b, value, seen.load(), calls, made.load(), gone.load());
	std::thread echo([&] {
		for (int v; (v = a.get()) >= 0;)
			b.put(v * 2);
	});
	long sum = 0;
	for (int i = 0; i < 300; i++) {
		a.put(i);
		sum += b.get();
	}
	a.put(-1);
	echo.join();
	std::printf("%ld\n", sum);
	std::vector<long> v(20000);
	std::iota(v.begin(), v.end(), 1);
	std::printf("%ld\n", parallel(v, 0, v.size(), 3));
	std::promise<int> promise;
	auto future = promise.get_future();
	std::thread giver([&] { promise.set_value(99); });
	std::printf("%d\n", future.get());
	giver.join();
	tm.lock();
	std::thread late([&] { std::printf("%d\n", tm.try_lock_for(std::chrono::milliseconds(5))); });
	late.join();
	return 0;
}
