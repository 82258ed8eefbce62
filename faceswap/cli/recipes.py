"""`faceswap recipes`: what training recipes there are, and what they say."""

from __future__ import annotations

from typing import Annotated

import typer

from faceswap.cli.command import Run, command, examples

app = typer.Typer(
    help="List and show training recipes.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog=examples("faceswap recipes list", "faceswap recipes show df-128"),
)


@command(app, examples("faceswap recipes list", "faceswap recipes list --quiet"), name="list")
def list_recipes(run: Run) -> None:
    """List the recipes with their first line."""
    from faceswap.recipes import recipe_names

    for path in recipe_names().values():
        first_line = path.read_text(encoding="utf-8").splitlines()[0]
        run.console.result(first_line.removeprefix("# "))


@command(
    app, examples("faceswap recipes show quick-64", "faceswap recipes show df-256 --all > my-256.toml"), name="show"
)
def show_recipe(
    run: Run,
    name: Annotated[str, typer.Argument(help="Recipe name or .toml file.")],
    everything: Annotated[
        bool, typer.Option("--all", help="Every key, with what it inherits and the defaults.")
    ] = False,
) -> None:
    """Print a recipe, to read or to start one's own from, and say what its network costs."""
    from faceswap.config import as_toml, validated
    from faceswap.models.work import work_of
    from faceswap.recipes import find_recipe, load_recipe
    from faceswap.train.config import TrainConfig

    config = validated(TrainConfig, load_recipe(name), f"recipe {name}")
    whole = as_toml(config.model_dump(mode="json", exclude_none=True))
    run.console.result((whole if everything else find_recipe(name).read_text(encoding="utf-8")).rstrip())
    network = config.network
    run.console.note(f"{network.name} {network.size} px for two identities: {work_of(network)}")
