"""``python -m Testing.crash --kills 1000 --seed 1``: begun again with the same folder and seed, it goes on."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from Testing.crash import faults
from Testing.crash.forking import ONE_THREAD


def main() -> int:
    """Entry point; the exit code is 1 if a kill was not survived."""
    parser = argparse.ArgumentParser(prog="python -m Testing.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="over all verbs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--refusals", type=int, help="instead: of each kind, full disks, lost shares …")
    parser.add_argument("--verbs", help="with commas; all by default")
    parser.add_argument("--folder", type=Path, default=Path("build/crash"), help="results, and what a fault has left")
    options = parser.parse_args()
    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if "LD_PRELOAD" not in os.environ and not faults.why_not():
        environment = {**faults.preloaded(folder), **ONE_THREAD}
        os.execve(sys.executable, [sys.executable, "-m", "Testing.crash", *sys.argv[1:]], environment)
    from Testing.crash.campaign import VERBS

    names = options.verbs.split(",") if options.verbs else list(VERBS)
    if options.refusals is not None:
        return _refusals(folder, names, options.refusals, options.seed)
    return _campaign(folder, names, options.kills, options.seed)


def _campaign(folder: Path, names: list[str], kills: int, seed: int) -> int:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from Testing.crash.campaign import Campaign, LeftBehind, plan, record

    console = Console(stderr=True)
    wanted = plan(names, kills)
    console.print("Kills: " + ", ".join(f"{name} {count}" for name, count in wanted.items()))
    if faults.why_not():
        console.print(f"At moments only: to kill at writes {faults.why_not()}")
    results = folder / f"seed-{seed}.jsonl"
    known = _known(results)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("uninterrupted", total=sum(wanted.values()))
        campaign = Campaign(folder / "place", names, seed, lambda what: progress.update(task, description=f"{what:24}"))
        for verb in campaign.verbs:
            progress.update(task, description=f"{verb.name:24}")
            done, number = 0, 0
            while done < wanted[verb.name]:
                chain = known.get((verb.name, number))
                if chain is None:
                    try:
                        chain = record(campaign.chain(verb, number, wanted[verb.name] - done))
                    except LeftBehind as left:
                        kill = {"where": "", "who": "", "survived": False, "faults": [str(left)]}
                        chain = {"verb": verb.name, "number": number, "kills": [kill], "seconds": 0.0}
                    with results.open("a") as file:
                        file.write(json.dumps(chain) + "\n")
                    for kill in chain["kills"]:
                        if not kill["survived"]:
                            console.print(
                                f"{verb.name} {number}, killed {kill['where']} ({kill['who']}):", *kill["faults"]
                            )
                            _keep(folder, verb.name, number)
                known[verb.name, number] = chain
                done += len(chain["kills"])
                number += 1
                progress.update(task, advance=len(chain["kills"]))
    table = _table(known, names)
    (folder / "results.json").write_text(json.dumps({"seed": seed, "verbs": table}, indent=1))
    print(_text(table))
    return 0 if all(row["tried"] == row["survived"] for row in table.values()) else 1


def _refusals(folder: Path, names: list[str], tries: int, seed: int) -> int:
    from Testing.crash.campaign import REFUSALS, Campaign

    campaign = Campaign(folder / "place", names, seed, lambda what: print(what, file=sys.stderr))
    made = {name: [0, 0] for name in REFUSALS}
    for name in REFUSALS:
        for number in range(tries):
            verb = campaign.verbs[number % len(campaign.verbs)]
            refusal = campaign.refused(verb, name, number)
            if refusal is None:
                continue
            made[name][0] += 1
            made[name][1] += refusal.survived
            print(f"{name}: {verb.name} {refusal.where}", file=sys.stderr)
            if not refusal.survived:
                print("  NOT SURVIVED:", *refusal.faults, sep="\n  ", file=sys.stderr)
                _keep(folder, f"{name}-{verb.name}".replace(" ", "-"), number)
    print(json.dumps({name: {"tried": tried, "survived": survived} for name, (tried, survived) in made.items()}))
    return 0 if all(tried == survived for tried, survived in made.values()) else 1


def _known(results: Path) -> dict[tuple[str, int], dict[str, Any]]:
    if not results.is_file():
        return {}
    chains = [json.loads(line) for line in results.read_text().splitlines() if line.endswith("}")]
    return {(chain["verb"], chain["number"]): chain for chain in chains}


def _keep(folder: Path, verb: str, number: int) -> None:
    """Keep what a fault has left."""
    import shutil

    shutil.rmtree(folder / f"{verb}-{number}", ignore_errors=True)
    shutil.copytree(folder / "place" / "trial", folder / f"{verb}-{number}")
    shutil.copy(folder / "place" / "log.txt", folder / f"{verb}-{number}" / "log.txt")


def _table(known: dict[tuple[str, int], dict[str, Any]], names: list[str]) -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = {}
    for name in names:
        chains = [chain for (verb, _), chain in sorted(known.items()) if verb == name]
        kills = [kill for chain in chains for kill in chain["kills"]]
        kinds: dict[str, int] = defaultdict(int)
        for kill in kills:
            kinds[
                "at a moment" if kill["where"].startswith("after ") and " s" in kill["where"][-2:] else "at a call"
            ] += 1
        table[name] = {
            "tried": len(kills),
            "survived": sum(kill["survived"] for kill in kills),
            "seconds": round(sum(chain["seconds"] for chain in chains), 1),
            **kinds,
        }
    return table


def _text(table: dict[str, dict[str, Any]]) -> str:
    lines = [f"{'verb':10} {'kills':>6} {'survived':>9} {'at calls':>9} {'seconds':>8}"]
    for name, row in table.items():
        calls = row.get("at a call", 0)
        lines.append(f"{name:10} {row['tried']:6} {row['survived']:9} {calls:9} {row['seconds']:8.0f}")
    total = [sum(row.get(key, 0) for row in table.values()) for key in ("tried", "survived", "at a call", "seconds")]
    lines.append(f"{'in all':10} {total[0]:6} {total[1]:9} {total[2]:9} {total[3]:8.0f}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
