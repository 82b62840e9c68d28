"""A program for `named_entities` (docs/plugins.md): says where names of a list stand in a text.

    python3 find_names.py NAMES.txt

It reads one text a line from standard input, each a JSON string, and answers each with one line: a JSON list of
[start, end), in characters. A real one asks a model instead of a list; this one shows what must come out.
"""

import json
import re
import sys
from pathlib import Path


def main() -> None:
    """Answer until nothing is asked any more."""
    names = {word.casefold() for word in Path(sys.argv[1]).read_text(encoding="utf-8").split()}
    for line in sys.stdin:
        text = json.loads(line)
        words = re.finditer(r"[^\W\d_]+", text)
        places = [word.span() for word in words if word.group().casefold() in names]
        print(json.dumps(places), flush=True)  # at once: the gateway waits for each answer


if __name__ == "__main__":
    main()
