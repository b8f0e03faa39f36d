# shellcheck shell=bash
# What the scripts of this folder share. Read by them after they have defined `usage`.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=config.sh
. "$here/config.sh"

script=${0##*/}

# Everything of a deployment carries this tag, with its name as the value.
tag=weighbridge:name

fail() {
    echo "$script: $*" >&2
    exit 1
}

# Progress, for people; results go to standard output.
say() {
    printf '%(%H:%M:%S)T %s: %s\n' -1 "$script" "$*" >&2
}

# misused MESSAGE: a mistake in the command line.
misused() {
    echo "$script: $*; see --help" >&2
    exit 2
}

# need_value OPTION REST...: fails unless the option has a value.
need_value() {
    [[ -n ${2:-} ]] || misused "$1 needs a value"
}

need_tools() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || fail "$tool is not installed"
    done
}

# Checks what can be checked before anything is made: names, program, credentials.
need_account() {
    need_tools aws
    [[ $WEIGHBRIDGE_NAME =~ ^[a-z][a-z0-9-]{1,18}[a-z0-9]$ ]] ||
        fail "WEIGHBRIDGE_NAME is \`$WEIGHBRIDGE_NAME\`: it must be 3 to 20 small letters, digits and hyphens"
    [[ $WEIGHBRIDGE_WAIT_MAX =~ ^[1-9][0-9]{0,5}$ ]] ||
        fail "WEIGHBRIDGE_WAIT_MAX is \`$WEIGHBRIDGE_WAIT_MAX\`: it must be a number of seconds"
    # shellcheck disable=SC2034 # For the scripts.
    account=$(query sts get-caller-identity --query Account) ||
        fail "AWS cannot be used as you; \`aws sts get-caller-identity\` says why"
}

# query ARGUMENT...: what the aws program answers as text; nothing where that is None.
query() {
    local answer
    answer=$(aws --output text "$@") || return
    [[ $answer == None ]] || printf '%s\n' "$answer"
}

# The image that VMs are made of: the one that is set, or else the newest Amazon Linux 2023, by the
# parameter that AWS keeps for it.
base_image() {
    local image=$AWS_BASE_IMAGE
    [[ -n $image ]] || image=$(query ssm get-parameter --query Parameter.Value \
        --name /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64)
    [[ $image == ami-* ]] || fail "\`$image\` is not the id of an image"
    printf '%s' "$image"
}

# root_device IMAGE: the name of its root device, /dev/xvda for example.
root_device() {
    query ec2 describe-images --image-ids "$1" --query 'Images[0].RootDeviceName'
}

# remember FILE VALUE, and recall FILE: what the scripts made last.
remember() {
    mkdir -p "$WEIGHBRIDGE_STATE"
    printf '%s\n' "$2" >"$WEIGHBRIDGE_STATE/$1"
}

recall() {
    if [[ -r $WEIGHBRIDGE_STATE/$1 ]]; then
        cat "$WEIGHBRIDGE_STATE/$1"
    fi
}

forget() {
    local file
    for file in "$@"; do
        rm -f "$WEIGHBRIDGE_STATE/$file"
    done
}

# wait_for WHAT COMMAND...: until the command succeeds; says every half minute that it still waits.
wait_for() {
    local what=$1 began=$SECONDS said=$SECONDS pause=1
    shift
    say "waits for $what"
    until "$@"; do
        ((SECONDS - began < WEIGHBRIDGE_WAIT_MAX)) ||
            fail "waited $WEIGHBRIDGE_WAIT_MAX s for $what"
        if ((SECONDS - said >= 30)); then
            said=$SECONDS
            say "still waits for $what, $((SECONDS - began)) s so far"
        fi
        sleep "$pause"
        pause=$((pause < 8 ? pause * 2 : 8))
    done
}

# confirm QUESTION: fails unless a person, or --yes, says yes.
confirm() {
    [[ ${yes:-false} != true ]] || return 0
    [[ -t 0 ]] || fail "nobody is there to confirm; use --yes"
    local answer
    read -r -p "$1 [y/N] " answer
    [[ $answer == [yY] || $answer == [yY][eE][sS] ]] || fail "nothing was done"
}

# The deployment's own resources with this tag, by EC2's filters.
tagged() {
    printf 'Name=tag:%s,Values=%s' "$tag" "$WEIGHBRIDGE_NAME"
}

# state_of INSTANCE: pending, running, …; nothing where it is not known (any more).
state_of() {
    query ec2 describe-instances --instance-ids "$1" \
        --query 'Reservations[0].Instances[0].State.Name' 2>/dev/null || true
}

# The address of the VM given as $1, or else of the one launched last.
vm_address() {
    local address=${1:-$(recall instance.address)}
    [[ -n $address ]] || fail "no VM is known: give its address, or launch one by launch-vm.sh"
    printf '%s' "$address"
}

# Options of ssh and scp. A VM's host key is new: it is kept beside the state, not among one's own.
ssh_options() {
    mkdir -p "$WEIGHBRIDGE_STATE"
    # shellcheck disable=SC2206 # Each word is an option.
    ssh_options=(-o BatchMode=yes -o ConnectTimeout=10 -o StrictHostKeyChecking=accept-new
        -o "UserKnownHostsFile=$WEIGHBRIDGE_STATE/known_hosts" -o LogLevel=ERROR
        -i "$AWS_EC2_SSH_KEYPAIR_PATH" $AWS_SSH_OPTIONS)
}

# on_vm ADDRESS: runs standard input there as root.
on_vm() {
    ssh_options
    # shellcheck disable=SC2016 # It is for the VM's shell.
    ssh "${ssh_options[@]}" "$AWS_SSH_USER@$1" \
        'if [ "$(id -u)" = 0 ]; then exec bash -s; else exec sudo -n bash -s; fi'
}

need_key_file() {
    [[ -n $AWS_KEYPAIR_NAME ]] || fail "AWS_KEYPAIR_NAME is not set: the key pair of VMs; see config.sh"
    [[ -r $AWS_EC2_SSH_KEYPAIR_PATH ]] ||
        fail "cannot read the private key $AWS_EC2_SSH_KEYPAIR_PATH (AWS_EC2_SSH_KEYPAIR_PATH)"
}

need_program() {
    [[ -x $WEIGHBRIDGE_PROGRAM ]] ||
        fail "there is no program $WEIGHBRIDGE_PROGRAM: cargo build --release --workspace --all-features"
}
