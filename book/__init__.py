"""What turns `docs/chapters/*.py` into the book: running the chapters, and rendering the pages.

Running knows nothing of MkDocs: `chapters` reads a chapter, `fingerprint` says what its results
depend on, `run` executes the stale ones, `repeat` holds two runs against each other. Rendering is
`hooks`, the one file that MkDocs calls, with `outputs`, `katex`, `notation`, `symbols` and
`download` behind it, and `templates/` and `theme/` for the HTML.

    python -m book run 04      # execute a chapter and show what its cells put out, with times
    python -m book build 04    # render its page, and say what is wrong with it
    python -m book repeat      # execute all chapters once more, and say what they put out otherwise
"""
