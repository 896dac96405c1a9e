"""Checks lines of ``--json-events`` against ``docs/events.schema.json``, as far as that schema goes."""

import json
from collections import Counter
from pathlib import Path

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "events.schema.json"
_TYPES = {
    "number": (int, float), "integer": int, "string": str, "array": list, "object": dict, "null": type(None),
}  # fmt: skip
_KNOWN = {"type", "const", "enum", "items", "properties", "required", "additionalProperties", "description", "title",
          "oneOf", "$schema"}  # fmt: skip


def problems(value, schema: dict, place: str = "") -> list[str]:
    """What is wrong with a value; the words of JSON Schema that the events' schema uses."""
    unknown = set(schema) - _KNOWN
    assert not unknown, f"the checker does not know {unknown}"
    found = []
    if "const" in schema and value != schema["const"]:
        found.append(f"{place}: {value!r} is not {schema['const']!r}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{place}: {value!r} is none of {schema['enum']}")
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if isinstance(value, bool) or not any(isinstance(value, _TYPES[name]) for name in names):
            return [*found, f"{place}: {value!r} is no {'/'.join(names)}"]
    if isinstance(value, list) and "items" in schema:
        found += [text for item in value for text in problems(item, schema["items"], f"{place}[]")]
    if isinstance(value, dict):
        found += [f"{place}: {key} is missing" for key in schema.get("required", ()) if key not in value]
        known = schema.get("properties", {})
        for key, item in value.items():
            if key in known:
                found += problems(item, known[key], f"{place}.{key}")
            elif schema.get("additionalProperties", True) is False:
                found.append(f"{place}: {key} is not described")
    if "oneOf" in schema:
        outcomes = [problems(value, part, place) for part in schema["oneOf"]]
        fitting = sum(not outcome for outcome in outcomes)
        if fitting != 1:
            found.append(f"{place}: fits {fitting} of the alternatives ({outcomes}): {value!r}")
    return found


def check_events(lines: list[str]) -> Counter:
    """Check every line; returns how often each event came."""
    schema, counts = json.loads(SCHEMA.read_text(encoding="utf-8")), Counter()
    for number, line in enumerate(lines, 1):
        event = json.loads(line)
        wrong = problems(event, schema)
        assert not wrong, f"line {number}: {wrong}"
        counts[event["event"]] += 1
    return counts
