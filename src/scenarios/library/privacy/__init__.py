"""People's data: replaced by pseudonyms, removed on request, and found where it should not stand.

The centre is `pseudonyms.Pseudonyms`; `forget` works on a live database.
"""
