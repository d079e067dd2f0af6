"""What the reader can move: the site's `assets/play.js`, joined from the modules of its sources."""
