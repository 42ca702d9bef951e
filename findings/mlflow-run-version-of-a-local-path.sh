#!/bin/sh
# mlflow 3.17.2: `mlflow run . -v main` does not run a copy of main; it changes the caller's clone.
#
# A git address is cloned into a temporary folder. A local path is not copied, also not with `-v`:
# MLflow fetches the version with depth 1 into the clone it was called from and checks it out there.
# The clone is on another branch afterwards, is shallow, and its history ends at one commit.
#
# Seen: "before: work, 3 commits, whole" and "after: main, 1 commits, shallow".
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mlflow==3.17.2
cd "$folder"
git init -q -b main origin
cd origin
git config user.name Somebody
git config user.email somebody@example.org
printf 'name: a\nentry_points:\n  main:\n    command: "true"\n' > MLproject
git add MLproject
for number in 1 2 3; do git commit -q --allow-empty -m "$number"; done
cd ..
git clone -q "file://$folder/origin" clone
cd clone
git checkout -q -b work
state() {
    if [ "$(git rev-parse --is-shallow-repository)" = true ]; then kind=shallow; else kind=whole; fi
    echo "$(git rev-parse --abbrev-ref HEAD), $(git rev-list --count HEAD) commits, $kind"
}
before=$(state)
MLFLOW_DISABLE_TELEMETRY=true ../venv/bin/mlflow run . -v main --env-manager local > ../log 2>&1 \
    || { cat ../log; exit 1; }
after=$(state)
echo "before: $before"
echo "after: $after"
[ "$before" = "work, 3 commits, whole" ]
[ "$after" = "main, 1 commits, shallow" ]
