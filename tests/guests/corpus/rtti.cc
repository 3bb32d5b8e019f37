// Virtual calls, casts over diamonds, type names, member pointers, static initialisation.
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <typeinfo>
#include <vector>

static int counter;
struct Init { int n; Init() : n(++counter) {} };
static Init first, second;
static Init &lazy() { static Init i; return i; }

struct Shape { virtual ~Shape() = default; virtual double area() const = 0; virtual int sides() const { return 0; } };
struct Named { virtual ~Named() = default; virtual const char *name() const { return "?"; } int id = 7; };
struct Square : Shape, Named {
	double a;
	explicit Square(double x) : a(x) {}
	double area() const override { return a * a; }
	int sides() const override { return 4; }
	const char *name() const override { return "square"; }
};
struct Circle : Shape { double r; explicit Circle(double x) : r(x) {} double area() const override { return 3 * r * r; } };
struct A { virtual ~A() {} int a = 1; };
struct B : virtual A { int b = 2; virtual int f() { return b; } };
struct C : virtual A { int c = 3; virtual int f() { return c; } };
struct D final : B, C { int d = 4; int f() override { return a + b + c + d; } };

template <int N> struct Fib { static constexpr long value = Fib<N - 1>::value + Fib<N - 2>::value; };
template <> struct Fib<0> { static constexpr long value = 0; };
template <> struct Fib<1> { static constexpr long value = 1; };

int main()
{
	std::vector<std::unique_ptr<Shape>> v;
	double sum = 0;
	int named = 0;

	for (int i = 0; i < 100; i++) {
		if (i % 3)
			v.push_back(std::make_unique<Square>(i));
		else
			v.push_back(std::make_unique<Circle>(i));
	}
	for (auto &s : v) {
		sum += s->area() + s->sides();
		if (auto *n = dynamic_cast<Named *>(s.get()))
			named += n->id + n->name()[0];
	}
	std::printf("%.1f %d\n", sum, named);
	D d;
	B *b = &d;
	C *c = dynamic_cast<C *>(b);
	A *a = c;
	std::printf("%d %d %d %d\n", b->f(), c->f(), a->a, dynamic_cast<D *>(a) == &d);
	std::printf("%s %s %d\n", typeid(*a).name(), typeid(*v[0]).name(), typeid(*b) == typeid(D));
	try {
		std::printf("%d\n", dynamic_cast<Square &>(*v[0]).id);
	} catch (const std::bad_cast &) {
		std::printf("bad cast\n");
	}
	int (B::*pf)() = &B::f;
	int D::*pm = &D::d;
	std::printf("%d %d\n", (d.*pf)(), d.*pm);
	std::function<long(long)> fact = [&](long n) -> long { return n < 2 ? 1 : n * fact(n - 1); };
	std::map<int, std::function<int(int)>> table;
	for (int i = 0; i < 10; i++)
		table[i] = [i](int x) { return x * i + i; };
	int r = 0;
	for (auto &[k, f] : table)
		r = r * 3 + f(k);
	std::printf("%ld %d %ld\n", fact(15), r, Fib<50>::value);
	std::printf("%d %d %d %d\n", first.n, second.n, lazy().n, lazy().n);
	return counter;
}
