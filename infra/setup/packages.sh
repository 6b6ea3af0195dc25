#!/bin/sh
# Debian's packages that Mailhaul needs and this machine lacks; nothing else is touched, and no service is started.
# usage: packages.sh demo    Python, Java, Maven, Dovecot
#        packages.sh test    the same and PostgreSQL
# As root it installs; with sudo it asks sudo; otherwise it prints the one command to run.
set -eu
purpose=${1:-demo}
self=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
policy=/usr/sbin/policy-rc.d
aside=$policy.before-mailhaul
cluster=/etc/postgresql-common/createcluster.d/mailhaul-setup.conf

have() { command -v "$1" >/dev/null 2>&1; }

java_is_new_enough() {
    major=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
    [ "${major:-0}" -ge 17 ]
}

python_is_ready() {
    have uv || python3 -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

wanted() {
    python_is_ready || echo python3-venv
    [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
    { have java && java_is_new_enough; } || echo openjdk-17-jre-headless
    { have mvn || [ -n "${KAFKA_HOME:-}" ]; } || echo maven
    [ -x /usr/lib/dovecot/imap ] || echo dovecot-imapd
    [ -x /usr/lib/dovecot/pop3 ] || echo dovecot-pop3d
    [ "$purpose" != test ] || have initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || echo postgresql
}

# An installed service would start at once and take ports 143, 993 and 5432. A policy of the machine's own that already
# refuses stays; any other stands aside while we install and comes back.
refuse_services() {
    if [ -e "$aside" ]; then mv "$aside" "$policy"; fi
    if [ -e "$policy" ]; then
        answer=0
        "$policy" dovecot start >/dev/null 2>&1 || answer=$?
        [ "$answer" = 101 ] && return
        mv "$policy" "$aside"
    fi
    printf '#!/bin/sh\n# Put here by Mailhaul while it installs packages.\nexit 101\n' >"$policy"
    chmod 755 "$policy"
}

allow_services() {
    if [ -e "$policy" ] && grep -q 'Put here by Mailhaul' "$policy"; then rm -f "$policy"; fi
    if [ -e "$aside" ]; then mv "$aside" "$policy"; fi
    rm -f "$cluster"
}

install_as_root() {
    # The lock of another setup beside this one: whoever comes second finds nothing left to do.
    exec 9</var/lib/dpkg
    flock 9
    packages=$(wanted)
    [ -n "$packages" ] || exit 0
    trap allow_services EXIT
    trap 'exit 1' HUP INT TERM
    refuse_services
    # PostgreSQL's package would make and start a cluster of its own.
    mkdir -p "$(dirname "$cluster")"
    echo 'create_main_cluster = false' >"$cluster"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    # shellcheck disable=SC2086 # one word for each package
    if ! { apt-get -qq -o DPkg::Lock::Timeout=600 update &&
        apt-get -qq -y -o DPkg::Lock::Timeout=600 install --no-install-recommends $packages; } >"$log" 2>&1; then
        tail -30 "$log" >&2
        echo "The packages could not be installed; the whole log is $log" >&2
        exit 1
    fi
    rm -f "$log"
}

packages=$(wanted | tr '\n' ' ')
[ -n "$packages" ] || exit 0

if ! have apt-get; then
    echo "Please install what Debian calls: $packages" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    echo "Installing $packages(no service is started)"
    install_as_root
elif have sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    echo "Mailhaul needs these Debian packages: $packages"
    sudo sh "$self" "$purpose"
else
    echo "Mailhaul needs these Debian packages: $packages" >&2
    echo "Run this once as root, then try again:" >&2
    echo "    sh $self $purpose" >&2
    exit 1
fi
