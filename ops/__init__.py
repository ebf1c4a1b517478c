"""Putting fleet on hosts and looking after it there, over SSH: `fab -r ops --list`.

`inventory` says which hosts there are, `plan` what is to be done on one, and `run` does it; `release` makes what is put
there. SSH only installs, starts, stops and looks: whether a fleet lives is its own supervisor's business.
"""
