"""Turn a user's own folder into a chapter's layout: understood, written anew, never in place."""
