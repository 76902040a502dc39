"""A language that exists for the tests alone: each text of the front end's sources in brackets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from playwright.sync_api import Page, Route

from tests.ui.conftest import ROOT

SOURCES = ROOT / "labextension" / "src"
PIECE = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
CALL = re.compile(rf"trans\s*\.\s*(__|_n)\(\s*({PIECE})(?:\s*,\s*({PIECE}))?", re.DOTALL)
LANGUAGE = {"language": "de-DE", "plural_forms": "nplurals=2; plural=(n != 1);", "domain": "jupyter_runai"}

LEFT = """async selector => {
  const words = /[\\p{L}]{2,}/u;
  const isData = element => element.closest('pre, code, [role=log], svg, canvas, [aria-hidden=true]') !== null;
  const outside = text => {
    for (let before = null; before !== text; ) {
      before = text;
      text = text.replace(/⟦[^⟦⟧]*⟧/gu, '');
    }
    return text.split('·').map(part => part.trim());
  };
  const found = [];
  for (const root of document.querySelectorAll(selector)) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      if (!isData(node.parentElement) && node.parentElement.checkVisibility()) {
        found.push(...outside(node.data));
      }
    }
    for (const element of [root, ...root.querySelectorAll('*')]) {
      for (const name of ['aria-label', 'title', 'placeholder']) {
        if (element.hasAttribute(name) && !isData(element)) {
          found.push(...outside(element.getAttribute(name)));
        }
      }
    }
  }
  return [...new Set(found.filter(text => words.test(text)))];
}"""

NAMES = {"id", "name", "owner", "queue", "user", "node", "host", "model", "cwd"}
SENTENCES = {"message", "notice", "reason", "change", "effect", "hint"}
"""Fields of the engine's answers that hold more than one of a few words that the front end knows."""

FIGURE = re.compile(r"(\d[\d.,:×]*|GB|MB|kB|d)")
"""A number, a span or a moment of time, a unit."""


def catalogue() -> dict[str, object]:
    """The translation of every text of the sources."""
    found: dict[str, object] = {"": LANGUAGE}
    for path in sorted(SOURCES.rglob("*.ts*")):
        for verb, first, second in CALL.findall(path.read_text()):
            texts = [unquoted(each) for each in ((first, second) if verb == "_n" else (first,))]
            found[texts[0]] = [f"⟦{text}⟧" for text in texts]
    return found


def unquoted(literal: str) -> str:
    """What a literal of TypeScript says."""
    return str(json.loads('"' + literal[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'))


def speak_pseudo(page: Page) -> None:
    """Open JupyterLab again in that language."""
    answer = json.dumps({"data": {"jupyter_runai": catalogue()}, "message": ""})

    def translate(route: Route) -> None:
        route.fulfill(status=200, content_type="application/json", body=answer)

    page.route(re.compile("/lab/api/translations"), translate)
    page.reload()


def untranslated(page: Page, selector: str, *answers: object) -> list[str]:
    """What can be seen or heard in there outside the brackets, and is neither of the engine's answers nor a figure."""
    left: list[str] = page.evaluate(LEFT, selector)
    said = texts(answers, NAMES | SENTENCES)
    words = {word for name in texts(answers, NAMES) for word in re.split(r"\W+", name)}
    return [
        text
        for text in left
        if text not in said and not all(FIGURE.fullmatch(word) or word in words for word in re.split(r"[^\w.]+", text))
    ]


def texts(answer: object, fields: set[str]) -> set[str]:
    """What these fields hold anywhere in an answer of the engine."""
    if isinstance(answer, Mapping):
        own = {value for name, value in answer.items() if name in fields and isinstance(value, str)}
        return own.union(*(texts(value, fields) for value in answer.values()))
    return set().union(*(texts(each, fields) for each in answer)) if isinstance(answer, list | tuple) else set()
