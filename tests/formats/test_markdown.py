"""Markdown as a renderer of GFM shows it."""

from __future__ import annotations

import html
import re

import msgspec
from markdown_it import MarkdownIt
from markdown_it.token import Token

from envkit.facts import Facts
from envkit.findings import Finding, Report
from envkit.formats import Style
from envkit.formats.markdown import render
from envkit.redact import plain

GFM = MarkdownIt("commonmark").enable(["table", "strikethrough"])
BREAK = "\u200b"


def tokens(report: Report, *, verbose: bool = False) -> list[Token]:
    blocks = GFM.parse(render(report, Style(verbose=verbose), Facts()))
    return [token for block in blocks for token in (block.children or [block])]


def shown(report: Report) -> str:
    """What a reader sees, without code."""
    texts = []
    for token in tokens(report):
        if token.type in {"text", "text_special"}:
            texts.append(token.content)
        elif token.type == "html_block":
            texts.append(html.unescape(re.sub(r"<[^>]*>", "", token.content)))
        elif token.type.endswith("_close"):
            texts.append("\n")
    return "".join(texts)


def test_it_reads_as_it_should(report: Report) -> None:
    report = msgspec.structs.replace(report, findings=[report.findings[0], report.findings[2], report.findings[6]])
    assert (
        render(report, Style(), Facts())
        == """\
### ✗ cannot train with profile cuda12: driver 470 is too old

| | area | what is there |
| --- | --- | --- |
| - | machine | Debian, 2 CPUs |
| ✗ | accelerators | 2 x A10 |
| ✗ | frameworks |  |

<details>
<summary>✗ <code>driver-too-old</code> GPU 0, A10: driver 470 is too old</summary>

```text
/sys/module/nvidia/version: 470.82
CUDA 12.8 needs 570
```

**To do:** Install a newer driver. (needs an administrator)

```sh
envkit setup --profile 'my cpu'
nvidia-smi
```

<https://example.com/drivers>

- so PyTorch uses the CPU (`torch-on-cpu`)

</details>

0 checks passed, 2 failed, 1 not applicable or not asked. envkit 1.2, profile cuda12, 2026-11-26T08:14:24+00:00
"""
    )


def test_every_text_is_shown_as_it_is(hostile: Report) -> None:
    text = shown(hostile).replace(BREAK, "")
    expected = plain(hostile.headline).strip()
    assert text.count(re.sub(r"\s+", " ", expected)) >= 7 or text.count(expected) >= 7


def test_nothing_of_a_machine_becomes_markup(hostile: Report) -> None:
    kinds = {token.type for token in tokens(hostile, verbose=True)}
    assert not kinds & {"link_open", "image", "em_open", "s_open", "html_inline", "softbreak", "code_block"}
    strong = [token for token in tokens(hostile) if token.type == "strong_open"]
    assert len(strong) == 2, "'To do' of two findings"
    allowed = r"</?details>|</?summary>|</?code>|<!---->"
    blocks = [token.content for token in tokens(hostile, verbose=True) if token.type == "html_block"]
    assert not [block for block in blocks if "<" in re.sub(allowed, "", block)]
    columns = [token.type for token in tokens(hostile)].count("td_open")
    assert columns == 3 * 2, "a | makes no column"


def test_nobody_is_mentioned_and_nothing_is_referred_to(hostile: Report) -> None:
    """Both hosts link in texts alone, not in code; they look at the text as shown, so no escape helps."""
    assert re.findall(r"[@#!~%$&]\w|\bG[HL]-\d", shown(hostile)) == []


def test_a_command_stays_whole_whatever_backticks_are_in_it(hostile: Report) -> None:
    fences = [token.content for token in tokens(hostile) if token.type == "fence"]
    assert len(fences) == 5
    assert all("``b``" in fence and fence.count("\n") == 1 for fence in fences)


def test_backticks_alone_do_not_end_the_block(report: Report) -> None:
    finding = msgspec.structs.replace(report.findings[0], evidence=["```", "# not a title", "````"])
    found = tokens(msgspec.structs.replace(report, findings=[finding]))
    assert next(token.content for token in found if token.type == "fence") == "```\n# not a title\n````\n"


def test_verbose_lists_every_check(report: Report) -> None:
    lines = [token.content for token in tokens(report, verbose=True) if token.type == "code_inline"]
    assert {finding.check for finding in report.findings} <= set(lines)


def test_a_word_with_underscores_stays_readable() -> None:
    finding = Finding(check="x", area="machine", status="fail", message="LD_LIBRARY_PATH is set, __init__ is not")
    text = render(Report(status="unhealthy", headline=finding.message, findings=[finding]), Style(), Facts())
    assert text.startswith(r"### ✗ LD_LIBRARY_PATH is set, \_\_init\_\_ is not")
