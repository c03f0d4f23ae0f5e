"""A frozen state as Python: a function for the same catalogue, said with the builder where it can be said.

The centre is `module.as_python`. A system's speaker (the part ``as_code`` of its `Domain`) says a plan in
calls of its builder, `words` lays them out, and `proof` runs the result and compares what it makes.
"""
