"""What the search reads of a page: words, and not the markup of formulas and of colored code.

The search walks every tag of a page in Python; the thousands of spans that KaTeX and Pygments make
would be half of the time that the pages take. So it is given each formula and each block of code
without its tags, and the page gets them back afterwards.
"""

import re

CODE = re.compile(r"<pre\b.*?</pre>", re.DOTALL)
MATH = re.compile(r"<math.*?(?=<annotation)", re.DOTALL)  # what follows is the same formula again
TAG = re.compile(r"<(?!/?(?:pre|code)\b)[^>]*>")
MARK = re.compile(r"<!--aside-(\d+)-->.*?<!--/aside-->", re.DOTALL)


class Aside:
    """Markup that is out of a page for a while."""

    def __init__(self) -> None:
        self._markups: list[str] = []

    def formula(self, markup: str) -> str:
        """Puts a formula that KaTeX has set aside, and returns what stands in its place."""
        return self._put(markup, "".join(MATH.findall(markup)))

    def code(self, content: str) -> str:
        """Puts the blocks of code of a page aside, and returns the page with their words."""
        return CODE.sub(lambda match: self._put(match[0], match[0]), content)

    def back(self, content: str) -> str:
        """Puts everything back into the page."""
        return MARK.sub(lambda match: self._markups[int(match[1])], content)

    def _put(self, markup: str, words: str) -> str:
        self._markups.append(markup)
        return f"<!--aside-{len(self._markups) - 1}-->{TAG.sub('', words)}<!--/aside-->"
