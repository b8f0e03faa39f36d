//! The first jobs in the line of a fleet, by its two indexes.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;

use weighbridge_core::jobs::{JobId, Turns};
use weighbridge_core::units::Time;
use weighbridge_proxy::jobs::ledger::{InLine, Kept, Message};

use super::{Result, Shared, find, row};

/// The first in the line of `fleet`: every second place is for those that are overdue.
pub(super) async fn line(
    shared: &Shared,
    fleet: &str,
    now: Time,
    most: usize,
) -> Result<Vec<InLine>> {
    let by_rank = may_go(shared, ("line", "rank"), (fleet, now))
        .key_condition_expression("#hash = :hash AND #range <= :most")
        .expression_attribute_values(":most", row::numbered(i64::MAX));
    let overdue = overdue(shared, fleet, now, most.div_ceil(2));
    let (overdue, by_rank) = tokio::try_join!(overdue, find::first(by_rank, most))?;
    let by_rank: Vec<JobId> = by_rank.iter().filter_map(row::id).collect();
    let ids = Turns::default().merge(overdue, by_rank, most);
    let waiting = find::jobs(shared, &ids).await?;
    in_line(shared, waiting, (fleet, now, &ids)).await
}

/// Those in the line of `fleet` that are overdue, the first ones first.
pub(super) async fn overdue(
    shared: &Shared,
    fleet: &str,
    now: Time,
    most: usize,
) -> Result<Vec<JobId>> {
    let overdue = may_go(shared, ("overdue", "overdue_at"), (fleet, now))
        .key_condition_expression("#hash = :hash AND #range <= :now");
    Ok(find::first(overdue, most).await?.iter().filter_map(row::id).collect())
}

/// A query of those in the line of `fleet` that may go.
fn may_go(
    shared: &Shared,
    (index, range): (&str, &str),
    (fleet, now): (&str, Time),
) -> QueryFluentBuilder {
    find::of_index(shared, index, ("line", range), fleet)
        .filter_expression("#not_before <= :now")
        .expression_attribute_names("#not_before", "not_before")
        .expression_attribute_values(":now", row::nanos(now))
}

/// Those of `jobs` that stand in the line of `fleet` and may go, with their requests, in the order
/// of `ids`.
pub(super) async fn in_line(
    shared: &Shared,
    jobs: Vec<Kept>,
    (fleet, now, ids): (&str, Time, &[JobId]),
) -> Result<Vec<InLine>> {
    let may_go = |kept: &Kept| stands(kept, fleet).is_some_and(|not_before| not_before <= now);
    let mut jobs: HashMap<JobId, Kept> =
        jobs.into_iter().filter(may_go).map(|kept| (kept.job.id, kept)).collect();
    let ids: Vec<JobId> = ids.iter().copied().filter(|id| jobs.contains_key(id)).collect();
    let mut requests = requests(shared, &ids).await?;
    let with_request = |id| {
        let (kept, request) = (jobs.remove(id)?, requests.remove(id)?);
        Some(InLine { kept, request })
    };
    Ok(ids.iter().filter_map(with_request).collect())
}

/// From when on `kept` may go, where it stands in the line of `fleet`.
pub(crate) fn stands(kept: &Kept, fleet: &str) -> Option<Time> {
    kept.job.state.not_before().filter(|_| kept.fleet == fleet)
}

/// What the jobs `ids` were asked. It never changes, so it is read once.
async fn requests(shared: &Shared, ids: &[JobId]) -> Result<HashMap<JobId, Message>> {
    let mut known = HashMap::with_capacity(ids.len());
    let mut missing = Vec::new();
    for id in ids {
        match shared.requests.get(id).await {
            Some(request) => {
                known.insert(*id, request);
            }
            None => missing.push(row::key(row::partition(*id), row::REQUEST)),
        }
    }
    for item in find::items(shared, missing).await? {
        let (Some(id), request) = (row::id(&item), row::read_message(&item)?) else { continue };
        shared.requests.insert(id, request.clone()).await;
        known.insert(id, request);
    }
    Ok(known)
}
