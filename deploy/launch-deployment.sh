#!/usr/bin/env bash
# Creates or updates a whole deployment.
set -euo pipefail

usage() {
    cat <<TEXT
usage: launch-deployment.sh [OPTION]... [PARAMETER=VALUE]...

Creates everything, or updates what is there to this program, template and
parameters, without dropping requests: network, load balancer, balancers, tables,
functions. Makes the image first where there is none of this program. Prints the URL
for requests. PARAMETERs are those of cloudformation/weighbridge.yaml, such as
WorkersMax=40; those not named keep their values. Settings: config.sh --help

  --image AMI     the image (default: the one that create-image.sh makes)
  --no-lambda     no functions
  --no-test       do not send test requests at the end
  -h, --help      print this
TEXT
}

# shellcheck source-path=SCRIPTDIR source=shared.sh
. "$(dirname "$0")/shared.sh"

stack=$WEIGHBRIDGE_NAME
image='' test=true parameters=()
while (($#)); do
    case $1 in
        --image) need_value "$@"; image=$2; shift 2 ;;
        --no-lambda) WEIGHBRIDGE_LAMBDA=''; shift ;;
        --no-test) test=false; shift ;;
        -h | --help) usage; exit 0 ;;
        [A-Z]*=*) parameters+=("$1"); shift ;;
        *) misused "\`$1\` is neither an option nor PARAMETER=VALUE" ;;
    esac
done

known_parameters() {
    sed -n '/^Parameters:/,/^Rules:/s/^  \([A-Z][A-Za-z]*\):$/\1/p' "$WEIGHBRIDGE_TEMPLATE"
}

# Those that the scripts set are not for the command line.
check_parameters() {
    local parameter known
    known=$(known_parameters)
    for parameter in "${parameters[@]}"; do
        case ${parameter%%=*} in
            Name) misused "the name is set by WEIGHBRIDGE_NAME" ;;
            ImageId | RootDevice) misused "the image is set by --image" ;;
            CreateTables | LambdaBucket | LambdaKey) misused "${parameter%%=*} is set by this script" ;;
        esac
        grep -qx "${parameter%%=*}" <<<"$known" || misused "there is no parameter ${parameter%%=*}"
    done
}

stack_status() {
    query cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].StackStatus' \
        2>/dev/null || true
}

# What is there and cannot be updated has to be cleared away first.
check_stack() {
    local status
    status=$(stack_status)
    case $status in
        '' | CREATE_COMPLETE | UPDATE_COMPLETE | UPDATE_ROLLBACK_COMPLETE | REVIEW_IN_PROGRESS) ;;
        *_IN_PROGRESS) fail "the stack $stack is busy: $status" ;;
        *) fail "the stack $stack is $status: clear it away by terminate-deployment.sh --keep-tables --keep-images" ;;
    esac
}

# "false" where the tables are left from a stack that is gone.
create_tables() {
    if [[ -n $(query cloudformation list-stack-resources --stack-name "$stack" --query \
        "StackResourceSummaries[?LogicalResourceId=='ObservationsTable'].LogicalResourceId" \
        2>/dev/null) ]]; then
        echo true
    elif query dynamodb describe-table --table-name "$WEIGHBRIDGE_NAME-observations" \
        --query Table.TableName >/dev/null 2>&1; then
        echo false
    else
        echo true
    fi
}

# Uploads the functions' zip, under a name that says what is in it, so that another one is deployed.
upload_functions() {
    local key
    bucket=$WEIGHBRIDGE_NAME-$account-$AWS_DEFAULT_REGION
    [[ -r $WEIGHBRIDGE_LAMBDA ]] ||
        fail "there is no $WEIGHBRIDGE_LAMBDA: make it by build-lambda.sh, or use --no-lambda"
    if ! aws s3api head-bucket --bucket "$bucket" >/dev/null 2>&1; then
        say "makes the bucket $bucket"
        aws s3 mb "s3://$bucket" >/dev/null
        aws s3api put-public-access-block --bucket "$bucket" --public-access-block-configuration \
            BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
        aws s3api put-bucket-tagging --bucket "$bucket" \
            --tagging "TagSet=[{Key=$tag,Value=$WEIGHBRIDGE_NAME}]"
    fi
    key=weighbridge-lambda-$(sha256sum "$WEIGHBRIDGE_LAMBDA" | cut -c1-12).zip
    if ! aws s3api head-object --bucket "$bucket" --key "$key" >/dev/null 2>&1; then
        say "uploads the functions"
        aws s3 cp --only-show-errors "$WEIGHBRIDGE_LAMBDA" "s3://$bucket/$key"
    fi
    parameters+=("LambdaBucket=$bucket" "LambdaKey=$key")
}

# Prints the stack's events that have come since the last call; sets `is_news` where there are any.
tell_events() {
    local id resource status reason
    while IFS=$'\t' read -r id resource status reason; do
        [[ -n $id && -z ${told[$id]:-} ]] || continue
        told[$id]=1
        is_news=true
        say "$resource $status${reason:+: $reason}"
    done < <(aws --output text cloudformation describe-stack-events --stack-name "$stack" \
        --query 'reverse(StackEvents)[].[EventId,LogicalResourceId,ResourceStatus,ResourceStatusReason||``]' \
        2>/dev/null || true)
}

# The parameters as the API wants them: those given, and for the others of the stack what they were.
parameters_json() {
    local before='[]'
    [[ $1 == create ]] || before=$(aws --output json cloudformation describe-stacks \
        --stack-name "$stack" --query 'Stacks[0].Parameters')
    printf '%s\n' "${parameters[@]}" |
        jq --raw-input --slurp --argjson before "$before" --arg known "$(known_parameters)" '
            (split("\n") | map(select(. != "") | capture("^(?<key>[^=]+)=(?<value>.*)$"))
                | map({ParameterKey: .key, ParameterValue: .value})) as $given
            | $given + ($before | map(select(
                .ParameterKey as $key
                | ($given | all(.ParameterKey != $key)) and ($known | split("\n") | index($key)))
                | {ParameterKey, ParameterValue}))'
}

# Sets `change` to what is done: create, update or none.
start_deployment() {
    local said json
    change=update
    [[ -n $(stack_status) ]] || change=create
    json=$(parameters_json "$change")
    said=$(aws cloudformation "$change-stack" --stack-name "$stack" \
        --template-body "file://$WEIGHBRIDGE_TEMPLATE" --parameters "$json" \
        --capabilities CAPABILITY_IAM --tags "Key=$tag,Value=$WEIGHBRIDGE_NAME" 2>&1) && return
    [[ $said == *'No updates are to be performed'* ]] || fail "the stack $stack cannot be deployed: $said"
    change=none
}

# Told of its events while they come. A stack that goes on may take as long as it likes: an update
# of eight balancers, one after the other, takes up to two hours, and as long again where it fails.
wait_for_stack() {
    local status is_news last=$SECONDS
    while true; do
        is_news=false
        tell_events
        [[ $is_news == false ]] || last=$SECONDS
        status=$(stack_status)
        [[ $status == *_IN_PROGRESS ]] || break
        ((SECONDS - last < WEIGHBRIDGE_WAIT_MAX)) ||
            fail "the stack $stack is $status, and nothing has happened for $WEIGHBRIDGE_WAIT_MAX s"
        sleep 5
    done
    tell_events
    [[ $status == @(CREATE|UPDATE)_COMPLETE ]] ||
        fail "the stack $stack is $status; the reasons are above"
}

deploy() {
    declare -A told=()
    local is_news=false
    # What an earlier run did is no news.
    tell_events 2>/dev/null
    start_deployment
    if [[ $change == none ]]; then
        say "nothing has changed"
    else
        wait_for_stack
    fi
}

need_account
need_tools curl jq
check_parameters
check_stack
if [[ -z $image ]]; then
    image=$("$here/create-image.sh")
fi
[[ $image == ami-* ]] || misused "--image \`$image\` is not the id of an image"
parameters+=("Name=$WEIGHBRIDGE_NAME" "ImageId=$image" "CreateTables=$(create_tables)")
device=$(root_device "$image")
[[ -z $device ]] || parameters+=("RootDevice=$device")
if [[ -n $WEIGHBRIDGE_LAMBDA ]]; then
    upload_functions
else
    parameters+=(LambdaBucket=)
fi
say "deploys the stack $stack in $AWS_DEFAULT_REGION"
deploy
url=$(query cloudformation describe-stacks --stack-name "$stack" \
    --query "Stacks[0].Outputs[?OutputKey=='Url'].OutputValue | [0]")
[[ -n $url ]] || fail "the stack $stack says no URL"
if [[ $test == true ]]; then
    "$here/test-vm.sh" --url "$url" >&2
fi
echo "$url"
