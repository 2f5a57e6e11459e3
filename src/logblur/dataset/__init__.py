"""What is kept: the ledger of what counts, private partials, published tables, and the end of a day.

`state` opens it all, `ledger` says what has been counted, `partials` holds it encrypted, `publish` writes what analysts
may see, `seal` ends a day.
"""
