// Exceptions: through frames with destructors, threads, function tables, and out of signal handlers.
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <future>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static int alive;
static unsigned order;

struct Guard {
	int n;
	explicit Guard(int k) : n(k) { alive++; }
	Guard(const Guard &o) : n(o.n) { alive++; }
	~Guard() { alive--; order = order * 7 + static_cast<unsigned>(n); }
};

struct Base { virtual ~Base() {} virtual const char *name() const { return "base"; } };
struct Middle : virtual Base { const char *name() const override { return "middle"; } };
struct Other : virtual Base { long pad[3] = { 1, 2, 3 }; };
struct Most : Middle, Other { std::string s = "most derived"; const char *name() const override { return s.c_str(); } };

__attribute__((noinline)) static int deep(int n, int what)
{
	Guard g(n % 5);
	std::vector<int> v(static_cast<size_t>(n), n);

	if (n == 0) {
		switch (what) {
		case 0: throw 42;
		case 1: throw std::runtime_error("a sentence");
		case 2: throw Most();
		case 3: throw std::string("text");
		case 4: return static_cast<int>(v.at(100));
		case 5: throw 2.5;
		}
	}
	return deep(n - 1, what) + v[0];
}

static std::string tried(int what)
{
	try {
		return std::to_string(deep(40, what));
	} catch (int i) {
		return "int " + std::to_string(i);
	} catch (const Other &o) {
		return std::string("other ") + o.name() + std::to_string(o.pad[2]);
	} catch (const std::out_of_range &) {
		return "out of range";
	} catch (const std::exception &e) {
		return std::string("exception ") + e.what();
	} catch (const std::string &s) {
		return "string " + s;
	} catch (...) {
		return "something";
	}
}

static void rethrow(int n)
{
	try {
		if (n == 0)
			throw std::logic_error("inner");
		rethrow(n - 1);
	} catch (const std::logic_error &) {
		Guard g(n);

		if (n % 2)
			std::throw_with_nested(std::runtime_error("level " + std::to_string(n)));
		throw;
	} catch (const std::runtime_error &e) {
		if (n == 6)
			throw;
		throw std::logic_error(std::string(e.what()) + "+");
	}
}

// A fault becomes an exception (-fnon-call-exceptions): the unwinder goes through the frame of the signal.
static void on_fault(int sig, siginfo_t *, void *)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, nullptr);
	throw std::runtime_error(sig == SIGSEGV ? "fault" : "other signal");
}

__attribute__((noinline)) static int touch(volatile int *p)
{
	Guard g(3);

	return *p;
}

int main()
{
	struct sigaction sa;
	int sum = 0;

	for (int i = 0; i < 6; i++) {
		std::string s = tried(i);

		std::printf("%s; alive %d order %u\n", s.c_str(), alive, order);
	}
	try {
		rethrow(7);
	} catch (const std::exception &e) {
		std::printf("%s\n", e.what());
	}
	for (int i = 0; i < 500; i++) {
		try {
			deep(i % 7, i % 6);
		} catch (...) {
			sum += i;
		}
	}
	std::printf("%d %d\n", sum, alive);

	std::vector<std::thread> threads;
	std::vector<std::exception_ptr> caught(4);
	for (int t = 0; t < 4; t++)
		threads.emplace_back([t, &caught] {
			for (int i = 0; i < 100; i++) {
				try {
					throw std::runtime_error("thread " + std::to_string(t));
				} catch (...) {
					caught[static_cast<size_t>(t)] = std::current_exception();
				}
			}
		});
	for (auto &t : threads)
		t.join();
	for (auto &p : caught) {
		try {
			std::rethrow_exception(p);
		} catch (const std::exception &e) {
			std::printf("%s\n", e.what());
		}
	}
	auto f = std::async(std::launch::async, []() -> int { throw std::out_of_range("from afar"); });
	try {
		f.get();
	} catch (const std::out_of_range &e) {
		std::printf("%s\n", e.what());
	}

	std::memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = on_fault;
	sa.sa_flags = SA_SIGINFO;
	sigaction(SIGSEGV, &sa, nullptr);
	for (int i = 0; i < 3; i++) {
		try {
			sum += touch(reinterpret_cast<int *>(8 * i));
		} catch (const std::runtime_error &e) {
			std::printf("%s; alive %d\n", e.what(), alive);
		}
	}
	try {
		std::printf("%p\n", static_cast<void *>(new char[static_cast<size_t>(-1) / 4]));
	} catch (const std::bad_alloc &) {
		std::printf("no memory\n");
	}
	std::set_terminate([] { std::printf("terminated\n"); std::fflush(stdout); std::_Exit(3); });
	throw 1;
}
