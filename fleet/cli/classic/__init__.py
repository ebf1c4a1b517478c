"""Gearman's own three programs, with the command lines people have in their scripts: gearman, gearadmin, gearmand.

Rule 1: what the originals accept is accepted; what is not there is refused with a sentence, never ignored. Rule 2:
where the original has an exit code for something, ours is the same; where it says 0 to a failure, ours does not.
Every deliberate difference stands in docs/classic.md. Rule 3: typer is not imported; these programs start quickly.

`options` reads command lines by tables, `process` has pid files and daemons.
"""
