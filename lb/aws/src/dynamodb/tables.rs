//! The two tables: made where they are missing, checked where they are there.

use std::fmt::Write as _;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TableDescription, TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
};
use tokio::time::{Instant, sleep};
use weighbridge_proxy::store::StoreError;

use super::errors;
use super::item::EXPIRES;
use super::keys::{PARTITION, SORT};

/// A table that is not active after this is told of; the next use looks again.
const ACTIVE_MAX: Duration = Duration::from_secs(30);

/// Between two looks at a table that is being made.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Their names.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    pub(super) observations: String,
    pub(super) state: String,
}

/// A table is still being made.
#[derive(Debug, thiserror::Error)]
#[error("table `{0}` is not active yet")]
struct NotActive(String);

impl Tables {
    /// Those whose names begin with `table`.
    pub(super) fn of(table: &str) -> Tables {
        Tables { observations: format!("{table}-observations"), state: format!("{table}-state") }
    }

    /// See [`super::DynamoStore::prepare`].
    pub(super) async fn prepare(&self, client: &Client) -> Result<(), StoreError> {
        let both = [(&self.observations, &[PARTITION, SORT][..]), (&self.state, &[PARTITION])];
        for (table, keys) in both {
            if describe(client, table).await?.is_none() {
                create(client, table, keys).await?;
            }
        }
        for (table, keys) in both {
            check(&active(client, table).await?, table, keys)?;
        }
        expire(client, &self.observations).await
    }
}

pub(super) async fn describe(
    client: &Client,
    table: &str,
) -> Result<Option<TableDescription>, StoreError> {
    match client.describe_table().table_name(table).send().await {
        Ok(described) => Ok(described.table),
        Err(error) if errors::says(&error, "ResourceNotFoundException") => Ok(None),
        Err(error) => Err(errors::told(error)),
    }
}

async fn create(client: &Client, table: &str, keys: &[&str]) -> Result<(), StoreError> {
    let invalid = |cause| StoreError::Refused(Box::new(cause));
    let mut create =
        client.create_table().table_name(table).billing_mode(BillingMode::PayPerRequest);
    for (name, kind) in keys.iter().zip([KeyType::Hash, KeyType::Range]) {
        let attribute = AttributeDefinition::builder()
            .attribute_name(*name)
            .attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name(*name).key_type(kind);
        create = create
            .attribute_definitions(attribute.build().map_err(invalid)?)
            .key_schema(key.build().map_err(invalid)?);
    }
    match create.send().await {
        Ok(_) => tracing::info!(table, "a table is made"),
        // Another balancer was faster.
        Err(error) if errors::says(&error, "ResourceInUseException") => {}
        Err(error) => return Err(errors::told(error)),
    }
    Ok(())
}

pub(super) async fn active(client: &Client, table: &str) -> Result<TableDescription, StoreError> {
    let begun = Instant::now();
    loop {
        if let Some(found) = describe(client, table).await?
            && matches!(found.table_status, Some(TableStatus::Active | TableStatus::Updating))
        {
            return Ok(found);
        }
        if ACTIVE_MAX < begun.elapsed() {
            return Err(StoreError::Away(Box::new(NotActive(table.to_owned()))));
        }
        sleep(LOOK_INTERVAL).await;
    }
}

/// Refuses a table with other keys.
pub(super) fn check(
    found: &TableDescription,
    table: &str,
    keys: &[&str],
) -> Result<(), StoreError> {
    let names = found.key_schema().iter().map(KeySchemaElement::attribute_name);
    let texts = found.attribute_definitions().iter().filter(|attribute| {
        keys.contains(&attribute.attribute_name())
            && *attribute.attribute_type() == ScalarAttributeType::S
    });
    if names.eq(keys.iter().copied()) && texts.count() == keys.len() {
        return Ok(());
    }
    let mut has = "the key".to_owned();
    for key in found.key_schema() {
        let name = key.attribute_name();
        let attributes = found.attribute_definitions();
        let of_key = attributes.iter().find(|attribute| attribute.attribute_name() == name);
        let kind = of_key.map_or("?", |attribute| attribute.attribute_type().as_str());
        // Writing to a String cannot fail.
        let _ = write!(has, " {name} ({kind})");
    }
    let expected = keys.iter().map(|key| format!("{key} (S)")).collect::<Vec<_>>().join(" ");
    Err(StoreError::WrongTable { table: table.to_owned(), found: has, expected })
}

/// Lets the items of `table` expire.
pub(super) async fn expire(client: &Client, table: &str) -> Result<(), StoreError> {
    let described = client.describe_time_to_live().table_name(table).send().await;
    let described = described.map_err(errors::told)?.time_to_live_description;
    let status = described.as_ref().and_then(|ttl| ttl.time_to_live_status.clone());
    let attribute = described.and_then(|ttl| ttl.attribute_name);
    if let (Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling), Some(name)) =
        (status, attribute)
    {
        if name == EXPIRES {
            return Ok(());
        }
        let (found, expected) = (format!("items that expire by {name}"), EXPIRES.to_owned());
        return Err(StoreError::WrongTable { table: table.to_owned(), found, expected });
    }
    let by = TimeToLiveSpecification::builder().enabled(true).attribute_name(EXPIRES);
    let by = by.build().map_err(|cause| StoreError::Refused(Box::new(cause)))?;
    let update = client.update_time_to_live().table_name(table);
    match update.time_to_live_specification(by).send().await {
        Ok(_) => Ok(()),
        // Another balancer was faster, and it may be changed once an hour only.
        Err(error) if errors::says(&error, "ValidationException") => {
            tracing::warn!(table, %error, "whether observations expire is not known");
            Ok(())
        }
        Err(error) => Err(errors::told(error)),
    }
}
