"""grades-agree.py JSON JUNIT TAP GRADESCOPE [SCHEMA]: one grade in four formats says the same.

Readers written by others: json, xml.etree, and (for TAP) prove's TAP::Parser, whose dump is the
third argument: lines "ok|not-ok|skip NAME".
"""
import json
import sys
import xml.etree.ElementTree as xml

ours = json.load(open(sys.argv[1]))
suites = xml.parse(sys.argv[2]).getroot()
tap = [line.rstrip("\n").split(" ", 1) for line in open(sys.argv[3]) if line.strip()]
scope = json.load(open(sys.argv[4]))


def validate(value, schema, root, where):
    """The part of JSON Schema that grade-v1.schema.json uses."""
    if "$ref" in schema:
        validate(value, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root, where)
    if "const" in schema:
        assert value == schema["const"], where
    if "enum" in schema:
        assert value in schema["enum"], (where, value)
    if "oneOf" in schema:
        good = 0
        for choice in schema["oneOf"]:
            try:
                validate(value, choice, root, where)
                good += 1
            except AssertionError:
                pass
        assert good == 1, (where, value)
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
             "null": type(None)}
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        assert any(isinstance(value, kinds[n]) for n in names), (where, value)
    if "minimum" in schema and value is not None:
        assert value >= schema["minimum"], where
    if isinstance(value, dict):
        for key in schema.get("required", []):
            assert key in value, (where, key)
        if "properties" in schema and "additionalProperties" not in schema:
            assert set(value) <= set(schema["properties"]), (where, set(value) - set(schema["properties"]))
        for key, sub in schema.get("properties", {}).items():
            if key in value:
                validate(value[key], sub, root, where + "." + key)
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            validate(item, schema["items"], root, "%s[%d]" % (where, i))


if len(sys.argv) > 5:
    schema = json.load(open(sys.argv[5]))
    validate(ours, schema, schema, "$")
    try:
        import jsonschema
        jsonschema.Draft202012Validator(schema).validate(ours)
    except ImportError:
        pass  # python3-jsonschema is not installed

checks = [(lesson, check) for lesson in ours["lessons"] for check in lesson["checks"]]
cases = [(s, c) for s in suites.findall("testsuite") for c in s.findall("testcase")]
assert len(checks) == len(cases) == len(tap) == len(scope["tests"]), "not the same number of checks"



def as_xml(text):
    """XML 1.0 has no control characters and no U+FFFE; the writer shows their pictures instead."""
    table = {c: chr(0x2400 + c) for c in range(0x20) if c not in (9, 10, 13)}
    table.update({0x7f: "\u2421", 0xfffe: "\ufffd", 0xffff: "\ufffd"})
    return text.translate(table)


junit_verdict = {None: "passed", "failure": "failed", "error": "inconclusive", "skipped": "ungradable"}
for (lesson, check), (suite, case), (mark, name), test in zip(checks, cases, tap, scope["tests"]):
    full = "%s/%s/%s" % (lesson["id"], check["step"], check["id"])
    child = case[0] if len(case) else None
    verdict = check["verdict"]
    assert case.get("name") == check["id"] and suite.get("name") == lesson["id"]
    assert junit_verdict[child.tag if child is not None else None] == verdict, full
    assert mark == {"passed": "ok", "failed": "not-ok", "inconclusive": "not-ok", "ungradable": "skip"}[verdict], full
    assert name == full and test["name"] == full, (name, test["name"], full)
    assert test["extra_data"]["verdict"] == verdict
    decided = verdict in ("passed", "failed")
    assert (check["points"] is not None) == decided
    assert ("score" in test) == decided
    if decided:
        assert test["score"] == check["points"] and test["max_score"] == check["max"]
        assert test["status"] == verdict
    if verdict == "failed":
        found = check["found"] if check["found"] is not None else check["reason"]["en"]
        for text in (child.text, test["output"]):
            assert as_xml(check["expected"]) in as_xml(text), (full, text)
        assert found in test["output"], (full, found)

for lesson, suite in zip(ours["lessons"], suites.findall("testsuite")):
    count = lambda v: sum(c["verdict"] == v for c in lesson["checks"])
    assert int(suite.get("tests")) == len(lesson["checks"])
    assert int(suite.get("failures")) == count("failed")
    assert int(suite.get("errors")) == count("inconclusive")
    assert int(suite.get("skipped")) == count("ungradable")
    have = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert have["ringside.verdict"] == lesson["verdict"] and int(have["ringside.max"]) == lesson["max"]
    if lesson["points"] is not None:
        assert int(have["ringside.points"]) == lesson["points"]

# Gradescope's own rules: a total, or no "score" at all; statuses and formats from their lists
assert ("score" in scope) == (ours["verdict"] in ("passed", "failed"))
if "score" in scope:
    assert scope["score"] == ours["points"] == sum(t.get("score", 0) for t in scope["tests"])
assert scope["output_format"] in ("text", "html", "simple_format", "md", "ansi")
assert scope["visibility"] in ("hidden", "after_due_date", "after_published", "visible")
assert isinstance(scope["execution_time"], int)
for t in scope["tests"]:
    assert t.get("status", "passed") in ("passed", "failed")
    assert set(t) <= {"score", "max_score", "status", "name", "name_format", "number", "output",
                      "output_format", "tags", "visibility", "extra_data"}
assert set(scope) <= {"score", "execution_time", "output", "output_format", "test_output_format",
                      "test_name_format", "visibility", "stdout_visibility", "extra_data", "tests", "leaderboard"}
print("agree", len(checks), ours["verdict"], ours["points"])
