"""What turns `docs/chapters/*.py` into the book: running the chapters, and rendering the pages.

Running knows nothing of MkDocs: `chapters` reads a chapter, `fingerprint` says what its results
depend on, `run` executes the stale ones, `live` does so in the background, `repeat` holds two runs
against each other. Rendering is `hooks`, which MkDocs calls as it does `finding` and `play/hooks`,
with `pages/` behind it: `chapter` is a page that is finished but for the outputs of its cells,
which `outputs` writes; `katex`, `notation` and `symbols` make formulas; `found/` is what the search
and the page of theorems need, and `kept` saves time. While a server runs, `serving/` fills the
pages and writes them again as outputs come. `templates/` and `theme/` are the HTML, `play/` makes
the script of what a reader can move, and `slides/` the decks.

    python -m book run 04      # execute a chapter and show what its cells put out, with times
    python -m book build 04    # render its page, and say what is wrong with it
    python -m book repeat      # execute all chapters once more, and say what they put out otherwise
    python -m book slides      # make slides of all chapters, in build/slides/
"""
