"""`prelabel new`: a backend from the folder `template/`, which holds all variants of one.

A definition of the template whose name ends with `__VARIANT` goes into that variant only, where it
loses the ending; `tag_pairs.py` lists the variants of each pair of tags. What the new backend then
does not use is left out. So the template is ordinary code: linted, type-checked and tested.
"""
