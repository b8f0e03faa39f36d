//! The table of jobs: made where it is missing, checked where it is there.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};

use weighbridge_proxy::jobs::ledger::LedgerError;
use weighbridge_proxy::store::StoreError;

use super::super::errors as store_errors;
use super::super::keys::{PARTITION, SORT};
use super::super::tables;
use super::{Result, errors, write};

/// An index: its name, its keys, and what it has of each item beside keys.
pub(super) struct Index {
    pub(super) name: &'static str,
    pub(super) keys: [&'static str; 2],
    pub(super) has: &'static [&'static str],
}

/// Every index.
pub(super) const INDEXES: [Index; 4] = [
    Index { name: "line", keys: ["line", "rank"], has: &["not_before"] },
    Index { name: "overdue", keys: ["line", "overdue_at"], has: &["not_before"] },
    Index { name: "tick", keys: ["shard", "tick_at"], has: &[] },
    Index {
        name: "new",
        keys: ["shard", "n"],
        has: &["phase", "route", "fleet", "bytes", "rank", "work", "overdue_at"],
    },
];

/// Attributes of keys that are texts; the others are numbers.
const TEXTS: [&str; 4] = [PARTITION, SORT, "line", "shard"];

/// See [`super::DynamoJobs::prepare`].
pub(super) async fn prepare(client: &Client, table: &str) -> Result<()> {
    let found = tables::describe(client, table).await.map_err(|error| told(&error))?;
    if found.is_none() {
        create(client, table).await?;
    }
    let found = tables::active(client, table).await.map_err(|error| told(&error))?;
    tables::check(&found, table, &[PARTITION, SORT]).map_err(|error| told(&error))?;
    let has = found.global_secondary_indexes();
    for index in INDEXES {
        let is_there = has.iter().any(|one| {
            let keys = one.key_schema().iter().map(KeySchemaElement::attribute_name);
            one.index_name() == Some(index.name) && keys.eq(index.keys)
        });
        if !is_there {
            let (name, keys) = (index.name, index.keys);
            let what = format!("table `{table}` has no index `{name}` by {keys:?}: delete it");
            return Err(LedgerError::Damaged(what));
        }
    }
    tables::expire(client, table).await.map_err(|error| told(&error))
}

/// `error` as jobs have it.
fn told(error: &StoreError) -> LedgerError {
    let text = format!("DynamoDB: {}", crate::errors::chain(error));
    match error {
        StoreError::WrongTable { .. } => LedgerError::Damaged(text),
        StoreError::Denied(_) => LedgerError::Denied(text),
        _ => LedgerError::Away(text),
    }
}

async fn create(client: &Client, table: &str) -> Result<()> {
    let mut create =
        client.create_table().table_name(table).billing_mode(BillingMode::PayPerRequest);
    let mut attributes = vec![PARTITION, SORT];
    for key in schema([PARTITION, SORT])? {
        create = create.key_schema(key);
    }
    for index in INDEXES {
        attributes.extend(index.keys);
        create = create.global_secondary_indexes(index.build()?);
    }
    attributes.sort_unstable();
    attributes.dedup();
    for name in attributes {
        create = create.attribute_definitions(attribute(name)?);
    }
    match create.send().await {
        Ok(_) => tracing::info!(table, "a table is made"),
        // Another balancer was faster.
        Err(error) if store_errors::says(&error, "ResourceInUseException") => {}
        Err(error) => return Err(errors::told(&error)),
    }
    Ok(())
}

fn attribute(name: &str) -> Result<AttributeDefinition> {
    let is_text = TEXTS.contains(&name);
    let kind = if is_text { ScalarAttributeType::S } else { ScalarAttributeType::N };
    let attribute = AttributeDefinition::builder().attribute_name(name).attribute_type(kind);
    attribute.build().map_err(write::unbuilt)
}

fn schema(keys: [&str; 2]) -> Result<Vec<KeySchemaElement>> {
    let element = |(name, kind): (&str, KeyType)| {
        let element = KeySchemaElement::builder().attribute_name(name).key_type(kind);
        element.build().map_err(write::unbuilt)
    };
    keys.into_iter().zip([KeyType::Hash, KeyType::Range]).map(element).collect()
}

// === impl Index ===

impl Index {
    fn build(&self) -> Result<GlobalSecondaryIndex> {
        let projection = if self.has.is_empty() {
            Projection::builder().projection_type(ProjectionType::KeysOnly)
        } else {
            let has = self.has.iter().map(|&name| name.to_owned()).collect();
            Projection::builder()
                .projection_type(ProjectionType::Include)
                .set_non_key_attributes(Some(has))
        };
        GlobalSecondaryIndex::builder()
            .index_name(self.name)
            .set_key_schema(Some(schema(self.keys)?))
            .projection(projection.build())
            .build()
            .map_err(write::unbuilt)
    }
}
