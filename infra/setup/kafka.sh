#!/bin/sh
# The broker's jars: resolved by Maven from infra/kafka/pom.xml into the user's cache, once for each state of the pom.
# Side by side with itself it is safe: one fills a folder of its own, moves it into place, and the others find it there.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
pom=$here/kafka/pom.xml

if [ -n "${KAFKA_HOME:-}" ] || command -v kafka-server-start >/dev/null 2>&1 || command -v kafka-server-start.sh >/dev/null 2>&1; then
    exit 0 # the user's own Kafka is used; mailhaul/stack/kafka_home.py says in which order
fi

version=$(sed -n 's#.*<kafka.version>\(.*\)</kafka.version>.*#\1#p' "$pom")
digest=$(sha256sum "$pom" | cut -c1-8)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mailhaul
target=$cache/kafka-$version-$digest
[ -d "$target/lib" ] && exit 0

mkdir -p "$cache"
exec 9<"$cache"
flock 9
[ -d "$target/lib" ] && exit 0

echo "Fetching Apache Kafka $version (about 45 MB) into $target"
new=$(mktemp -d "$cache/new.XXXXXX")
trap 'rm -rf "$new"' EXIT
trap 'exit 1' HUP INT TERM
if ! mvn -B -l "$new/maven.log" -f "$pom" dependency:copy-dependencies -DoutputDirectory="$new/lib" >/dev/null 2>&1; then
    grep -E '^\[(ERROR|FATAL)\]' "$new/maven.log" | head -20 >&2
    exit 1
fi
rm "$new/maven.log"
chmod 755 "$new"
mv -T "$new" "$target"
trap - EXIT
