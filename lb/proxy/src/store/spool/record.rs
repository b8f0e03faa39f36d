//! Batches of rows to records and back.
//!
//! `length u32 | rows u32 | xxh3 of the payload u64 | payload`, numbers with the lowest byte first.
//! The payload is JSON. The names of features are written once a record.

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use weighbridge_core::features::Features;
use weighbridge_core::observe::RequestCost;
use weighbridge_core::units::{Speed, Work};
use xxhash_rust::xxh3::xxh3_64;

use super::super::{StoreError, StoredObservation};

/// Bytes in front of a payload.
const HEAD: usize = 16;

/// More rows than this are not believed of a record that cannot be read.
const TORN_MAX: u64 = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    names: Vec<Vec<String>>,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    id: u64,
    route: String,
    at_us: u64,
    host: String,
    status: u16,
    waiting_us: u64,
    response_us: u64,
    /// Index in the record's `names`.
    names: usize,
    features: Vec<f64>,
    estimated: Option<(f64, f64)>,
    /// Instructions, blocks, methods, CPU seconds, bytes.
    cost: [Option<f64>; 5],
    work: f64,
    speed: f64,
    build: u64,
}

/// What can be read of a file.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) batches: Vec<Vec<StoredObservation>>,
    pub(super) rows: u64,
}

/// `rows` as a record.
pub(super) fn record(rows: &[StoredObservation]) -> Result<Vec<u8>, StoreError> {
    let mut names: Vec<Arc<[String]>> = Vec::new();
    let mut index = |of: &Arc<[String]>| {
        names.iter().position(|known| known == of).unwrap_or_else(|| {
            names.push(Arc::clone(of));
            names.len() - 1
        })
    };
    let rows: Vec<Row> = rows.iter().map(|row| write(row, index(&row.feature_names))).collect();
    let n_rows = rows.len() as u32;
    let names = names.iter().map(|names| names.to_vec()).collect();
    let mut record = vec![0; HEAD];
    serde_json::to_writer(&mut record, &Payload { names, rows })?;
    let (head, payload) = record.split_at_mut(HEAD);
    head[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    head[4..8].copy_from_slice(&n_rows.to_le_bytes());
    head[8..].copy_from_slice(&xxh3_64(payload).to_le_bytes());
    Ok(record)
}

/// What the heads of a file say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scan {
    /// Its length.
    pub(super) bytes: u64,
    /// Rows of its whole records.
    pub(super) rows: u64,
    /// Rows of the record that its end cuts off, at least: 1 where not even the head is whole.
    pub(super) torn: u64,
}

/// What the file at `path` has, read from the heads of its records alone.
pub(super) fn scan(path: &Path) -> io::Result<Scan> {
    let bytes = fs::metadata(path)?.len();
    let mut file = BufReader::new(File::open(path)?);
    let (mut at, mut rows) = (0, 0);
    loop {
        let mut head = [0; HEAD];
        match file.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(Scan { bytes, rows, torn: u64::from(at < bytes) });
            }
            Err(error) => return Err(error),
        }
        let length = u64::from(u32::from_le_bytes(part(&head[..4])));
        let of_record = u64::from(u32::from_le_bytes(part(&head[4..8])));
        at += HEAD as u64 + length;
        if bytes < at {
            return Ok(Scan { bytes, rows, torn: of_record.clamp(1, TORN_MAX) });
        }
        rows += of_record;
        file.seek(SeekFrom::Start(at))?;
    }
}

/// The whole records of the file at `path`. Torn and damaged ones are left out.
pub(super) fn contents(path: &Path) -> io::Result<Contents> {
    let bytes = fs::read(path)?;
    let mut rest = &bytes[..];
    let mut contents = Contents::default();
    while let Some((head, after)) = rest.split_at_checked(HEAD) {
        let length = u32::from_le_bytes(part(&head[..4])) as usize;
        let Some((payload, after)) = after.split_at_checked(length) else { break };
        rest = after;
        if u64::from_le_bytes(part(&head[8..])) != xxh3_64(payload) {
            continue;
        }
        if let Ok(Payload { names, rows }) = serde_json::from_slice(payload) {
            let names: Vec<Arc<[String]>> = names.into_iter().map(Arc::from).collect();
            let batch: Vec<_> = rows.into_iter().filter_map(|row| read(row, &names)).collect();
            contents.rows += batch.len() as u64;
            contents.batches.push(batch);
        }
    }
    Ok(contents)
}

fn write(row: &StoredObservation, names: usize) -> Row {
    let cost = &row.cost;
    Row {
        id: row.id,
        route: row.route.clone(),
        at_us: micros(row.at.duration_since(UNIX_EPOCH).unwrap_or_default()),
        host: row.host.clone(),
        status: row.status,
        waiting_us: micros(row.waiting),
        response_us: micros(row.response),
        names,
        features: row.features.0.to_vec(),
        estimated: row.estimated.map(|(mean, p90)| (mean.as_cpu_secs(), p90.as_cpu_secs())),
        cost: [
            cost.instructions,
            cost.basic_blocks,
            cost.methods,
            cost.cpu_seconds,
            cost.bytes_allocated,
        ],
        work: row.work.as_cpu_secs(),
        speed: row.speed.as_reference_cores(),
        build: row.build,
    }
}

fn read(row: Row, names: &[Arc<[String]>]) -> Option<StoredObservation> {
    let [instructions, basic_blocks, methods, cpu_seconds, bytes_allocated] = row.cost;
    let estimated = row.estimated;
    Some(StoredObservation {
        id: row.id,
        route: row.route,
        at: UNIX_EPOCH
            .checked_add(Duration::from_micros(row.at_us))
            .unwrap_or(SystemTime::UNIX_EPOCH),
        host: row.host,
        status: row.status,
        waiting: Duration::from_micros(row.waiting_us),
        response: Duration::from_micros(row.response_us),
        feature_names: Arc::clone(names.get(row.names)?),
        features: Features(row.features.into()),
        estimated: estimated.map(|(mean, p90)| (Work::saturating(mean), Work::saturating(p90))),
        cost: RequestCost { instructions, basic_blocks, methods, cpu_seconds, bytes_allocated },
        work: Work::saturating(row.work),
        speed: Speed::from_reference_cores(row.speed)?,
        build: row.build,
    })
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// `bytes` as an array of their number, which the caller has seen to.
fn part<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap_or([0; N])
}
