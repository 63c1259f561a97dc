"""The verbs of the loop. They differ in which stages run; all are jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from LiverSegSSLLib.cli.follow import run_job
from LiverSegSSLLib.cli.options import cohort_options, job_options, recipe_options, require_data
from LiverSegSSLLib.cli.show import show_result
from LiverSegSSLLib.errors import WorkspaceError
from LiverSegSSLLib.rounds.places import default_workspace, job_folder

TRUTH = click.option(
    "--truth",
    type=click.Path(path_type=Path),
    help="Folder of true masks <study>__<phase>.nii.gz, to measure against; never trained on.",
)
PSEUDONYMS = click.option(
    "--pseudonyms",
    is_flag=True,
    help="Reports call studies Study 417, not by their keys. Tables, masks and logs beside them keep the keys.",
)
ROUND = click.option("--round", "round_number", type=click.IntRange(1), help="The round. [the one under way]")


def _go(verb: str, data: Path, options: dict[str, Any]) -> int:
    """Run a verb as a job in the workspace and show its result."""
    if verb != "demo":
        require_data(data)
    as_json = options.pop("as_json")
    workspace = (options.pop("workspace") or default_workspace(data)).absolute()
    parameters = {
        "data": str(data.absolute()),
        "workspace": str(workspace),
        **{key: _plain(value) for key, value in options.items() if value is not None},
    }
    code, result = run_job(verb, parameters, _made(job_folder(workspace, verb)), as_json)
    if result and not as_json:
        show_result(verb, result)
    return code


def _made(folder: Path) -> Path:
    """The folder of a job, made before the job: two processes write into it.

    :raises WorkspaceError: it cannot be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"cannot be made ({error.strerror})"
        raise WorkspaceError(what, folder, "choose another folder with --workspace") from None
    return folder


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value.absolute())
    return list(value) if isinstance(value, tuple) else value


@click.command(help="The whole loop on DATA; killed anywhere, the same command goes on.")
@cohort_options
@recipe_options
@TRUTH
@PSEUDONYMS
@job_options
def run(data: Path, **options: Any) -> int:
    return _go("run", data, options)


@click.command(help="Make pseudo labels for the cases of DATA that have none.")
@cohort_options
@recipe_options
@click.option("--method", help="Use this method alone instead of the recipe's steps.")
@click.option("--support", "support_cases", multiple=True, metavar="CASE", help="With --method: only these supports.")
@click.option(
    "--option",
    "method_options",
    multiple=True,
    metavar="KEY=VALUE",
    help="With --method: an option of it, as insertions=2.",
)
@click.option("--phase", "targets", multiple=True, help="Propose for these phases only.")
@ROUND
@job_options
def propose(data: Path, **options: Any) -> int:
    return _go("propose", data, options)


@click.command(help="Judge this round's proposals and choose those to train on.")
@cohort_options
@recipe_options
@ROUND
@job_options
def score(data: Path, **options: Any) -> int:
    return _go("score", data, options)


@click.command(help="Train on the expert, reviewed and chosen labels of a round.")
@cohort_options
@recipe_options
@click.option(
    "--preset",
    help="Network and training preset: default, resenc-m, -l, -xl, stunet-s, -b, -l, -h, small, cpu.",
)
@click.option("--method", help="supervised, or with unlabelled images too: cps, mean-teacher, bcp, midss.")
@click.option("--network", metavar="PRESET", help="The network of another preset, in this one's geometry.")
@click.option("--folds", type=click.IntRange(1, 20), help="Number of folds.")
@click.option("--init", metavar="WEIGHTS", help="Begin with models:NAME, a model folder or a checkpoint file.")
@ROUND
@job_options
def train(data: Path, init: str | None, **options: Any) -> int:
    if init is not None:
        # The job runs elsewhere; a name of the catalogue stays as it is.
        options["init"] = init if init.startswith("models:") else str(Path(init).absolute())
    return _go("train", data, options)


@click.command(help="Compare ways to learn on DATA: same labelled studies, same network, same iterations.")
@cohort_options
@click.option("--methods", help="With commas: supervised, pseudo, cps, mean-teacher, bcp, midss. [all]")
@click.option("--labelled", metavar="N,N,…", help="Numbers of labelled studies. [2,4,8]")
@click.option("--seeds", type=click.IntRange(1), help="Random choices of each number. [3]")
@click.option("--phase", "targets", multiple=True, help="Phases to train and test on. [GED4]")
@click.option("--test", type=click.IntRange(1), help="Number of test studies. [a third of those with a true mask]")
@TRUTH
@click.option("--preset", help="Network and training preset. [default on a GPU, cpu without]")
@click.option("--network", metavar="PRESET", help="The network of another preset, in this one's geometry.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change the training, as epochs=8.")
@click.option("--edges", is_flag=True, help="Move the borders of all predictions to the edges of the image.")
@click.option("--name", help="Folder of the comparison in the workspace. [preset, network and phases]")
@PSEUDONYMS
@job_options
def compare(data: Path, **options: Any) -> int:
    return _go("compare", data, options)


@click.command(help="Segment every phase of DATA with the last trained model.")
@cohort_options
@recipe_options
@click.option("--model", type=click.Path(path_type=Path), help="A model folder. [the last round's]")
@click.option("--output", type=click.Path(path_type=Path), help="Where the masks go. [the workspace]")
@click.option("--care", is_flag=True, help="Write CARE's submission layout.")
@click.option("--phase", "targets", multiple=True, help="Predict these phases only.")
@job_options
def predict(data: Path, **options: Any) -> int:
    return _go("predict", data, options)


@click.command(help="Measure proposals and predictions against true masks.")
@cohort_options
@recipe_options
@TRUTH
@job_options
def evaluate(data: Path, **options: Any) -> int:
    return _go("evaluate", data, options)


@click.command(help="Write the HTML report of what has been done so far.")
@cohort_options
@recipe_options
@TRUTH
@PSEUDONYMS
@job_options
def report(data: Path, **options: Any) -> int:
    return _go("report", data, options)


@click.command(help="Generate the built-in study in FOLDER and run the whole loop on it.")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("demo"))
@click.option("--recipe", default="demo", show_default=True, help="A shipped recipe, or a YAML file.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change the recipe.")
@PSEUDONYMS
@job_options
def demo(folder: Path, **options: Any) -> int:
    return _go("demo", folder / "data", {"workspace": folder / "workspace", **options})
