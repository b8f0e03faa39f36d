#!/usr/bin/env bash
# The settings of the scripts in this folder. Each can be set in the environment instead;
# `config.sh` run by itself prints what is in force. Credentials come from where the aws program
# takes them: AWS_PROFILE, AWS_ACCESS_KEY_ID, `aws configure`.
# shellcheck disable=SC2034 # They are used by those who read this file.

WEIGHBRIDGE_ROOT_FOLDER=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The region of everything.
AWS_DEFAULT_REGION=${AWS_DEFAULT_REGION:-${AWS_REGION:-us-east-1}}

# The EC2 key pair that VMs are reached with, and the file of its private key. Only images need it.
AWS_KEYPAIR_NAME=${AWS_KEYPAIR_NAME:-}
AWS_EC2_SSH_KEYPAIR_PATH=${AWS_EC2_SSH_KEYPAIR_PATH:-${AWS_EC2_SSH_KEYPAR_PATH:-$HOME/.ssh/$AWS_KEYPAIR_NAME.pem}}

# The security group of VMs that an image is made on: a name (made where it is missing) or an sg-ID.
AWS_SECURITY_GROUP=${AWS_SECURITY_GROUP:-weighbridge-vm}

# Where ssh to those VMs may come from; empty: this computer's own public address.
AWS_SSH_CIDR=${AWS_SSH_CIDR:-}

# The user of the base image, and further options of ssh and scp, separated by spaces.
AWS_SSH_USER=${AWS_SSH_USER:-ec2-user}
AWS_SSH_OPTIONS=${AWS_SSH_OPTIONS:-}

# What VMs are made of: an ami-ID, or empty for the newest Amazon Linux 2023.
AWS_BASE_IMAGE=${AWS_BASE_IMAGE:-}
AWS_INSTANCE_TYPE=${AWS_INSTANCE_TYPE:-c6i.large}

# The disk of those VMs in GB, and so of all that are launched from the image.
AWS_DISK_GB=${AWS_DISK_GB:-8}

# The subnet of those VMs; empty: one of the default VPC.
AWS_SUBNET=${AWS_SUBNET:-}

# The name of the deployment: of its stack, its tables, its fleet; several can be beside each other.
WEIGHBRIDGE_NAME=${WEIGHBRIDGE_NAME:-weighbridge}

# What is installed: built by `cargo build --release --workspace --all-features`.
WEIGHBRIDGE_PROGRAM=${WEIGHBRIDGE_PROGRAM:-$WEIGHBRIDGE_ROOT_FOLDER/target/release/weighbridge}

# The functions' zip, as build-lambda.sh makes it; empty: no Lambda.
WEIGHBRIDGE_LAMBDA=${WEIGHBRIDGE_LAMBDA-$WEIGHBRIDGE_ROOT_FOLDER/target/lambda/weighbridge-lambda-x86_64.zip}

# What is deployed.
WEIGHBRIDGE_TEMPLATE=${WEIGHBRIDGE_TEMPLATE:-$WEIGHBRIDGE_ROOT_FOLDER/deploy/cloudformation/weighbridge.yaml}

# Where the scripts remember what they made last: instance.id, instance.address, image.id.
WEIGHBRIDGE_STATE=${WEIGHBRIDGE_STATE:-$WEIGHBRIDGE_ROOT_FOLDER/weighbridge-deployment}

# The port of a worker on its VM.
WEIGHBRIDGE_WORKER_PORT=${WEIGHBRIDGE_WORKER_PORT:-8080}

# How long anything is waited for, in seconds; a stack may take longer, as long as it goes on.
WEIGHBRIDGE_WAIT_MAX=${WEIGHBRIDGE_WAIT_MAX:-1800}

export AWS_DEFAULT_REGION AWS_REGION=$AWS_DEFAULT_REGION AWS_PAGER=''

# Run by itself, not read by another script.
if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
    case ${1:-} in
        '')
            sed -n 's/^\([A-Z][A-Z0-9_]*\)=\${.*/\1/p' "${BASH_SOURCE[0]}" | while read -r setting; do
                printf '%s=%q\n' "$setting" "${!setting}"
            done
            ;;
        -h | --help)
            printf 'usage: config.sh\n\nPrints the settings of these scripts. To change one, edit this file\n'
            printf 'or set it in the environment:\n\n'
            sed -n '/^# The region/,/^WEIGHBRIDGE_WAIT_MAX/p' "${BASH_SOURCE[0]}" | sed 's/^/  /; s/=\${.*//'
            ;;
        *)
            echo "config.sh: takes no arguments; see --help" >&2
            exit 2
            ;;
    esac
fi
