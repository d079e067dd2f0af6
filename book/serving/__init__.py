"""What a server does while chapters run: it shows pages, fills them, says how far they are."""
