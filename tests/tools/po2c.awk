# Merges PO files (GNU gettext manual, "The Format of PO Files") into rows of a C table
#     { "msgid", "msgstr" },
# sorted bytewise by msgid, for bsearch in engine/base/lang.c. POSIX awk; run it with LC_ALL=C.
# Left out: fuzzy and untranslated entries, obsolete ones (#~), the header (an empty msgid).
# Of two translations of one msgid the first wins. A line that is no PO is an error.

function fail(what) {
	printf "%s:%d: %s\n", FILENAME, FNR, what > "/dev/stderr"
	bad = 1
	exit 1
}

# The text of a quoted string with its escapes resolved.
function unquote(s,    out, c, n, i, v) {
	if (s !~ /^".*"[ \t\r]*$/)
		fail("a string must stand between double quotes")
	sub(/[ \t\r]*$/, "", s)
	s = substr(s, 2, length(s) - 2)
	out = ""
	while ((i = index(s, "\\")) > 0) {
		if (index(substr(s, 1, i - 1), "\""))
			fail("a double quote inside a string needs a backslash")
		out = out substr(s, 1, i - 1)
		c = substr(s, i + 1, 1)
		s = substr(s, i + 2)
		if (c in plain) {
			out = out plain[c]
		} else if (c ~ /[0-7]/) {
			v = c
			for (n = 1; n < 3 && substr(s, 1, 1) ~ /[0-7]/; n++) {
				v = v substr(s, 1, 1)
				s = substr(s, 2)
			}
			c = 0
			for (n = 1; n <= length(v); n++)
				c = c * 8 + substr(v, n, 1)
			out = out sprintf("%c", c)
		} else if (c == "x" && substr(s, 1, 1) ~ /[0-9A-Fa-f]/) {
			c = 0
			for (n = 0; n < 2 && substr(s, 1, 1) ~ /[0-9A-Fa-f]/; n++) {
				c = c * 16 + index("0123456789abcdef", tolower(substr(s, 1, 1))) - 1
				s = substr(s, 2)
			}
			out = out sprintf("%c", c)
		} else {
			fail("unknown escape \\" c)
		}
	}
	if (index(s, "\""))
		fail("a double quote inside a string needs a backslash")
	return out s
}

# A C string literal of the bytes of s.
function literal(s,    out, n, i, c, last) {
	out = last = ""
	n = length(s)
	for (i = 1; i <= n; i++) {
		c = substr(s, i, 1)
		if (c == "?" && last == "?") # no trigraph
			c = "\\?"
		else if (c in quoted)
			c = quoted[c]
		out = out c
		last = substr(s, i, 1)
	}
	return "\"" out "\""
}

# Puts the entry that was being read into the table.
function finish() {
	if (part == "msgstr" && !fuzzy && !skip && id != "" && str != "" && !(id in text)) {
		text[id] = str
		ids[++count] = id
	}
	part = ""
	id = str = ""
	fuzzy = skip = 0
}

BEGIN {
	plain["n"] = "\n"; plain["t"] = "\t"; plain["r"] = "\r"; plain["a"] = "\007"
	plain["b"] = "\b"; plain["f"] = "\f"; plain["v"] = "\v"
	plain["\""] = "\""; plain["\\"] = "\\"
	for (i = 1; i < 32; i++)
		quoted[sprintf("%c", i)] = sprintf("\\%03o", i)
	quoted[sprintf("%c", 127)] = "\\177"
	quoted["\n"] = "\\n"; quoted["\t"] = "\\t"; quoted["\""] = "\\\""; quoted["\\"] = "\\\\"
}

FNR == 1 { finish() }
{ sub(/\r$/, "") }
/^[ \t]*$/ { finish(); next }
/^#~/ { next }
/^#/ {
	if (part == "msgstr") # the next entry's comments may follow without an empty line
		finish()
	if (/^#,/ && /fuzzy/)
		fuzzy = 1
	next
}
/^msgctxt[ \t]/ || /^msgid_plural[ \t]/ || /^msgstr\[/ {
	if (part == "msgstr" && /^msgctxt/)
		finish()
	skip = 1 # contexts and plurals are not used here
	part = "other"
	next
}
/^msgid[ \t]/ {
	if (part == "msgstr")
		finish()
	sub(/^msgid[ \t]+/, "")
	id = unquote($0)
	part = "msgid"
	next
}
/^msgstr[ \t]/ {
	if (part != "msgid" && part != "other")
		fail("msgstr without a msgid")
	sub(/^msgstr[ \t]+/, "")
	str = unquote($0)
	part = "msgstr"
	next
}
/^[ \t]*"/ {
	sub(/^[ \t]+/, "")
	if (part == "msgid")
		id = id unquote($0)
	else if (part == "msgstr")
		str = str unquote($0)
	else if (part != "other")
		fail("a string without a msgid or msgstr")
	next
}
{ fail("not a line of a PO file") }

END {
	if (bad)
		exit 1
	finish()
	# heap sort: bytewise, since LC_ALL=C
	for (i = int(count / 2); i >= 1; i--)
		sift(i, count)
	for (i = count; i > 1; i--) {
		t = ids[1]; ids[1] = ids[i]; ids[i] = t
		sift(1, i - 1)
	}
	for (i = 1; i <= count; i++)
		printf "\t{ %s, %s },\n", literal(ids[i]), literal(text[ids[i]])
}

function sift(root, n,    child, v) {
	v = ids[root]
	while ((child = 2 * root) <= n) {
		if (child < n && ids[child] "" < ids[child + 1] "")
			child++
		if (v "" >= ids[child] "")
			break
		ids[root] = ids[child]
		root = child
	}
	ids[root] = v
}
