"""The library shown to people: one scenario, all of them as HTML, and what is wrong with any."""
