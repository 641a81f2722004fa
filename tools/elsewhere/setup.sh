#!/usr/bin/env bash
# Gradescope runs this once, as root, when it builds the autograder's image.
set -euo pipefail
cd "$(dirname "$0")"
ENVIRONMENT=/opt/attention-lab

if ! command -v python3.11 >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3.11 python3.11-venv
fi
python3.11 -m venv "$ENVIRONMENT"
"$ENVIRONMENT/bin/pip" install --quiet --disable-pip-version-check -c requirements.lock -r requirements.txt

# The kit itself, with formulas and judges, stays in this folder, which the students' user cannot read;
# images and models move to where it can.
"$ENVIRONMENT/bin/pip" install --quiet --disable-pip-version-check --no-deps --upgrade --target kit ./*.whl
rm -rf "$ENVIRONMENT/data"
mv kit/utilities/share/data "$ENVIRONMENT/data"
ln -s "$ENVIRONMENT/data" kit/utilities/share/data
chmod -R go-rwx .
