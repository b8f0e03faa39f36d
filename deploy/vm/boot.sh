#!/usr/bin/env bash
# Gives a VM its part when it first boots. install-vm.sh puts it at /usr/local/lib/weighbridge/boot;
# the user data of the launch templates calls it.
set -euo pipefail

usage() {
    cat <<TEXT
usage: boot worker [ARGUMENT...]
       boot balancer [OPTION]... <CONFIGURATION

Gives this VM its part and starts it. A worker gets further ARGUMENTs, as
\`weighbridge worker --help\` lists them. A balancer reads its configuration from
standard input.

  --region REGION      region of the AWS APIs
  --functions NAME     Lambda functions NAME-blur, NAME-enhance and NAME-raytrace
                       serve the default routes too
  --logs NAME          send logs to the groups /weighbridge/NAME/balancer and
                       /weighbridge/NAME/access, and how full the disk is to the
                       metrics Weighbridge/NAME
  --stack STACK        tell this CloudFormation stack when the balancer is ready, or
  --resource RESOURCE  that it has not become so; both are needed
  -h, --help           print this
TEXT
}

# Everything is below this folder: / but for the tests.
root=${WEIGHBRIDGE_ROOT:-}
ready_within=${WEIGHBRIDGE_READY_WITHIN:-600} # seconds
ready_url=${WEIGHBRIDGE_READY_URL:-http://127.0.0.1:9090/readyz}
program=$root/usr/local/bin/weighbridge
agent=$root/opt/aws/amazon-cloudwatch-agent
region='' functions='' logs='' stack='' resource=''

fail() {
    echo "boot: $*" >&2
    exit 1
}

# write FILE: standard input into FILE, whole or not at all.
write() {
    mkdir -p "${1%/*}"
    cat >"$1.new"
    chmod 0644 "$1.new"
    mv "$1.new" "$1"
}

boot_worker() {
    printf 'WORKER_ARGUMENTS=%s\n' "$*" | write "$root/etc/weighbridge/worker.env"
    systemctl enable --now weighbridge-worker.service
}

# The default routes, each with its function.
routes_with_functions() {
    "$program" config | awk -v prefix="$functions" '
        /^\[/ { on = /^\[\[routes\]\]/ }
        on && !/^#/ { print }
        on && /^name = "/ { split($0, part, "\""); printf "lambda = \"%s-%s\"\n", prefix, part[2] }'
}

# Where the access log goes, unless the configuration says so itself. The balancer opens the file,
# so that it can be moved away and opened again.
access_log() {
    printf '\n[access_log]\nto = "file"\npath = "/var/log/weighbridge/access.jsonl"\n'
}

boot_balancer() {
    local file=$root/etc/weighbridge/weighbridge.toml config
    config=$(cat)
    if [[ -n $logs && ! -x $agent/bin/amazon-cloudwatch-agent-ctl ]]; then
        echo "boot: there is no CloudWatch agent: logs stay in the journal" >&2
        logs=''
    fi
    {
        printf '%s\n' "$config"
        if [[ -n $logs ]] && ! grep -q '^\[access_log\]' <<<"$config"; then
            access_log
        fi
        if [[ -n $functions ]]; then
            echo
            routes_with_functions
        fi
    } | write "$file"
    "$program" check "$file" || fail "the configuration cannot be used"
    # Whoever runs the stack says where; profiles and keys have no place here.
    { [[ -z $region ]] || echo "AWS_REGION=$region"; } | write "$root/etc/weighbridge/balancer.env"
    [[ -z $logs ]] || ship_logs
    # Not waited for: a start that fails is tried again, and only readiness counts.
    systemctl enable --now --no-block weighbridge.service
}

# Logs go to files, and the CloudWatch agent sends what is added to them.
ship_logs() {
    write "$root/etc/systemd/system/weighbridge.service.d/logs.conf" <<TEXT
[Service]
StandardError=append:/var/log/weighbridge/balancer.log
TEXT
    write "$agent/etc/weighbridge.json" <<TEXT
{
  "agent": { "run_as_user": "root" },
  "metrics": {
    "namespace": "Weighbridge/$logs",
    "aggregation_dimensions": [["path"]],
    "metrics_collected": {
      "disk": { "measurement": ["used_percent"], "resources": ["/"], "drop_device": true }
    }
  },
  "logs": {
    "logs_collected": {
      "files": {
        "collect_list": [
          {
            "file_path": "/var/log/weighbridge/balancer.log",
            "log_group_name": "/weighbridge/$logs/balancer",
            "log_stream_name": "{instance_id}"
          },
          {
            "file_path": "/var/log/weighbridge/access.jsonl",
            "log_group_name": "/weighbridge/$logs/access",
            "log_stream_name": "{instance_id}"
          }
        ]
      }
    }
  }
}
TEXT
    systemctl daemon-reload
    "$agent/bin/amazon-cloudwatch-agent-ctl" -a fetch-config -m ec2 -s \
        -c "file:$agent/etc/weighbridge.json" ||
        echo "boot: the CloudWatch agent does not start: logs stay on this VM" >&2
}

# Ready: it has a worker that takes requests.
wait_until_ready() {
    local end=$((SECONDS + ready_within))
    until curl --silent --fail --max-time 5 --output /dev/null "$ready_url"; do
        ((SECONDS < end)) || fail "the balancer was not ready within $ready_within s"
        sleep 1
    done
}

# Tells the stack how this ends, whichever way that is.
signal_stack() {
    local code=$?
    /opt/aws/bin/cfn-signal --exit-code "$code" --region "$region" --stack "$stack" \
        --resource "$resource" || echo "boot: the stack $stack could not be told" >&2
    exit "$code"
}

take_options() {
    while (($#)); do
        case $1 in
            --region | --functions | --logs | --stack | --resource)
                (($# >= 2)) || fail "$1 needs a value; see --help"
                printf -v "${1#--}" '%s' "$2"
                shift 2
                ;;
            *) fail "there is no option $1; see --help" ;;
        esac
    done
    if [[ -n $stack || -n $resource ]]; then
        [[ -n $stack && -n $resource && -n $region ]] ||
            fail "--stack, --resource and --region belong together"
    fi
}

case ${1:-} in
    -h | --help) usage ;;
    worker)
        shift
        boot_worker "$@"
        ;;
    balancer)
        shift
        case ${1:-} in -h | --help) usage; exit 0 ;; esac
        take_options "$@"
        if [[ -n $stack ]]; then
            trap signal_stack EXIT
        fi
        boot_balancer
        if [[ -n $stack ]]; then
            wait_until_ready
        fi
        ;;
    '') usage >&2; exit 2 ;;
    *) fail "there is no part $1: worker or balancer" ;;
esac
