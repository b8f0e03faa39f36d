//! Instances as EC2 describes them, and as machines of the fleet.

use std::net::{IpAddr, SocketAddr};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, Instance, Tag};

use weighbridge_proxy::fleet::machines::{Machine, MachineError};

use super::{DRAINING, TAG_ADDRESS, TAG_LAUNCH, TAG_STATE};
use crate::answers;

/// Instances in one page of an answer.
const PAGE: i32 = 500;

/// Every instance that passes `filters`, page by page.
pub(crate) async fn find(
    client: &Client,
    filters: Vec<Filter>,
) -> Result<Vec<Instance>, MachineError> {
    let ask = client.describe_instances().set_filters(Some(filters));
    let mut pages = ask.into_paginator().page_size(PAGE).send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let reservations = page.map_err(answers::failure)?.reservations.unwrap_or_default();
        found.extend(reservations.into_iter().flat_map(|r| r.instances.unwrap_or_default()));
    }
    Ok(found)
}

/// Gives the instance `id` the tag that says its `state`.
pub(crate) async fn mark(client: &Client, id: &str, state: &str) -> Result<(), MachineError> {
    let asked = client.create_tags().resources(id).tags(tag(TAG_STATE, state)).send().await;
    asked.map(|_| ()).map_err(answers::failure)
}

/// A tag.
pub(super) fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// The machine that `instance` is, with its worker at `port` unless a tag says otherwise. `None`
/// where it has no id, which EC2 does not do.
pub(crate) fn machine(instance: &Instance, port: u16) -> Option<Machine> {
    let said = tag_of(instance, TAG_ADDRESS).and_then(|address| address.parse().ok());
    let private = instance.private_ip_address().and_then(|ip| ip.parse::<IpAddr>().ok());
    Some(Machine {
        id: instance.instance_id()?.to_owned(),
        token: tag_of(instance, TAG_LAUNCH).map(str::to_owned),
        address: said.or_else(|| private.map(|ip| SocketAddr::new(ip, port))),
        draining: tag_of(instance, TAG_STATE) == Some(DRAINING),
    })
}

fn tag_of<'i>(instance: &'i Instance, key: &str) -> Option<&'i str> {
    instance.tags().iter().find(|tag| tag.key() == Some(key)).and_then(Tag::value)
}
