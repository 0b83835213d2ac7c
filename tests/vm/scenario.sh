#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What an operator does by keystay-agent(8), and what then must be so. Runs as root in the machine that run.sh boots, once:
# /srv has the tests' server and a token. Prints "ok" or "FAIL" and a name, and at the end how many.
set -u
export LC_ALL=C SYSTEMD_PAGER=cat SYSTEMD_COLORS=0 PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin
SOCKET=/run/keystay/agent.sock TCP=127.0.0.1:4141 SERVER=127.0.0.1:8443 RESOURCE=https://graph.example
TENANT=5a1f6d3e-0b7c-4c58-8a55-2f3f0a9d4b17 CLIENT=c7b1f0d2-6f0e-4d6e-9a44-1d2b7c9e8f30
SERVICE=keystay-agent.service UNITS=/etc/systemd/system
n_passed=0 n_failed=0

# check NAME COMMAND...: the command's status decides.
check()
{
    name=$1
    shift
    if ("$@") >/run/check.log 2>&1; then
        n_passed=$((n_passed + 1))
        echo "ok    $name"
    else
        n_failed=$((n_failed + 1))
        sed 's/^/| /' /run/check.log
        journalctl -u keystay-agent -n 12 --no-pager | sed 's/^/|   /'
        echo "FAIL  $name"
    fi
}

# ask USER PATH: the status of the answer.
ask()
{
    setpriv --reuid "$1" --regid "$1" --clear-groups \
        curl -sS -o /dev/null -w '%{http_code}\n' --max-time 100 --unix-socket $SOCKET "http://localhost$2"
}

token_is() { [ "$(ask "$1" '/v1/token?profile=backup')" = "$2" ]; }
property() { systemctl show --property="$1" --value $SERVICE; }

# until_true SECONDS COMMAND...
until_true()
{
    seconds=$1
    shift
    while ! "$@"; do
        seconds=$((seconds - 1))
        [ $seconds -gt 0 ] || return 1
        sleep 1
    done
}

# drop_in UNIT NAME LINE...: the unit must be started again.
drop_in()
{
    mkdir -p "$UNITS/$1.d"
    drop_in_file=$UNITS/$1.d/$2.conf
    shift 2
    printf '%s\n' "$@" >"$drop_in_file"
    systemctl daemon-reload
}

server()
{
    systemd-run --quiet --unit=authserver python3 /srv/server/authserver.py --dir /srv/auth --listen $SERVER \
        --tenant $TENANT=fabrikam.example --client $CLIENT=/srv/token/cert.pem
    until_true 100 test -e /srv/auth/ready.json
    install -D -m 644 /srv/auth/ca.pem /etc/ssl/authserver.pem
}

configuration()
{
    cat <<HERE
[agent]
listen = $TCP

[profile backup]
authority = https://$SERVER
cacert = /etc/ssl/authserver.pem
tenant = fabrikam.example
client_id = $CLIENT
scope = $RESOURCE/.default
module = /usr/lib/softhsm/libsofthsm2.so
key = pkcs11:token=backup;id=%01
pin_source = ${1:-credential:pin}
pin_count_low = try

[grant nightly]
profile = backup
user = backup
unit = nightly.service

[grant reports]
profile = backup
user = backup
unit = reports.service
environment = yes

[grant transient]
profile = backup
group = operator
unit = transient.service
HERE
}

# As the manual page has it, with a token in SoftHSM.
install_as_told()
{
    systemd-sysusers
    install -D -m 600 /dev/stdin /etc/credstore/keystay.pin </srv/token/pin
    cp -r /srv/token/tokens/. /var/lib/softhsm/tokens/
    chown -R keystay:softhsm /var/lib/softhsm/tokens/*
    drop_in $SERVICE softhsm '[Service]' SupplementaryGroups=softhsm ReadWritePaths=/var/lib/softhsm/tokens
    drop_in keystay-agent.socket tcp '[Socket]' ListenStream=$TCP
    mkdir -p /etc/keystay
    configuration >/etc/keystay/keystay.conf
    systemctl enable --now keystay-agent.socket
}

starts_when_asked()
{
    [ "$(property ActiveState)" = inactive ] && [ "$(ask backup /healthz)" = 200 ] &&
        [ "$(property ActiveState)-$(property StatusText)" = active-serving ]
}

# Of a process, what the unit takes away.
is_confined()
{
    cat "/proc/$1/status" "/proc/$1/limits"
    grep -q '^Uid:.*\b'"$(id -u keystay)"'\b' "/proc/$1/status" && grep -q '^NoNewPrivs:.*1$' "/proc/$1/status" &&
        grep -q '^Seccomp:.*2$' "/proc/$1/status" && [ "$(grep -c '^Cap\(Prm\|Eff\|Bnd\):.*\s0*$' "/proc/$1/status")" = 3 ] &&
        grep -q '^Max locked memory *134217728' "/proc/$1/limits" && grep -q '^Max core file size *0 ' "/proc/$1/limits" &&
        grep -q ' / / ro' "/proc/$1/mountinfo" && grep -q '/inaccessible/dir /home ro' "/proc/$1/mountinfo" &&
        [ "$(readlink "/proc/$1/ns/mnt")" != "$(readlink /proc/1/ns/mnt)" ]
}

both_are_confined() { is_confined "$(property MainPID)" && is_confined "$(pgrep -x keystay-signer)"; }
memory_is_locked() { grep '^VmLck:' "/proc/$(property MainPID)/status" | grep -qv ' 0 kB'; }
pin_is_hidden() { ! setpriv --reuid keystay --regid keystay --clear-groups cat /etc/credstore/keystay.pin; }

# A hand-full of callers, one after the other, and none is turned away.
reloads_under_load()
{
    (for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do ask keystay '/v1/token?profile=backup'; done >/run/answers) &
    sleep 1
    systemctl reload $SERVICE && systemctl reload $SERVICE
    reloaded=$?
    wait $!
    cat /run/answers
    [ $reloaded = 0 ] && [ "$(sort /run/answers | uniq -c | tr -d ' ')" = 12200 ]
}

stops_and_starts()
{
    systemctl stop $SERVICE && [ "$(property Result)" = success ] && [ "$(property ActiveState)" = inactive ] &&
        ! pgrep -x keystay-signer && token_is keystay 200
}

restarts() { systemctl restart $SERVICE && token_is keystay 200; }

# Whoever asks meanwhile waits for the next agent.
survives()
{
    before=$(property MainPID)
    kill "-$1" "$before" && sleep 1 && token_is keystay 200 && [ "$(property MainPID)" != "$before" ]
}

survives_a_hang()
{
    survives STOP && journalctl -u $SERVICE --no-pager | grep -q 'Watchdog timeout'
}

# oneshot NAME LINE...: a service that prints the status of its answer.
oneshot()
{
    file=$UNITS/$1.service
    shift
    printf '%s\n' '[Unit]' Wants=$SERVICE After=$SERVICE '[Service]' Type=oneshot User=backup "$@" >"$file"
}

# As programs ask: a native one, and one with an SDK.
write_programs()
{
    cat >/usr/local/bin/native <<HERE
#!/bin/sh
exec curl -sS -o /dev/null -w 'status %{http_code}' --max-time 100 --unix-socket $SOCKET 'http://localhost/v1/token?profile=backup'
HERE
    cat >/usr/local/bin/sdk <<HERE
#!/bin/sh
exec curl -sS -o /dev/null -w 'status %{http_code}' --max-time 100 -H "X-IDENTITY-HEADER: \$IDENTITY_HEADER" \
    "\$IDENTITY_ENDPOINT?api-version=2019-08-01&resource=$RESOURCE"
HERE
    chmod 755 /usr/local/bin/native /usr/local/bin/sdk
}

make_callers()
{
    write_programs
    oneshot nightly ExecStart=/usr/local/bin/native
    oneshot daily ExecStart=/usr/local/bin/native
    oneshot reports EnvironmentFile=/run/keystay/reports.env ExecStart=/usr/local/bin/sdk
    oneshot other EnvironmentFile=/run/keystay/reports.env ExecStart=/usr/local/bin/sdk
    oneshot transient DynamicUser=yes User= SupplementaryGroups=operator ExecStart=/usr/local/bin/native
    systemctl daemon-reload
}

# unit_gets NAME STATUS
unit_gets()
{
    systemctl start "$1.service"
    journalctl -u "$1.service" --no-pager -o cat | grep '^status' | tail -1 | grep -qx "status $2"
}

# has_priority N TEXT: what the agent said so is in the journal with this priority, and with none else.
has_priority()
{
    journalctl -u $SERVICE --no-pager -o cat PRIORITY="$1" | grep -q "$2"
}

a_bad_configuration_ends_it()
{
    systemctl stop $SERVICE
    echo nonsense >/etc/keystay/keystay.conf
    ! systemctl start $SERVICE && sleep 7 && [ "$(property ActiveState)-$(property NRestarts)" = failed-0 ] &&
        has_priority 3 'keystay.conf'
}

is_mended()
{
    configuration >/etc/keystay/keystay.conf
    systemctl restart keystay-agent.socket && token_is keystay 200
}

a_wrong_pin_is_sent_once()
{
    echo 00000000 >/etc/credstore/keystay.pin
    for _ in 1 2; do
        systemctl restart $SERVICE
        token_is keystay 403 || return 1
    done
    install -m 600 /srv/token/pin /etc/credstore/keystay.pin
    journalctl -u $SERVICE --no-pager -o cat | grep -q 'refused before' && ls /var/lib/keystay && restarts
}

an_encrypted_credential()
{
    mkdir -m 700 /etc/credstore.encrypted
    systemd-creds --with-key=host --name=pin encrypt /srv/token/pin /etc/credstore.encrypted/keystay.pin
    rm /etc/credstore/keystay.pin
    drop_in $SERVICE pin '[Service]' LoadCredentialEncrypted=pin:keystay.pin
    restarts
}

# The agent of a user, whose files are his.
make_user()
{
    useradd -m alice && loginctl enable-linger alice
    install -d /home/alice/hsm /home/alice/.config/keystay /home/alice/.config/softhsm2
    cp -r /srv/token/tokens /srv/token/pin /home/alice/hsm/
    echo 'directories.tokendir = /home/alice/hsm/tokens' >/home/alice/.config/softhsm2/softhsm2.conf
    configuration tty | sed -n '/^\[profile/,/^$/p' >/home/alice/.config/keystay/keystay.conf
    chown -R alice: /home/alice
    until_true 60 test -S "/run/user/$(id -u alice)/systemd/private"
}

as_alice()
{
    (cd / && setpriv --reuid alice --regid alice --init-groups env -i HOME=/home/alice PATH="$PATH" \
        XDG_RUNTIME_DIR="/run/user/$(id -u alice)" KEYSTAY_CONFIG=/home/alice/.config/keystay/keystay.conf "$@")
}

of_a_user()
{
    as_alice systemctl --user enable --now keystay-agent.socket
    as_alice sed -i 's/^\[profile/[agent]\nsocket = \/run\/user\/'"$(id -u alice)"'\/keystay\/agent.sock\n\n&/' \
        /home/alice/.config/keystay/keystay.conf
    as_alice keystay agent unlock --pin-source file:/home/alice/hsm/pin backup &&
        as_alice keystay token --agent always backup | grep -q '^eyJ' &&
        as_alice systemctl --user reload keystay-agent && as_alice systemctl --user restart keystay-agent &&
        as_alice keystay agent status && as_alice systemctl --user stop keystay-agent
}

no_secret_was_logged() { ! journalctl --no-pager -o cat | grep -F -e eyJ -e "$(cat /srv/token/pin)"; }

server
check 'installed as keystay-agent(8) has it' install_as_told
drop_in $SERVICE times '[Service]' WatchdogSec=10 RestartSec=1
check 'the socket starts it' starts_when_asked
check 'its own user is given a token' token_is keystay 200
check 'root is not' token_is root 403
check 'agent and signer are confined' both_are_confined
check 'secrets are in locked memory' memory_is_locked
check 'it cannot read the file of the PIN' pin_is_hidden
check 'reloads, and no caller is turned away' reloads_under_load
check 'stops, and the socket starts it anew' stops_and_starts
check 'restarts behind the same socket' restarts
check 'starts again after kill -9' survives KILL
check 'starts again when the watchdog hears nothing' survives_a_hang
check 'callers' make_callers
check 'a unit that is granted a token gets it' unit_gets nightly 200
check 'another unit of the same user does not' unit_gets daily 403
check 'over TCP too, by NAME.env' unit_gets reports 200
check 'over TCP another unit does not' unit_gets other 403
check 'a dynamic user by its group' unit_gets transient 200
check 'a refusal is a warning in the journal' has_priority 4 'refused: a token'
check 'a signature is information' has_priority 6 'signed with key'
check 'what is wrong with the configuration ends it, and is an error' a_bad_configuration_ends_it
check 'mended, it is there again' is_mended
check 'a wrong PIN is sent once' a_wrong_pin_is_sent_once
check 'the PIN as an encrypted credential' an_encrypted_credential
check "a user's agent" make_user
check 'serves that user by a socket of his own' of_a_user
check 'no secret was logged' no_secret_was_logged
echo "$n_passed passed, $n_failed failed"
