#!/usr/bin/env bash
# Removes a whole deployment.
set -euo pipefail

usage() {
    cat <<TEXT
usage: terminate-deployment.sh [OPTION]...

Removes everything that these scripts and the balancers made, so that nothing is
billed any more: balancers, workers, VMs, stack, tables, logs, buckets,
images with their snapshots. Asks before. May be run again, also after a failure.
Settings: config.sh --help

  --keep-tables   keep what the balancers have learned, and jobs with their bucket
                  (DynamoDB, S3; storage is billed)
  --keep-images   keep the images (snapshots are billed)
  --keep-logs     keep log groups that the stack does not remove
  --yes           do not ask
  -h, --help      print this
TEXT
}

# shellcheck source-path=SCRIPTDIR source=shared.sh
. "$(dirname "$0")/shared.sh"

keep_tables=false keep_images=false keep_logs=false yes=false
while (($#)); do
    case $1 in
        --keep-tables) keep_tables=true; shift ;;
        --keep-images) keep_images=true; shift ;;
        --keep-logs) keep_logs=true; shift ;;
        --yes) yes=true; shift ;;
        -h | --help) usage; exit 0 ;;
        *) misused "there is no option $1" ;;
    esac
done

stack=$WEIGHBRIDGE_NAME
group=$WEIGHBRIDGE_NAME-balancer
live=Name=instance-state-name,Values=pending,running,stopping,stopped

# ---- What is there, one a line.

stacks() {
    query cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[].StackName' \
        2>/dev/null || true
}

jobs_stacks() {
    query cloudformation describe-stacks --stack-name "$stack-jobs" \
        --query 'Stacks[].StackName' 2>/dev/null || true
}

groups() {
    query autoscaling describe-auto-scaling-groups --auto-scaling-group-names "$group" \
        --query 'AutoScalingGroups[].AutoScalingGroupName' | lines
}

group_instances() {
    query autoscaling describe-auto-scaling-groups --auto-scaling-group-names "$group" \
        --query 'AutoScalingGroups[].Instances[].InstanceId' | lines
}

# Workers, which balancers launched; and what carries the deployment's name.
instances() {
    {
        query ec2 describe-instances --query 'Reservations[].Instances[].InstanceId' \
            --filters "Name=tag:weighbridge:fleet,Values=$WEIGHBRIDGE_NAME" "$live"
        query ec2 describe-instances --query 'Reservations[].Instances[].InstanceId' \
            --filters "$(tagged)" "$live"
    } | lines
}

tables() {
    [[ $keep_tables == false ]] || return 0
    query dynamodb list-tables --query "TableNames[?@=='$WEIGHBRIDGE_NAME-observations' || \
        @=='$WEIGHBRIDGE_NAME-state' || @=='$WEIGHBRIDGE_NAME-jobs']" | lines
}

log_groups() {
    [[ $keep_logs == false ]] || return 0
    {
        query logs describe-log-groups --log-group-name-prefix "/weighbridge/$WEIGHBRIDGE_NAME/" \
            --query 'logGroups[].logGroupName'
        query logs describe-log-groups --log-group-name-prefix "/aws/lambda/$WEIGHBRIDGE_NAME-" \
            --query 'logGroups[].logGroupName' | lines |
            grep -xE "/aws/lambda/$WEIGHBRIDGE_NAME-(blur|enhance|raytrace)" || true
    } | lines
}

buckets() {
    local bucket mine=("$WEIGHBRIDGE_NAME-$account-$AWS_DEFAULT_REGION")
    [[ $keep_tables == true ]] || mine+=("$WEIGHBRIDGE_NAME-jobs-$account-$AWS_DEFAULT_REGION")
    for bucket in "${mine[@]}"; do
        if aws s3api head-bucket --bucket "$bucket" >/dev/null 2>&1; then
            echo "$bucket"
        fi
    done
}

# By their names, which one has at once; the tag comes when it is ready.
images() {
    [[ $keep_images == false ]] || return 0
    of_images 'Images[].ImageId'
}

snapshots() {
    [[ $keep_images == false ]] || return 0
    {
        of_images 'Images[].BlockDeviceMappings[].Ebs.SnapshotId'
        query ec2 describe-snapshots --owner-ids self --filters "$(tagged)" \
            --query 'Snapshots[].SnapshotId'
    } | lines
}

of_images() {
    query ec2 describe-images --owners self \
        --filters "Name=name,Values=$WEIGHBRIDGE_NAME-????????????" --query "$1" | lines
}

volumes() {
    {
        query ec2 describe-volumes --filters "$(tagged)" --query 'Volumes[].VolumeId'
        query ec2 describe-volumes --query 'Volumes[].VolumeId' \
            --filters "Name=tag:weighbridge:fleet,Values=$WEIGHBRIDGE_NAME"
    } | lines
}

security_groups() {
    query ec2 describe-security-groups --filters "$(tagged)" \
        "Name=group-name,Values=$AWS_SECURITY_GROUP" --query 'SecurityGroups[].GroupId' | lines
}

lines() {
    tr -s '\t ' '\n' | sed '/^$/d' | sort -u
}

# Everything there is, with its kind.
inventory() {
    local kind
    for kind in "$@"; do
        "$kind" | sed "s/^/  ${kind//_/ } /"
    done
}

# ---- How it is removed.

# Balancers first: they would launch new workers.
end_balancers() {
    [[ -n $(groups) ]] || return 0
    say "ends the balancers, which drain"
    aws autoscaling update-auto-scaling-group --auto-scaling-group-name "$group" \
        --min-size 0 --max-size 0 --desired-capacity 0
    wait_for "the balancers to be gone" no_balancers
}

no_balancers() {
    [[ -z $(group_instances) ]]
}

end_instances() {
    local ids
    mapfile -t ids < <(instances)
    ((${#ids[@]})) || return 0
    say "terminates ${#ids[@]} instances"
    # As many at once as the API takes.
    printf '%s\n' "${ids[@]}" | xargs -n 100 aws ec2 terminate-instances --instance-ids >/dev/null
    wait_for "the instances to be gone" no_instances
}

no_instances() {
    [[ -z $(instances) ]]
}

delete_stack() {
    [[ -n $(stacks) ]] || return 0
    say "deletes the stack $stack"
    aws cloudformation delete-stack --stack-name "$stack"
    wait_for "the stack to be gone" no_stack
}

no_stack() {
    local status
    status=$(query cloudformation describe-stacks --stack-name "$stack" \
        --query 'Stacks[0].StackStatus' 2>/dev/null || true)
    if [[ $status == DELETE_FAILED ]]; then
        aws --output text cloudformation describe-stack-events --stack-name "$stack" --query \
            "StackEvents[?ResourceStatus=='DELETE_FAILED'].[LogicalResourceId,ResourceStatusReason]" >&2
        fail "the stack $stack could not be deleted; the reasons are above"
    fi
    [[ -z $status || $status == DELETE_COMPLETE ]]
}

# remove KIND COMMAND...: runs the command for each one of a kind.
remove() {
    local kind=$1 one
    shift
    for one in $("$kind"); do
        say "deletes $one"
        "$@" "$one" >/dev/null || say "$one could not be deleted"
    done
}

empty_and_delete_bucket() {
    aws s3 rb --force "s3://$1"
}

need_account
everything=(stacks jobs_stacks groups instances tables log_groups buckets images snapshots volumes security_groups)
found=$(inventory "${everything[@]}")
if [[ -z $found ]]; then
    say "nothing of $WEIGHBRIDGE_NAME is in $AWS_DEFAULT_REGION"
    exit 0
fi
printf 'In account %s, %s, this is of %s:\n%s\n' \
    "$account" "$AWS_DEFAULT_REGION" "$WEIGHBRIDGE_NAME" "$found" >&2
confirm 'Remove it for good?'
end_balancers
end_instances
delete_stack
# A balancer's last launch may have been under way when the balancers ended.
end_instances
remove jobs_stacks aws cloudformation delete-stack --stack-name
no_jobs_stack() {
    [[ -z $(jobs_stacks) ]]
}
wait_for "the stack of jobs to be gone" no_jobs_stack
remove tables aws dynamodb delete-table --table-name
remove log_groups aws logs delete-log-group --log-group-name
remove buckets empty_and_delete_bucket
# Before the images are gone that say which are theirs.
mapfile -t doomed < <(snapshots)
remove images aws ec2 deregister-image --image-id
doomed_snapshots() { printf '%s\n' "${doomed[@]}" | lines; }
remove doomed_snapshots aws ec2 delete-snapshot --snapshot-id
remove volumes aws ec2 delete-volume --volume-id
remove security_groups aws ec2 delete-security-group --group-id
forget instance.id instance.address known_hosts
[[ $keep_images == true ]] || forget image.id

no_tables() {
    [[ -z $(tables) ]]
}
wait_for "the tables to be gone" no_tables
left=$(inventory "${everything[@]}")
[[ -z $left ]] || fail "this is left, and may be billed:"$'\n'"$left"
say "nothing of $WEIGHBRIDGE_NAME is left"
