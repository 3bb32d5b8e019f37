-- A Lua interpreter at work: numbers, strings, patterns, tables, closures, coroutines, errors, files.
local function queens(n)
	local found, cols, d1, d2 = 0, {}, {}, {}
	local function place(r)
		if r > n then found = found + 1 return end
		for c = 1, n do
			if not (cols[c] or d1[r + c] or d2[r - c + n]) then
				cols[c], d1[r + c], d2[r - c + n] = true, true, true
				place(r + 1)
				cols[c], d1[r + c], d2[r - c + n] = nil, nil, nil
			end
		end
	end
	place(1)
	return found
end
print(_VERSION, queens(7))

local words = {}
for line in io.lines(arg[1]) do
	for w in line:gmatch("%a+") do
		w = w:lower()
		words[w] = (words[w] or 0) + 1
	end
end
local list = {}
for w, n in pairs(words) do list[#list + 1] = { w, n } end
table.sort(list, function(a, b) return a[2] > b[2] or a[2] == b[2] and a[1] < b[1] end)
for i = 1, 15 do io.write(list[i][1], "=", list[i][2], i == 15 and "\n" or " ") end

print(string.format("%5.2f %g %d %x %q %s %10s|%-5s|", math.pi, 1e100, 42, 255, "a\nb\0c", true, "right", "l"))
print(7 // 2, -7 // 2, 7 % -3, 7.5 // 2, 2 ^ 0.5, 1 << 62, ~0, 5 // 0.0, -5 % math.huge, math.maxinteger + 1 == math.mininteger)
print(("hello world"):gsub("o", "0"), ("key = value"):match("^(%w+)%s*=%s*(%w+)$"), ("x"):rep(5, "-"), ("abc"):byte(1, -1))
print(string.pack("<i4d", 77, 2.5):byte(1, -1))
print(#utf8.char(0x4e2d, 0x6587), utf8.len("中文"), tostring(1e15), 2^53, 0x7fffffffffffffff, 1e308 * 10, -(0 / 0) ~= 0)

local function gen(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i * i) end end) end
local sum = 0
for v in gen(1000) do sum = sum + v end
print(sum, select("#", nil, nil), select(2, pcall(error, { code = 5 })).code)
print(pcall(function() local x = nil; return x.y end))
print(select(2, xpcall(function() error("deep", 2) end, function(m) return "handled " .. tostring(m) end)))

local mt = { __add = function(a, b) return setmetatable({ v = a.v + b.v }, getmetatable(a)) end, __tostring = function(s) return "v" .. s.v end,
	__index = function(_, k) return k .. "!" end, __lt = function(a, b) return a.v < b.v end, __close = function() print("closed") end }
do
	local a <close> = setmetatable({ v = 1 }, mt)
	local b = setmetatable({ v = 2 }, mt)
	print(tostring(a + b), a.missing, a < b)
end
local t = setmetatable({}, { __mode = "k" })
for i = 1, 1000 do t[{}] = i end
collectgarbage()
local left = 0
for _ in pairs(t) do left = left + 1 end
print(left, collectgarbage("count") > 10)
local s = {}
for i = 1, 20000 do s[#s + 1] = string.char(97 + i * i % 26) end
local text = table.concat(s)
local h = 0
for i = 1, #text do h = (h * 31 + text:byte(i)) & 0xffffffff end
print(#text, h, load("return " .. ("1+"):rep(150) .. "1")())
print(os.date("!%Y-%m-%d %H:%M:%S", 1234567890), os.time({ year = 2001, month = 9, day = 9, hour = 12 }) > 0, os.getenv("HOME") ~= nil)
local p = io.popen("echo from a shell; exit 3")
print(p:read("a"), p:close())
