#!/usr/bin/env bash
# Makes a machine image with Weighbridge on it.
set -euo pipefail

usage() {
    cat <<TEXT
usage: create-image.sh [OPTION]...

Makes the machine image that balancers and workers are launched from: launches a
VM, installs the program on it, tests it, makes the image and terminates the VM.
Prints the image's id. An image of the same program on the same base image is taken
instead of a new one; AWS_BASE_IMAGE keeps the base. Settings: config.sh --help

  --program FILE  what is installed (default: WEIGHBRIDGE_PROGRAM)
  --keep-vm       do not terminate the VM
  -h, --help      print this
TEXT
}

# shellcheck source-path=SCRIPTDIR source=shared.sh
. "$(dirname "$0")/shared.sh"

keep_vm=false
while (($#)); do
    case $1 in
        --program) need_value "$@"; export WEIGHBRIDGE_PROGRAM=$2; shift 2 ;;
        --keep-vm) keep_vm=true; shift ;;
        -h | --help) usage; exit 0 ;;
        *) misused "there is no option $1" ;;
    esac
done

# What is in the image says what it is called: the program, its units, and the base image.
image_name() {
    { cat "$WEIGHBRIDGE_PROGRAM" "$here"/vm/* "$here"/systemd/* && echo "$base"; } | sha256sum |
        sed "s/^\(.\{12\}\).*/$WEIGHBRIDGE_NAME-\1/"
}

# What each VM has to have of its own is made anew when it first boots: nobody's key is left in the
# image, and neither are the ids, host keys and logs of the VM that it was made on. Standard output
# of this goes to the VM's shell.
clean_vm() {
    cat <<'VM'
set -e
root=${WEIGHBRIDGE_ROOT:-}
if [ -z "$root" ] && command -v cloud-init >/dev/null; then
    cloud-init clean --logs
fi
rm -f "$root"/home/*/.ssh/authorized_keys "$root"/root/.ssh/authorized_keys
rm -f "$root"/etc/ssh/ssh_host_*
rm -rf "$root"/var/lib/weighbridge/* "$root"/var/log/weighbridge/* "$root"/var/log/journal/*
rm -f "$root"/var/lib/systemd/random-seed "$root"/var/lib/dbus/machine-id
mkdir -p "$root/etc"
: >"$root/etc/machine-id"
VM
}

is_available() {
    local state
    state=$(query ec2 describe-images --image-ids "$1" --query 'Images[0].State')
    case $state in
        available) ;;
        pending | '') return 1 ;;
        *) fail "the image $1 is $state" ;;
    esac
}

end_vm() {
    local code=$?
    if [[ -n ${instance:-} && $keep_vm == false ]]; then
        say "terminates the VM $instance"
        aws ec2 terminate-instances --instance-ids "$instance" >/dev/null ||
            say "the VM $instance could not be terminated: it goes on costing money"
        forget instance.id instance.address
    fi
    exit "$code"
}

need_account
need_program
base=$(base_image)
name=$(image_name)
image=$(query ec2 describe-images --owners self --filters "Name=name,Values=$name" \
    'Name=state,Values=pending,available' --query 'Images[0].ImageId')
if [[ -n $image ]]; then
    say "takes the image $image, which has the same program on $base"
else
    trap end_vm EXIT
    vm=$("$here/launch-vm.sh" --new --image "$base")
    read -r instance address <<<"$vm"
    "$here/install-vm.sh" "$address" >&2
    "$here/test-vm.sh" "$address" >&2
    on_vm "$address" < <(clean_vm) || fail "the VM $instance could not be cleaned"
    image=$(query ec2 create-image --instance-id "$instance" --name "$name" \
        --description "Weighbridge, $("$WEIGHBRIDGE_PROGRAM" --version), on $base" \
        --query ImageId)
fi
[[ $image == ami-* ]] || fail "no image was made"
wait_for "the image $image" is_available "$image"
mapfile -t snapshots < <(query ec2 describe-images --image-ids "$image" \
    --query 'Images[0].BlockDeviceMappings[].Ebs.SnapshotId' | tr '\t' '\n')
aws ec2 create-tags --resources "$image" "${snapshots[@]}" --tags "Key=$tag,Value=$WEIGHBRIDGE_NAME"
remember image.id "$image"
echo "$image"
