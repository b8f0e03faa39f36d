//! Observations to items and back.
//!
//! An item is kept below 1 KB, which is what one write unit pays for: the names of the features,
//! which are the longest of it, lie elsewhere under their hash. Features are bytes, for a number of
//! DynamoDB's has another range than an `f64`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use weighbridge_core::features::Features;
use weighbridge_core::observe::RequestCost;
use weighbridge_core::units::{Speed, Work};
use weighbridge_proxy::store::StoredObservation;

use super::keys::{self, PARTITION, SORT};

pub(super) type Item = HashMap<String, AttributeValue>;

/// Attribute after whose time DynamoDB deletes the item.
pub(super) const EXPIRES: &str = "expires_at";

/// Magnitudes that a number of DynamoDB's may have, with room.
const NUMBERS: (f64, f64) = (1e-120, 1e120);

/// `row` as an item that expires `ttl` after the row's time. `names` is the hash of its features'
/// names.
pub(super) fn write(row: &StoredObservation, names: &str, shards: u32, ttl: Duration) -> Item {
    let (partition, sort) = keys::of_row(row, shards);
    let expires = row.at.checked_add(ttl).unwrap_or(SystemTime::UNIX_EPOCH);
    let expires = expires.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let values = row.features.0.iter().flat_map(|value| value.to_le_bytes());
    let mut item = Item::with_capacity(20);
    let mut put = |name: &str, value| item.insert(name.to_owned(), value);
    put(PARTITION, text(partition));
    put(SORT, text(sort));
    put(EXPIRES, number(expires));
    put("route", text(&row.route));
    put("host", text(&row.host));
    put("status", number(row.status));
    put("waiting_us", number(row.waiting.as_micros()));
    put("response_us", number(row.response.as_micros()));
    put("names", text(names));
    put("features", AttributeValue::B(Blob::new(values.collect::<Vec<u8>>())));
    put("work", real(row.work.as_cpu_secs()));
    put("speed", real(row.speed.as_reference_cores()));
    put("build", number(row.build));
    if let Some((mean, p90)) = row.estimated {
        put("estimate_mean", real(mean.as_cpu_secs()));
        put("estimate_p90", real(p90.as_cpu_secs()));
    }
    for (name, value) in costs(&row.cost) {
        if let Some(value) = value {
            put(name, real(value));
        }
    }
    item
}

/// The row of `item`, whose features have `names`; `None` where it is not one of ours.
pub(super) fn read(item: &Item, names: Arc<[String]>) -> Option<StoredObservation> {
    let (at, id) = keys::read(get_text(item, SORT)?)?;
    let bytes = item.get("features")?.as_b().ok()?.as_ref();
    let values = bytes.as_chunks::<8>().0.iter().map(|value| f64::from_le_bytes(*value));
    let micros = |name| Some(Duration::from_micros(get(item, name)?));
    let work = |name| Some(Work::saturating(get(item, name)?));
    Some(StoredObservation {
        id,
        route: get_text(item, "route")?.to_owned(),
        at,
        host: get_text(item, "host")?.to_owned(),
        status: get(item, "status")?,
        waiting: micros("waiting_us")?,
        response: micros("response_us")?,
        feature_names: names,
        features: Features(values.collect()),
        estimated: work("estimate_mean").zip(work("estimate_p90")),
        cost: RequestCost {
            instructions: get(item, "instructions"),
            basic_blocks: get(item, "basic_blocks"),
            methods: get(item, "methods"),
            cpu_seconds: get(item, "cpu_seconds"),
            bytes_allocated: get(item, "bytes_allocated"),
        },
        work: work("work")?,
        speed: Speed::from_reference_cores(get(item, "speed")?)?,
        build: get(item, "build")?,
    })
}

fn costs(cost: &RequestCost) -> [(&'static str, Option<f64>); 5] {
    [
        ("instructions", cost.instructions),
        ("basic_blocks", cost.basic_blocks),
        ("methods", cost.methods),
        ("cpu_seconds", cost.cpu_seconds),
        ("bytes_allocated", cost.bytes_allocated),
    ]
}

/// The text attribute `name`.
pub(super) fn get_text<'i>(item: &'i Item, name: &str) -> Option<&'i str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// The number attribute `name`.
pub(super) fn get<T: std::str::FromStr>(item: &Item, name: &str) -> Option<T> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// A text.
pub(super) fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A whole number.
pub(super) fn number(number: impl Into<u128>) -> AttributeValue {
    AttributeValue::N(number.into().to_string())
}

/// A number as near to `value` as DynamoDB has one.
pub(super) fn real(value: f64) -> AttributeValue {
    let (least, most) = NUMBERS;
    let near = if value.abs() < least || value.is_nan() { 0.0 } else { value.clamp(-most, most) };
    AttributeValue::N(format!("{near:e}"))
}
