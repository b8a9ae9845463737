#!/bin/sh
# Sets up the machine, then runs every check and test of the project.
set -eu
"$(dirname "$0")/setup.sh"
"$(dirname "$0")/check.sh"
