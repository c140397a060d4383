"""The commands as a typer application: for help, completion, and everything in a call that is not plainly right.

Typer evaluates annotations in this module's names: none may be postponed here.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from envaudit import __version__
from envaudit.argv import Argument, Option, parameters


def typer_app(commands: Mapping[str, Callable[..., int]]) -> Any:
    """The typer application: the commands by name, with their parameters as typer's."""
    import typer

    app = typer.Typer(
        name="envaudit",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    def _version(value: bool) -> None:
        if value:
            typer.echo(f"envaudit {__version__}")
            raise typer.Exit

    @app.callback()
    def _root(
        version: Annotated[
            bool, typer.Option("--version", "-V", is_eager=True, callback=_version, help="Show the version and exit.")
        ] = False,
    ) -> None:
        """Compare the environment a model was trained in with the one it will be served in."""

    for name, command in commands.items():
        app.command(name)(_for_typer(command, typer))
    return app


def _for_typer(command: Callable[..., int], typer: Any) -> Callable[..., int]:
    """The same function with typer's own parameter declarations."""

    def run(**values: Any) -> int:
        for item in known:
            if item.type is tuple:
                values[item.name] = tuple(values[item.name] or ())
            elif (
                isinstance(item.how, Option) and item.how.choices and values[item.name] not in (*item.how.choices, None)
            ):
                allowed = ", ".join(item.how.choices)
                raise typer.BadParameter(
                    f"{values[item.name]!r} is not one of {allowed}", param_hint=f"'{item.how.flags[-1]}'"
                )
        return command(**values)

    import inspect

    known = parameters(command)
    signature = inspect.signature(command)
    declared = []
    for item in known:
        kind = signature.parameters[item.name].annotation.__origin__
        changes: dict[str, Any] = {}
        if item.type is tuple:  # typer knows lists only
            kind = list[str] if item.required else list[str] | None
            changes = {} if item.required else {"default": None}
        if isinstance(item.how, Argument):
            how = typer.Argument(metavar=item.how.metavar, help=item.how.help, show_default=False)
        elif item.type is bool:
            how = typer.Option(*item.how.flags, help=item.how.help)
        else:
            default = signature.parameters[item.name].default not in (None, ())
            how = typer.Option(*item.how.flags, help=item.how.help, metavar=item.how.metavar, show_default=default)
        declared.append(signature.parameters[item.name].replace(annotation=Annotated[kind, how], **changes))
    run.__signature__ = signature.replace(parameters=declared)  # type: ignore[attr-defined]
    run.__annotations__ = {item.name: item.annotation for item in declared} | {"return": int}
    run.__doc__ = command.__doc__
    return run
