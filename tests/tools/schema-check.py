#!/usr/bin/env python3
"""An oracle for assets/schema: what does a JSON-schema validator that we did not write say?

usage: schema-check.py SCHEMA LESSON.yaml...
Prints a line a file: "ok FILE" or "bad FILE". Exit status 77 when the validator is not installed.
"""
import json
import sys

try:
    import jsonschema
    import yaml
except ImportError as e:
    print(f"skip: {e.name} is not installed for python3")
    sys.exit(77)

with open(sys.argv[1], encoding="utf-8") as f:
    schema = json.load(f)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for path in sys.argv[2:]:
    try:
        with open(path, encoding="utf-8") as f:
            good = validator.is_valid(yaml.safe_load(f))
    except (yaml.YAMLError, UnicodeError):
        good = False
    print("ok" if good else "bad", path)
