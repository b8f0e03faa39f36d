//! Writes of jobs: compared by version and set. A write that brings an answer or the event of an
//! end has both in one transaction with the job.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemOutput;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnValue, TransactWriteItem, Update};

use weighbridge_core::jobs::Phase;
use weighbridge_proxy::jobs::ledger::{JobWrite, Kept, LedgerError};

use super::super::item::{Item, get, get_text, number};
use super::row::Attribute;
use super::{Result, Shared, attempts, callbacks, errors, find, row};

/// The value that the version is compared with.
const WAS: &str = ":was";

/// What is set and removed, as DynamoDB wants it.
struct Expression {
    update: String,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

/// Writes a job where its version is still the one that is kept.
pub(super) async fn write(shared: &Shared, write: JobWrite) -> Result<Option<Kept>> {
    let JobWrite { kept, answer, event } = write;
    let was = kept.job.version;
    let mut next = kept;
    next.job.version += 1;
    let nonce = fastrand::u64(..);
    let expression = expression(row::attributes(&next, nonce)?, was);
    let stands = if answer.is_none() && event.is_none() {
        alone(shared, &next, expression).await?
    } else {
        let mut writes = vec![transactional(shared, &next, expression)?];
        if let Some(answer) = &answer {
            let item = row::message(next.job.id, row::ANSWER, answer);
            writes.push(one(shared, put(item))?);
        }
        if let (Some(event), Some(url)) = (event, &next.callback) {
            writes.push(one(shared, put(callbacks::item(shared, &next, (url, event))))?);
        }
        together(shared, &next, (writes, answer.is_some())).await?
    };
    if stands || find::is_own(shared, next.job.id, nonce).await? {
        Ok(Some(next))
    } else {
        Ok(None)
    }
}

/// Writes the job alone. Returns whether it stands.
async fn alone(shared: &Shared, kept: &Kept, expression: Expression) -> Result<bool> {
    let update = shared
        .client
        .update_item()
        .table_name(&shared.table)
        .set_key(Some(row::key(row::partition(kept.job.id), row::JOB)))
        .update_expression(expression.update)
        .condition_expression(condition())
        .set_expression_attribute_names(Some(expression.names))
        .set_expression_attribute_values(Some(expression.values))
        .return_values(ReturnValue::UpdatedOld);
    let written = attempts::again(|| {
        let sending = update.clone().send();
        async move { sending.await.map_err(|error| errors::of_write(&error)) }
    });
    let Ok(UpdateItemOutput { attributes: Some(old), .. }) = written.await? else {
        return Ok(false);
    };
    let phase = get_text(&old, "phase").and_then(Phase::by_name);
    shared.looks.written(kept, phase.zip(get(&old, "bytes")));
    Ok(true)
}

/// Writes the job with what belongs to it. Returns whether it stands.
async fn together(
    shared: &Shared,
    kept: &Kept,
    (writes, has_answer): (Vec<TransactWriteItem>, bool),
) -> Result<bool> {
    let n_callbacks = writes.len() - 1 - usize::from(has_answer);
    if attempts::transact(shared, writes).await?.is_err() {
        return Ok(false);
    }
    // Answers are committed, and ends are told, by those that hold a job.
    let answer_bytes = if has_answer { kept.answer_bytes } else { 0 };
    shared.looks.written(kept, Some((Phase::Running, kept.bytes() - answer_bytes)));
    shared.looks.called_for(i64::try_from(n_callbacks).unwrap_or(i64::MAX));
    Ok(true)
}

fn transactional(shared: &Shared, kept: &Kept, of: Expression) -> Result<TransactWriteItem> {
    let update = Update::builder()
        .table_name(&shared.table)
        .set_key(Some(row::key(row::partition(kept.job.id), row::JOB)))
        .update_expression(of.update)
        .condition_expression(condition())
        .set_expression_attribute_names(Some(of.names))
        .set_expression_attribute_values(Some(of.values));
    let update = update.build().map_err(unbuilt)?;
    Ok(TransactWriteItem::builder().update(update).build())
}

fn condition() -> String {
    format!("#{} = {WAS}", row::VERSION)
}

/// What gives a job of version `was` its `attributes`. Names are set by reference, for some are
/// words of DynamoDB's.
fn expression(attributes: Vec<Attribute>, was: u64) -> Expression {
    let (mut set, mut removed) = (Vec::new(), Vec::new());
    let mut names = HashMap::new();
    let mut values = HashMap::from([(WAS.to_owned(), number(was))]);
    for (name, value) in attributes {
        names.insert(format!("#{name}"), name.to_owned());
        match value {
            Some(value) => {
                set.push(format!("#{name} = :{name}"));
                values.insert(format!(":{name}"), value);
            }
            None => removed.push(format!("#{name}")),
        }
    }
    let mut update = format!("SET {}", set.join(", "));
    if !removed.is_empty() {
        update = format!("{update} REMOVE {}", removed.join(", "));
    }
    Expression { update, names, values }
}

/// What puts `item`.
pub(super) fn put(item: Item) -> PutBuilder {
    Put::builder().set_item(Some(item))
}

/// A transaction's part that is `put`.
pub(super) fn one(shared: &Shared, put: PutBuilder) -> Result<TransactWriteItem> {
    let put = put.table_name(&shared.table).build().map_err(unbuilt)?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// Something that is always given was not.
#[expect(clippy::needless_pass_by_value, reason = "it is mapped by")]
pub(super) fn unbuilt(error: BuildError) -> LedgerError {
    LedgerError::Damaged(error.to_string())
}
