#!/bin/bash
# Charts from repositories and registries, and who signed them. Where helm is there, both programs share folders and servers.
. "$(dirname "$0")/lib.sh"
for HELM in "$(command -v helm)" "$ROOT/build/peers/helm"; do [ ! -x "$HELM" ] || break; done
cp -r "$ROOT/charts/demo" "$DIR/demo" && mkdir "$DIR/www" "$DIR/got"
cd "$DIR" || exit 1
export HOME=$DIR/home GNUPGHOME=$DIR/gnupg
unset XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME http_proxy https_proxy HTTP_PROXY HTTPS_PROXY
mkdir -p "$HOME"
t() { "$TUTTI" helm "$@"; }
for version in 0.1.0 0.2.0 1.0.0-rc.1 1.0.0+build.5; do t package demo -d www --version $version >/dev/null; done
PORT=$(free_port)
S=127.0.0.1:$PORT
python3 "$ROOT/tests/e2e/charts.py" "$DIR/www" "$PORT" &
SERVER=$!
trap 'kill $SERVER' EXIT
must "an index" t repo index www --url "http://$S"
until_ok 5 curl -s "http://$S/index.yaml"

expect "a repository is added" '"demo" has been added' t repo add demo "http://$S"
expect "once" "already exists with the same configuration" t repo add demo "http://$S"
refuse "a name has one address" "already exists, please specify a different name" t repo add demo "http://$S/private"
refuse "without a password" "failed to fetch http://$S/private/index.yaml : 401 Unauthorized" t repo add priv "http://$S/private"
check "with a password" t repo add priv "http://$S/private" --username me --password secret
check "the password is for nobody else to read" test "$(stat -c %a "$HOME/.config/helm/repositories.yaml")" = 600
expect "updated" "Update Complete." t repo update
expect "listed" '"name":"demo"' t repo list -o json
expect "the newest release is found" "demo/demo	1.0.0+build.5" t search repo demo
expect "of all versions" "demo/demo	0.1.0" t search repo -l demo/
expect "in a range" '"version":"0.2.0"' t search repo demo --version '<1' -o json
expect "by a pattern" "1.0.0+build.5" t search repo -r '^de.o'
expect "in a hub" "https://hub.test/web" t search hub web --endpoint "http://$S/hub"

check "pulled by name" t pull demo/demo --version '~0.1'
check "what was packed" cmp demo-0.1.0.tgz www/demo-0.1.0.tgz
check "unpacked" t pull demo/demo --version 0.2.0 --untar --untardir got
expect "shown" "version: 0.2.0" t show chart got/demo
refuse "not over a folder" "already exists" t pull demo/demo --untar --untardir got
check "with the repository's password" t pull priv/demo -d got
refuse "no password follows to another host" "401" t pull demo --repo "http://$S/private"
check "a redirect is followed" t pull demo --repo "http://$S/moved" --username me --password secret -d got
refuse "no such chart" 'chart "nope" matching  not found in demo index' t pull demo/nope
refuse "no such repository" "repo nope not found" t pull nope/demo
expect "rendered from a repository" "kind: Service" t template x demo/demo --version 0.2.0

expect "pushed" "Pushed: $S/charts/demo:0.2.0" t push www/demo-0.2.0.tgz "oci://$S/charts" --plain-http
check "with a plus sign" t push www/demo-1.0.0+build.5.tgz "oci://$S/charts" --plain-http
check "and more than a page of tags" t push www/demo-0.1.0.tgz "oci://$S/charts" --plain-http
rm -f *.tgz
expect "the newest is pulled" "Pulled: $S/charts/demo:1.0.0_build.5" t pull "oci://$S/charts/demo" --plain-http
check "under its own name" cmp demo-1.0.0+build.5.tgz www/demo-1.0.0+build.5.tgz
check "a range of tags" t pull "oci://$S/charts/demo" --version '<0.2' --plain-http
check "found over pages" cmp demo-0.1.0.tgz www/demo-0.1.0.tgz
refuse "no TLS without being told so" "first record does not look like a TLS handshake" t pull "oci://$S/charts/demo"
check "with a token" t push www/demo-0.2.0.tgz "oci://$S/token/charts" --plain-http
check "pulled with a token" t pull "oci://$S/token/charts/demo" --plain-http -d got
refuse "wanted: a password" "basic credential not found" t push www/demo-0.2.0.tgz "oci://$S/private/charts" --plain-http
refuse "a wrong password" "response status code 401" t registry login "$S" --plain-http -u me -p wrong
login() { echo secret | t registry login "$S" --plain-http -u me --password-stdin; }
expect "logged in" "Login Succeeded" login
check "for oneself only" test "$(stat -c %a "$HOME/.config/helm/registry/config.json")" = 600
check "pushed with what is kept" t push www/demo-0.2.0.tgz "oci://$S/private/charts" --plain-http
expect "logged out" "Removing login credentials for $S" t registry logout "$S"
refuse "and forgotten" "basic credential not found" t pull "oci://$S/private/charts/demo" --plain-http
t push www/demo-0.2.0.tgz "oci://$S/bad/charts" --plain-http >/dev/null 2>&1
refuse "a blob with another digest" "mismatched digest" t pull "oci://$S/bad/charts/demo" --plain-http
refuse "no such chart in the registry" "not found" t pull "oci://$S/charts/nope" --version 1.0.0 --plain-http

mkdir -p parent/templates
cat >parent/Chart.yaml <<CHART
apiVersion: v2
name: parent
version: 1.0.0
dependencies:
- {name: demo, version: "~0.2", repository: "@demo"}
- {name: cache, version: 0.1.0, repository: "file://../demo/charts/cache"}
CHART
expect "dependencies of a repository" "Downloading demo from repo http://$S" t dependency update parent
check "are there" test -f parent/charts/demo-0.2.0.tgz -a -f parent/charts/cache-0.1.0.tgz
rm parent/charts/*
expect "again by the lock" "Saving 2 charts" t dependency build parent --skip-refresh
sed -i 's/~0.2/~0.1/' parent/Chart.yaml
refuse "a lock of other dependencies" "out of sync" t dependency build parent --skip-refresh
sed -i "s|~0.1\", repository: \"@demo\"|*\", repository: \"oci://$S/charts\"|" parent/Chart.yaml
check "dependencies in a registry" t dependency update parent --plain-http
check "outdated ones go" test -f "parent/charts/demo-1.0.0+build.5.tgz" -a ! -f parent/charts/demo-0.2.0.tgz

if command -v gpg >/dev/null; then
    mkdir -m 700 "$GNUPGHOME"
    gpg --batch --quiet --passphrase '' --quick-gen-key 'Signer <signer@test>' ed25519 sign never 2>/dev/null
    gpg --batch --quiet --export >pub.gpg 2>/dev/null
    gpg --batch --quiet --pinentry-mode loopback --passphrase '' --export-secret-keys >sec.gpg 2>/dev/null
    gpgconf --kill all
    check "signed" t package demo -d signed --sign --key signer --keyring sec.gpg
    expect "verified" "Signed by: Signer <signer@test>" t verify signed/demo-0.1.0.tgz --keyring pub.gpg
    refuse "a public key signs nothing" "provided key is not a private key" t package demo -d got --sign --key signer --keyring pub.gpg
    check "pushed with its signature" t push signed/demo-0.1.0.tgz "oci://$S/signed" --plain-http
    expect "verified from the registry" "Chart Hash Verified" t pull "oci://$S/signed/demo" --plain-http --verify --keyring pub.gpg -d got
    sed 's/^name: demo/name: dem0/' signed/demo-0.1.0.tgz.prov >forged && cp forged got/demo-0.1.0.tgz.prov
    refuse "a changed message" "openpgp: invalid signature" t verify got/demo-0.1.0.tgz --keyring pub.gpg
    cp signed/demo-0.1.0.tgz.prov got && echo >>got/demo-0.1.0.tgz
    refuse "a changed chart" "sha256 sum does not match" t verify got/demo-0.1.0.tgz --keyring pub.gpg
    refuse "unsigned" "failed to fetch provenance" t pull demo/demo --verify --keyring pub.gpg -d got
fi

if [ -x "$HELM" ]; then
    expect "helm sees our repositories" "http://$S" "$HELM" repo list
    check "helm updates them" "$HELM" repo update demo
    same() { diff <("$HELM" "$@" 2>&1) <(t "$@" 2>&1); }
    check "the same search" same search repo -l demo/
    check "the same manifest is pushed" same push www/demo-0.2.0.tgz "oci://$S/both" --plain-http
    check "helm pulls what we pushed" "$HELM" pull "oci://$S/charts/demo" --plain-http --version 0.2.0 -d got
    login >/dev/null 2>&1
    check "helm uses our login" "$HELM" pull "oci://$S/private/charts/demo" --plain-http -d got
    if [ -f pub.gpg ]; then
        check "helm verifies our signature" "$HELM" verify signed/demo-0.1.0.tgz --keyring pub.gpg
        check "helm signs" "$HELM" package demo -d theirs --sign --key signer --keyring sec.gpg
        check "and we verify" t verify theirs/demo-0.1.0.tgz --keyring pub.gpg
    fi
else
    skipped=$((skipped + 1))
    echo "skipped: no helm on the PATH or in build/peers"
fi
# unexplained [COMMAND…]: flags of the command and of those below it that --help has no word for.
unexplained() {
    local text name
    text=$("$TUTTI" helm "$@" --help)
    sed -n '/^Flags:/,$p' <<<"$text" | grep -E '^ +(-., )?--[a-z-]+( [a-zA-Z]+)? *$|\(null\)' | sed "s/^/$*:/"
    for name in $(sed -n '/^Available Commands:/,/^$/p' <<<"$text" | awk 'NR > 1 && NF { print $1 }'); do
        unexplained "$@" "$name"
    done
}
check "every flag is explained" test -z "$(unexplained)"
finish
