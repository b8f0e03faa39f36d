#!/usr/bin/env bash
# Launches one VM and waits until it takes ssh.
set -euo pipefail

usage() {
    cat <<TEXT
usage: launch-vm.sh [OPTION]...

Launches one VM, waits until it takes ssh, and prints its id and its address. A VM
that is running from before is taken instead. Settings: config.sh --help

  --image AMI     what it is made of (default: AWS_BASE_IMAGE, or else the newest
                  Amazon Linux 2023)
  --type TYPE     instance type (default: AWS_INSTANCE_TYPE)
  --new           launch another one in any case
  -h, --help      print this
TEXT
}

# shellcheck source-path=SCRIPTDIR source=shared.sh
. "$(dirname "$0")/shared.sh"

image=''
type=$AWS_INSTANCE_TYPE
new=false
while (($#)); do
    case $1 in
        --image) need_value "$@"; image=$2; shift 2 ;;
        --type) need_value "$@"; type=$2; shift 2 ;;
        --new) new=true; shift ;;
        -h | --help) usage; exit 0 ;;
        *) misused "there is no option $1" ;;
    esac
done

# The VPC of the subnet, or the default one.
vpc() {
    if [[ -n $AWS_SUBNET ]]; then
        query ec2 describe-subnets --subnet-ids "$AWS_SUBNET" --query 'Subnets[0].VpcId'
    else
        query ec2 describe-vpcs --filters Name=is-default,Values=true --query 'Vpcs[0].VpcId'
    fi
}

# Where ssh may come from.
own_cidr() {
    if [[ -n $AWS_SSH_CIDR ]]; then
        printf '%s' "$AWS_SSH_CIDR"
    else
        printf '%s/32' "$(curl --silent --fail --max-time 10 https://checkip.amazonaws.com)"
    fi
}

# The id of the security group, made where it is missing, with ssh from here.
security_group() {
    local group=$AWS_SECURITY_GROUP vpc cidr
    if [[ $group != sg-* ]]; then
        vpc=$(vpc)
        [[ -n $vpc ]] || fail "there is no default VPC: set AWS_SUBNET"
        group=$(query ec2 describe-security-groups --query 'SecurityGroups[0].GroupId' \
            --filters "Name=group-name,Values=$AWS_SECURITY_GROUP" "Name=vpc-id,Values=$vpc")
        if [[ -z $group ]]; then
            say "makes the security group $AWS_SECURITY_GROUP"
            group=$(query ec2 create-security-group --group-name "$AWS_SECURITY_GROUP" \
                --description 'Weighbridge: VMs that images are made on' --vpc-id "$vpc" \
                --tag-specifications "ResourceType=security-group,Tags=[{Key=$tag,Value=$WEIGHBRIDGE_NAME}]" \
                --query GroupId)
        fi
        cidr=$(own_cidr) || fail "this computer's public address is not known: set AWS_SSH_CIDR"
        allow_ssh "$group" "$cidr"
    fi
    printf '%s' "$group"
}

allow_ssh() { # group, addresses
    local said
    said=$(aws ec2 authorize-security-group-ingress --group-id "$1" \
        --protocol tcp --port 22 --cidr "$2" 2>&1) && return
    [[ $said == *InvalidPermission.Duplicate* ]] || fail "ssh from $2 cannot be allowed: $said"
}

launch() {
    local group device subnet=()
    group=$(security_group)
    device=$(root_device "$image")
    [[ -z $AWS_SUBNET ]] || subnet=(--subnet-id "$AWS_SUBNET")
    query ec2 run-instances --image-id "$image" --instance-type "$type" --count 1 \
        --key-name "$AWS_KEYPAIR_NAME" --security-group-ids "$group" "${subnet[@]}" \
        --instance-initiated-shutdown-behavior terminate \
        --metadata-options HttpTokens=required \
        --block-device-mappings "DeviceName=${device:-/dev/xvda},Ebs={Encrypted=true,VolumeType=gp3,VolumeSize=$AWS_DISK_GB}" \
        --client-token "$WEIGHBRIDGE_NAME-$$-$RANDOM$RANDOM" \
        --tag-specifications \
        "ResourceType=instance,Tags=[{Key=Name,Value=$WEIGHBRIDGE_NAME-vm},{Key=$tag,Value=$WEIGHBRIDGE_NAME}]" \
        "ResourceType=volume,Tags=[{Key=$tag,Value=$WEIGHBRIDGE_NAME}]" \
        --query 'Instances[0].InstanceId'
}

is_running() {
    local state
    state=$(state_of "$1")
    case $state in
        running) ;;
        pending | '') return 1 ;;
        *) fail "the VM $1 is $state" ;;
    esac
}

takes_ssh() {
    on_vm "$1" <<<'true' 2>/dev/null
}

need_account
need_tools ssh curl
need_key_file
query ec2 describe-key-pairs --key-names "$AWS_KEYPAIR_NAME" --query 'KeyPairs[0].KeyName' >/dev/null ||
    fail "there is no key pair $AWS_KEYPAIR_NAME in $AWS_DEFAULT_REGION"

instance=$(recall instance.id)
if [[ $new == false && -n $instance && $(state_of "$instance") == @(pending|running) ]]; then
    say "takes the VM $instance, which is there"
else
    [[ -n $image ]] || image=$(base_image)
    [[ $image == ami-* ]] || fail "\`$image\` is not the id of an image"
    instance=$(launch)
    [[ $instance == i-* ]] || fail "no VM was launched"
    remember instance.id "$instance"
    say "launched $instance, a $type of $image"
fi

wait_for "$instance to run" is_running "$instance"
address=$(query ec2 describe-instances --instance-ids "$instance" \
    --query 'Reservations[0].Instances[0].[PublicIpAddress, PrivateIpAddress][?@] | [0]')
[[ -n $address ]] || fail "the VM $instance has no address"
remember instance.address "$address"
wait_for "ssh on $address" takes_ssh "$address"
printf '%s %s\n' "$instance" "$address"
