#!/bin/sh
# One verb for each thing a user or a contributor does with a checkout; `./suite.sh help` lists them.
#
# Every verb does its own set-up: Python is found, .venv is filled from a lock file whose hashes pip checks, and
# a stamp in .venv remembers it, so the second start is instant. Works from any directory, as root or not; as root
# a missing Debian package is installed, otherwise the one line that installs it is printed.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd -P)
venv=$root/.venv
python=$venv/bin/python
runtime_lock=$root/deploy/requirements.lock
test_lock=$root/tests/requirements.lock

main() {
    verb=${1:-help}
    [ $# -eq 0 ] || shift
    case $verb in
        run) run_suite "$@" ;;
        test) run_tests "$@" ;;
        setup) set_up && install_test_packages ;;
        lint) lint ;;
        format) format ;;
        bench) bench "$@" ;;
        soak) soak "$@" ;;
        lab) lab "$@" ;;
        lock) lock "$@" ;;
        help | -h | --help) usage ;;
        *) run_verb "$verb" "$@" ;;
    esac
}

usage() {
    cat <<'HELP'
usage: ./suite.sh VERB [ARGUMENTS]

  run [OPTIONS]      start everything: the sample in deploy/examples, or your own with --config, --manifests, --database
  test [PYTEST]      run every test this machine can run; as root, install what the rings need first
  setup              install what tests and linters need: .venv, and as root the Debian packages
  lint               ruff, formatting, mypy, import contracts, shellcheck
  format             let ruff format and fix the code
  bench [NAME ...]   run the benchmarks in tests/bench, all or the named ones
  soak [PYTEST]      run the tests that take longer than a build may
  lab [ARGUMENTS]    act out both stories in network namespaces, as root (where tests/lab is there)
  lock [--upgrade|--check]
                     write both lock files from pyproject.toml, or only check that every wheel exists
  help               this text

Any other verb is the program's own: `./suite.sh status` is `suite status` on this checkout's state in .state.
SUITE_PYTHON names another Python (3.11 or later) to make .venv with.
HELP
}

# ---- running ------------------------------------------------------------------------------------------------------

run_suite() {
    prepare "$runtime_lock"
    sample=yes
    state=default
    for argument; do
        case $argument in
            --config | --config=* | --manifests | --manifests=* | --kube* | --follow | --follow=*) sample=no ;;
            --state | --state=*) state=given ;;
            --help | -h) sample=no state=given ;;
        esac
    done
    [ $state = given ] || set -- --state "$root/.state" "$@"
    [ $sample = no ] || set -- --config "$root/deploy/examples/suite.yaml" --manifests "$root/deploy/examples/manifests" "$@"
    start -m suite run "$@"
}

run_verb() {
    prepare "$runtime_lock"
    STATE_DIRECTORY=${STATE_DIRECTORY:-$root/.state}
    export STATE_DIRECTORY
    start -m suite "$@"
}

# Replaces this shell, so that one process group and one signal are all there is. -P keeps the caller's directory
# off the module path: somebody's own folder `suite` must not be started instead.
start() {
    PYTHONPATH=$root
    SUITE_COMMAND=${SUITE_COMMAND:-./suite.sh}
    export PYTHONPATH SUITE_COMMAND
    exec "$python" -P "$@"
}

# ---- testing ------------------------------------------------------------------------------------------------------

run_tests() {
    unset PYTHONDONTWRITEBYTECODE # hundreds of tests start the program, and compiling it takes longer than its start
    set_up
    install_test_packages
    cd "$root"
    if [ $# -gt 0 ]; then
        exec "$python" -m pytest "$@"
    fi
    # The fast rings use every core, test by test, without one plugin whose import takes longer than most of their
    # folders. The others wait more than they compute: a lane for each core, four at most, because daemons that
    # are starved of time are late for each other. A file stays in one lane, since its tests may share a network.
    "$python" -m pytest -n auto -p no:schemathesis tests/unit tests/property
    exec "$python" -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
        --ignore=tests/unit --ignore=tests/property tests
}

soak() {
    set_up
    install_test_packages
    cd "$root"
    exec "$python" -m pytest --soak -m soak "$@"
}

# A benchmark is a script bench*.py below tests/bench that prints its own table; its name is its folder's or its own.
bench() {
    set_up
    cd "$root"
    [ $# -gt 0 ] || set -- '*'
    for name; do
        [ -n "$(benchmarks "$name")" ] || fail "there is no benchmark $name in tests/bench"
    done
    for name; do
        benchmarks "$name" | while read -r file; do
            say "$file"
            PYTHONPATH=$root:$root/tests "$python" "$file" </dev/null
        done
    done
}

benchmarks() {
    find tests/bench -name 'bench*.py' \( -path "*/$1/*" -o -name "bench_$1.py" \) 2>/dev/null | sort
}

lab() {
    [ -f "$root/tests/lab/lab.py" ] || fail 'this version has no lab (tests/lab/lab.py)'
    set_up
    cd "$root"
    exec env PYTHONPATH="$root:$root/tests" "$python" tests/lab/lab.py "$@"
}

lint() {
    set_up
    cd "$root"
    failed=
    step 'ruff check' "$python" -m ruff check .
    step 'ruff format' "$python" -m ruff format --check .
    step 'mypy' "$python" -m mypy
    step 'import contracts' env PYTHONPATH="$root/tests" "$python" tests/import_contracts.py
    if command -v shellcheck >/dev/null; then
        step 'shellcheck' shellcheck suite.sh .ci/run
    else
        say 'shellcheck is not installed: shell scripts were not checked'
    fi
    [ -z "$failed" ] || fail "lint found something:$failed"
}

step() {
    name=$1
    shift
    say "$name"
    "$@" || failed="$failed${failed:+,} $name"
}

format() {
    set_up
    cd "$root"
    "$python" -m ruff format .
    exec "$python" -m ruff check --fix .
}

# ---- set-up -------------------------------------------------------------------------------------------------------

set_up() {
    prepare "$test_lock"
}

# Fill .venv from a lock file. The stamp holds the lock's hash and the interpreter, so a changed lock or
# an upgraded system Python is noticed without starting Python. The test lock holds the runtime lock
# (a test proves it), so both stamps are written then.
prepare() {
    is_prepared "$1" && return
    exec 9<"$root/suite.sh"
    flock 9 2>/dev/null || true # two first starts at once: the second waits, then finds all done
    if ! is_prepared "$1"; then
        "$python" -m pip --version >/dev/null 2>&1 || make_venv # none yet, half a one, or one of a Python that is gone
        say "installing $(grep -c == "$1") packages into .venv, once (about half a minute)"
        "$python" -m pip install -qq --no-input --disable-pip-version-check --require-hashes --no-deps \
            --only-binary=:all: --requirement "$1" >&2 || fail 'pip could not install the packages; the lines above say why'
        stamp "$runtime_lock" >"$venv/.stamp-runtime_lock"
        [ "$1" = "$runtime_lock" ] || stamp "$test_lock" >"$venv/.stamp-test_lock"
    fi
    exec 9<&-
}

is_prepared() {
    case $1 in "$runtime_lock") stamp_file=$venv/.stamp-runtime_lock ;; *) stamp_file=$venv/.stamp-test_lock ;; esac
    [ -x "$python" ] && [ -f "$stamp_file" ] && [ "$(cat "$stamp_file")" = "$(stamp "$1")" ]
}

stamp() {
    set -- "$(sha256sum <"$1")"
    echo "${1%% *} $(readlink -f -- "$python")"
}

make_venv() {
    find_python || { [ -z "${SUITE_PYTHON:-}" ] && install_python && find_python; } || fail_without_python
    say "making .venv with $("$found" --version)"
    "$found" -m venv --clear "$venv" >&2 || fail "$found could not make .venv"
}

# $SUITE_PYTHON if the user has a wish; else the system's Python, then whatever is on PATH. One without `ensurepip`
# cannot make a .venv (Debian splits it off into python3-venv).
find_python() {
    found='' too_old='' without_venv=''
    # shellcheck disable=SC2086
    for candidate in ${SUITE_PYTHON:-/usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11}; do
        command -v "$candidate" >/dev/null || continue
        version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        if ! "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            too_old="${too_old:-$candidate is $version}"
        elif ! "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
            without_venv=${without_venv:-$candidate}
        else
            found=$candidate
            return 0
        fi
    done
    return 1
}

install_python() {
    can_install || return 1
    say 'installing python3 and python3-venv'
    apt_install python3 python3-venv
}

fail_without_python() {
    [ -z "$too_old" ] || say "$too_old: too old"
    [ -z "$without_venv" ] || say "$without_venv has no venv and ensurepip"
    [ -z "${SUITE_PYTHON:-}" ] || fail "SUITE_PYTHON=$SUITE_PYTHON is no Python 3.11 or later with venv and ensurepip"
    if ! command -v apt-get >/dev/null; then
        fail 'Python 3.11 or later with its modules venv and ensurepip is needed; install it, then run this again'
    elif [ "$(id -u)" -eq 0 ]; then
        fail 'Debian 12, Ubuntu 24.04 or later have the Python 3.11 this needs; here apt-get did not give one'
    fi
    fail 'Python 3.11 or later with venv is needed. This installs it; then run the same command again:
  sudo apt-get install -y python3-venv'
}

# ---- Debian packages ----------------------------------------------------------------------------------------------

can_install() {
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null
}

# What the network and peer rings talk to. Daemons must not start: a test starts its own, in its own namespace.
install_test_packages() {
    missing=$(missing_test_packages)
    [ -n "$missing" ] || return 0
    if ! can_install; then
        say "not installed, tests that need them are skipped: $missing"
        return 0
    fi
    say "installing for the tests: $missing"
    trap allow_daemons EXIT
    trap 'exit 1' HUP INT TERM
    forbid_daemons
    # shellcheck disable=SC2086
    apt_install $missing || fail 'apt-get could not install what the tests need; the lines above say why'
    allow_daemons
    trap - EXIT HUP INT TERM
}

missing_test_packages() {
    command -v dpkg-query >/dev/null || return 0
    sed 's/#.*//' "$root/tests/apt-packages.txt" | while read -r package unless; do
        [ -z "$unless" ] || ! command -v "${unless#unless:}" >/dev/null || continue
        [ -z "$package" ] || [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            printf '%s ' "$package"
    done
}

policy=/usr/sbin/policy-rc.d

forbid_daemons() {
    if [ -e "$policy" ] && ! [ -e "$policy.before-suite" ]; then
        mv "$policy" "$policy.before-suite"
    fi
    printf '#!/bin/sh\n# made by suite.sh while test packages are installed\nexit 101\n' >"$policy"
    chmod 755 "$policy"
}

allow_daemons() {
    if [ -e "$policy.before-suite" ]; then
        mv "$policy.before-suite" "$policy"
    else
        rm -f "$policy"
    fi
}

# The package lists of a fresh machine are empty or old, so a failure is answered with one update. What apt says is
# shown only if it fails.
apt_install() {
    apt_log=$(mktemp)
    if apt install -y --no-install-recommends "$@" || { apt update && apt install -y --no-install-recommends "$@"; }; then
        rm -f "$apt_log"
    else
        cat "$apt_log" >&2
        rm -f "$apt_log"
        return 1
    fi
}

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" \
        </dev/null >"$apt_log" 2>&1
}

# ---- lock files ---------------------------------------------------------------------------------------------------

# uv resolves for every platform at once and knows which wheels exist without downloading them; it is used from a
# folder of its own and nothing else depends on it.
lock() {
    upgrade=
    case ${1:-} in
        '' | --check) ;;
        --upgrade) upgrade=--upgrade ;;
        *) fail "lock takes --upgrade or --check, not $1" ;;
    esac
    set_up
    cd "$root"
    uv_home=$(mktemp -d)
    trap 'rm -rf "$uv_home"' EXIT
    "$python" -m pip install --quiet --disable-pip-version-check --target "$uv_home" uv
    if [ "${1:-}" != --check ]; then
        compile deploy/requirements.lock
        compile tests/requirements.lock --extra dev
    fi
    for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_28; do
        for version in 3.11 3.12 3.13 3.14; do
            "$uv_home/bin/uv" pip install --quiet --dry-run --target "$uv_home/nothing" --no-deps --require-hashes \
                --only-binary=:all: --python-platform "$platform" --python-version "$version" -r tests/requirements.lock ||
                fail "a locked package has no wheel for $platform with Python $version"
            say "every locked package has a wheel for $platform with Python $version"
        done
    done
}

compile() {
    output=$1
    shift
    # shellcheck disable=SC2086
    "$uv_home/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
        --no-annotate --only-binary=:all: $upgrade "$@" --output-file "$output" pyproject.toml
}

# ---- words --------------------------------------------------------------------------------------------------------

say() {
    echo "suite.sh: $*" >&2
}

fail() {
    say "$*"
    exit 1
}

main "$@"
