"""``liversegssl``: the entry point. Each verb's file is imported when that verb is used, so help is quick."""

from __future__ import annotations

import importlib
import sys

import click

from LiverSegSSLLib import __version__
from LiverSegSSLLib.errors import LiverSegError, place_error

VERBS = {
    "run": "The whole loop: propose, score, select, train, predict, evaluate, report. Resumable.",
    "demo": "The whole loop on the built-in study, with its report.",
    "inspect": "What is there: studies, phases, vendors, labels, what is wrong.",
    "propose": "Make pseudo labels.",
    "score": "Judge the proposals and choose those to train on.",
    "train": "Train nnU-Net on expert, reviewed and chosen labels.",
    "compare": "Compare ways to learn: same data, same network, same iterations. Resumable.",
    "predict": "Segment every phase with the trained model.",
    "evaluate": "Measure predictions and proposals against true masks.",
    "report": "Write the HTML report.",
    "review": "What to look at first; accept, reject or correct a label.",
    "recipes": "List the shipped recipes, or print one to start from.",
    "models": "Pretrained weights: list, fetch, import, verify, remove.",
    "doctor": "What this computer and this workspace have, and what is missing.",
}


class _Verbs(click.Group):
    """Loads ``LiverSegSSLLib.cli.<verb>`` on use; help comes from :data:`VERBS` without any import."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"LiverSegSSLLib.cli.{_module_of(cmd_name)}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from LiverSegSSLLib.spelling import advice

            ctx.fail(f"there is no verb {args[0]} – {advice(args[0], VERBS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


def _module_of(verb: str) -> str:
    return verb if verb in ("inspect", "review", "recipes", "models", "doctor") else "loop"


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="liversegssl")
def liversegssl() -> None:
    """From a few labelled GED4 liver MRIs to a segmenter for every phase.

    Try it:  liversegssl demo      Your data:  liversegssl inspect DATA, then liversegssl run DATA

    Exit codes: 0 done, 1 failed, 2 bad input. Nothing leaves this computer.
    """


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    try:
        result = liversegssl.main(arguments, standalone_mode=False)
        return int(result or 0)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.Abort:
        return 130
    except click.ClickException as error:
        error.show()
        return 2
    except LiverSegError as error:
        click.secho(f"Error: {error}", err=True, fg="red")
        return error.exit_code
    except OSError as error:  # a file system that refuses: full, read-only, gone
        click.secho(f"Error: {place_error(error)}", err=True, fg="red")
        return 1


if __name__ == "__main__":
    sys.exit(main())
