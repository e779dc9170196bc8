"""The program of a child in the inspected interpreter, as it is sent on its stdin."""

from __future__ import annotations

import json

# Must parse and run on Python 2.7, so that an old interpreter answers instead of failing on the syntax.
PROGRAM = """\
import sys
if sys.version_info < (3, 9):
    text = '{{"cause": "unsupported-python", "message": "Python %d.%d is older than 3.9"}}' % sys.version_info[:2]
    sys.stdout.write('\\x1e{{"import_error": ' + text + '}}\\n')
    sys.exit(0)
exec(compile({child}, "<envkit {command} child>", "exec"))
main({task})
"""


def program(command: str, child: str, task: object) -> bytes:
    """The source of a child with its task, which its main() decodes from JSON.

    Args:
        command: "smoke" or "bench", for tracebacks.
        child: source of the module that has main().
        task: what JSON can hold.
    """
    # JSON text is a valid Python string literal.
    text = PROGRAM.format(command=command, child=json.dumps(child), task=json.dumps(json.dumps(task)))
    return text.encode("ascii")
