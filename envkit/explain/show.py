"""An explanation for a terminal: the cause in words, the lines that tell it, what to do, and what else it may be."""

from __future__ import annotations

import shlex
import textwrap

from envkit.explain import Explanation, RankedCause
from envkit.formats import Style
from envkit.redact import plain

SEND_NEXT = (
    "The whole output from the first error on, and what these print: envkit doctor; python -m torch.utils.collect_env; "
    "nvidia-smi. `envkit explain --here` also asks this machine."
)


def render(explanation: Explanation, style: Style) -> str:
    """The explanation as text of at most `style.width` columns; evidence and commands to copy are never broken."""
    if explanation.status == "not known":
        lines = [*_wrap("? not known: no line of this text tells a cause for sure", style), ""]
        lines += _others(explanation.possible, style, "Possible, but no more than that:")
        lines += _wrap(f"→ send next: {SEND_NEXT}", style, hanging=2)
        return "\n".join(lines) + "\n"
    first, *others = explanation.causes
    lines = [style.paint(line, "bold") for line in _wrap(f"✗ {first.title} {_sure(first)}", style, hanging=2)]
    for evidence in first.evidence:
        where = f"line {evidence.line}" if evidence.line else "facts"
        lines.append(style.paint(plain(f"    {where}: {evidence.text}"), "dim"))
    lines += _here(first, style)
    who = {"admin": " (needs an administrator)", "vendor": " (for the vendor of the machine)"}.get(first.remedy.who, "")
    lines += _wrap(f"→ {first.remedy.text}{who}", style, indent=2, hanging=2)
    lines += ["      " + style.paint(plain(shlex.join(command)), "bold") for command in first.remedy.commands]
    lines += ["      " + plain(first.remedy.url)] if first.remedy.url else []
    rest = others + explanation.possible
    return "\n".join([*lines, *([""] if rest else []), *_others(rest, style, "Less likely:")]).rstrip() + "\n"


def _here(cause: RankedCause, style: Style) -> list[str]:
    lines = []
    for word, messages in (("supports", cause.supported_by), ("contradicts", cause.contradicted_by)):
        for message in messages:
            lines += _wrap(f"· this machine {word} it: {message}", style, indent=4, hanging=2)
    return lines


def _others(causes: list[RankedCause], style: Style, heading: str) -> list[str]:
    if not causes:
        return []
    lines = [heading]
    for cause in causes:
        says = " - this machine supports it" if cause.supported_by else ""
        says = " - this machine contradicts it" if cause.contradicted_by else says
        lines += _wrap(f"· {cause.title} {_sure(cause)}{says}", style, indent=2, hanging=2)
    return lines


def _sure(cause: RankedCause) -> str:
    name = f"{cause.cause}: {cause.specific}" if cause.specific else cause.cause
    return f"[{name}, {cause.confidence:.0%}]"


def _wrap(text: str, style: Style, *, indent: int = 0, hanging: int = 0) -> list[str]:
    margin = " " * indent
    return textwrap.wrap(
        plain(text),
        max(style.width, 40),
        initial_indent=margin,
        subsequent_indent=margin + " " * hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
