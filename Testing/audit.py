"""Whether a version that the tests pass with is known to be vulnerable: ``pip-audit`` on ``constraints.txt``, in words.

Exit code 1 only where a newer version mends it: then there is something to do, and no later than now. What cannot be
mended yet is said aloud each time, and what could not be asked is said to be so: behind some mirrors every package is
unknown, which ``pip-audit`` itself calls "no known vulnerabilities".
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"
ANSWER_S = 5
LIMIT_S = 120.0


def main() -> int:
    """Ask and tell; the exit code."""
    lines, code = told(*asked())
    sys.stdout.write("\n".join(lines) + "\n")
    return code


def asked(constraints: Path = CONSTRAINTS, limit_s: float = LIMIT_S) -> tuple[str, str]:
    """What ``pip-audit`` says on its two streams; the first empty: nothing."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(constraints), "--no-deps", "--disable-pip"]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", str(ANSWER_S)]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        return "", f"no answer in {limit_s:g} s"
    return answer.stdout, answer.stderr


def told(answer: str, complaint: str) -> tuple[list[str], int]:
    """An answer in lines for people, and the exit code."""
    try:
        packages: list[dict[str, Any]] = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        reasons = [line for line in complaint.splitlines() if line.strip() and not line.startswith("WARNING")]
        return [f"audit: not done – the source cannot be reached ({(reasons or ['no answer'])[-1].strip()[:160]})"], 0
    known = [package for package in packages if "skip_reason" not in package]
    unknown = sorted(package["name"] for package in packages if "skip_reason" in package)
    if len(known) <= len(packages) / 2:
        return [f"audit: not done – the source knows {len(known)} of {len(packages)} packages (a mirror?)"], 0
    lines, code = [], 0
    for package in known:
        for found in package["vulns"]:
            mended = ", ".join(found["fix_versions"])
            names = " ".join([found["id"], *found.get("aliases", ())])
            remedy = f"mended in {mended}: raise it in constraints.txt" if mended else "NOT MENDED YET by its authors"
            lines.append(f"audit: {package['name']} {package['version']} is vulnerable ({names}) – {remedy}")
            code = 1 if mended else code
    if not lines:
        lines.append(f"audit: {len(known)} packages, none known to be vulnerable")
    if unknown:
        lines.append(f"audit: not known to the source: {', '.join(unknown)}")
    return lines, code


if __name__ == "__main__":
    sys.exit(main())
