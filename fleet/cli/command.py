"""A command that takes each option once, and none with nothing in it.

Of an option that is given twice the last would count, and a shell's variable that is not set would be taken for a
value: slips of the pen, for which somebody may pay with files or jobs.
"""

from __future__ import annotations

from typing import Any, Final

from typer.core import TyperCommand, TyperOption

from fleet.errors import UsageError

MAY_BE_EMPTY: Final = frozenset({"accept"})  # so a browser may have sent it


class Command(TyperCommand):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer reads them. Raises UsageError for what typer would let pass."""
        given, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for option in self.get_params(ctx):
            if isinstance(option, TyperOption) and not option.is_flag and option in order:
                value = given[str(option.name)]
                if wrong := _wrong(option, value if option.multiple else [value], order.count(option)):
                    raise UsageError(f"{option.opts[0]} {wrong}. See {ctx.command_path} --help")
        return super().parse_args(ctx, args)


def _wrong(option: TyperOption, values: list[str], times: int) -> str | None:
    if times > 1 and not option.multiple:
        return f"is given {times} times, and counts once"
    if "" in values and option.name not in MAY_BE_EMPTY:
        return "has no value; leave it out, or write one"
    return None
