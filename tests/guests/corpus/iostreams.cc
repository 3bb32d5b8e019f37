// Streams, strings, containers, algorithms, regular expressions, random numbers.
#include <algorithm>
#include <array>
#include <bitset>
#include <chrono>
#include <complex>
#include <deque>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <list>
#include <map>
#include <numeric>
#include <queue>
#include <random>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <valarray>
#include <vector>
#include <cstdio>
#include <unistd.h>

int main()
{
	std::ostringstream o;
	std::mt19937_64 gen(42);
	std::vector<int> v(1000);
	std::map<std::string, int> words;
	std::unordered_map<int, int> counts;
	std::priority_queue<int> heap;
	std::istringstream in("12 3.5 word 0x1f true");
	std::string word;
	int i;
	double d;
	bool t;

	std::cout << std::setw(8) << std::setfill('*') << 42 << ' ' << std::hex << std::showbase << 255 << std::dec << ' '
		  << std::setprecision(10) << 3.14159265358979 << ' ' << std::scientific << 12345.678 << ' ' << std::fixed
		  << std::setprecision(2) << 2.0 / 3 << ' ' << std::boolalpha << true << '\n';
	in >> i >> d >> word >> std::hex >> t;
	std::cout << i << ' ' << d << ' ' << word << ' ' << in.fail() << '\n';
	std::generate(v.begin(), v.end(), [&] { return static_cast<int>(gen() % 500); });
	for (int x : v)
		counts[x]++, heap.push(x);
	std::sort(v.begin(), v.end());
	v.erase(std::unique(v.begin(), v.end()), v.end());
	std::cout << v.size() << ' ' << v.front() << ' ' << v.back() << ' ' << std::accumulate(v.begin(), v.end(), 0L) << ' '
		  << heap.top() << ' ' << counts.size() << ' ' << counts[v[10]] << '\n';
	for (const char *s : { "the", "quick", "the", "lazy", "dog", "the" })
		words[s]++;
	for (auto &[k, n] : words)
		o << k << '=' << n << ';';
	std::cout << o.str() << '\n';
	std::regex re("([a-z]+)=(\\d)");
	std::string text = o.str();
	for (std::sregex_iterator m(text.begin(), text.end(), re), end; m != end; ++m)
		std::cout << (*m)[2] << (*m)[1] << ' ';
	std::cout << '\n' << std::regex_replace(text, re, "$2:$1") << '\n';
	std::complex<double> z(1, 2);
	std::valarray<double> va = { 1, 4, 9, 16 };
	std::cout << z * z << ' ' << std::sqrt(va).sum() << ' ' << std::bitset<16>(0xbeef) << ' ' << std::abs(z) << '\n';
	std::list<int> l = { 3, 1, 2 };
	l.sort(std::greater<>());
	std::deque<std::string> dq;
	for (int k : l)
		dq.push_front(std::to_string(k)), dq.push_back(std::string(static_cast<size_t>(k), 'x'));
	for (auto &s : dq)
		std::cout << s << ',';
	std::cout << '\n';
	std::mt19937 small(7);
	std::cout << small() << ' ' << gen() << '\n';
	std::string name = "/tmp/ringside-stream-" + std::to_string(getpid());
	{
		std::ofstream f(name);
		for (int k = 0; k < 100; k++)
			f << k * k << '\n';
	}
	std::ifstream f(name);
	long sum = 0, x;
	while (f >> x)
		sum += x;
	std::cout << sum << ' ' << f.eof() << '\n';
	std::remove(name.c_str());
	using namespace std::chrono;
	std::cout << duration_cast<minutes>(hours(3) + seconds(90)).count() << ' ' << (steady_clock::now() > steady_clock::time_point()) << '\n';
	return 0;
}
